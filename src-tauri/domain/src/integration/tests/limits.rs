//! The limits of single values, at their boundaries.

use super::{malformed::error_of, *};

/// The valid file with one value replaced, as the strict check sees it.
fn checked(pointer: &str, value: Value) -> Result<Parsed, DefinitionError> {
    parse(&loading::with(pointer, value).to_string())
}

#[track_caller]
fn accepts(pointer: &str, values: impl IntoIterator<Item = Value>) {
    for value in values {
        let error = checked(pointer, value.clone()).err();
        assert!(error.is_none(), "{pointer} {value:.80}: {error:?}");
    }
}

#[track_caller]
fn refuses(pointer: &str, values: impl IntoIterator<Item = Value>) {
    for value in values {
        assert!(checked(pointer, value.clone()).is_err(), "{pointer} {value:.80}");
    }
}

const OAUTH2: &str = "/config/credentials/oauth2/config";
const FIELDS: &str = "/config/credentials/api_key/config/fields";

#[test]
fn names_have_up_to_64_characters_of_their_alphabet() {
    accepts("/name", [json!("a1_-b"), json!("a".repeat(64)), json!("x")]);
    refuses("/name", [json!("a".repeat(65)), json!("1a"), json!("-a"), json!("aB"), json!("a.b"), json!("ä")]);
}

#[test]
fn labels_have_1_to_80_characters_on_one_line() {
    accepts("/config/label", [json!("x".repeat(80)), json!(" Größe "), json!("x")]);
    refuses("/config/label", [json!("x".repeat(81)), json!("  "), json!("a\u{7}b")]);
    assert_eq!(checked("/config/label", json!(" Acme ")).expect("a definition").definition.label(), "Acme");
}

#[test]
fn a_logo_is_an_https_url_or_an_embedded_picture() {
    let logo = "data:image/png;base64,iVBORw0KGgo+/A==";
    for logo in [logo, "data:image/svg+xml;base64,AA==", "https://acme.example/logo.png"] {
        let definition = checked("/config/logo", json!(logo)).expect("a definition").definition;
        assert_eq!(definition.logo().map(Logo::as_str), Some(logo));
    }
    refuses(
        "/config/logo",
        [
            json!("data:image/png;base64,"),
            json!("data:image/png;base64,a b"),
            json!("data:image/png;base64,<svg>"),
            json!("data:image/png,AA=="),
            json!("data:text/html;base64,AA=="),
            json!("http://acme.example/logo.png"),
        ],
    );
}

#[test]
fn a_client_id_has_up_to_512_characters_without_spaces() {
    let pointer = format!("{OAUTH2}/client/id");
    accepts(&pointer, [json!("x".repeat(512)), json!("Iv1.a-b_c/~")]);
    refuses(&pointer, [json!("x".repeat(513)), json!("a b"), json!("a\u{1}b"), json!(7)]);
}

#[test]
fn a_scope_consists_of_the_characters_of_a_scope_token() {
    let pointer = format!("{OAUTH2}/scope");
    accepts(&pointer, [json!(["https://api.example/auth/x.y", "a:b!#$%&'()*+,-/~"]), json!("read write"), json!([])]);
    refuses(&pointer, [json!(["a\"b"]), json!(["a\\b"]), json!([""]), json!(["ä"]), json!(["a b"]), json!([7])]);
    let scopes =
        |scope: Value| checked(&pointer, scope).expect("a definition").definition.oauth2().map(|it| it.scopes.clone());
    assert_eq!(scopes(json!(" read  write ")), Some(vec!["read".to_owned(), "write".to_owned()]));
}

#[test]
fn a_host_ends_after_the_host() {
    let pointer = format!("{OAUTH2}/auth/tokenHost");
    accepts(&pointer, [json!("https://auth.acme.example"), json!("https://auth.acme.example:8443/")]);
    refuses(&pointer, [json!("https://auth.acme.example?x=1"), json!("https://auth.acme.example/x")]);
}

#[test]
fn a_form_has_up_to_50_fields_with_valid_names() {
    let fields = |names: &[String]| {
        let mut fields: Vec<Value> = names.iter().map(|name| json!({"name": name, "type": "text"})).collect();
        fields.push(json!({"name": "email", "type": "text"}));
        fields.push(json!({"name": "api_key", "type": "password"}));
        json!(fields)
    };
    let numbered = |count: usize| (0..count).map(|n| format!("f{n}")).collect::<Vec<_>>();
    accepts(FIELDS, [fields(&numbered(48)), fields(&["a-b_C9".to_owned(), "x".repeat(64)])]);
    refuses(
        FIELDS,
        [fields(&numbered(49)), fields(&["x".repeat(65)]), fields(&["1a".into()]), fields(&["a.b".into()])],
    );
}

#[test]
fn a_value_of_a_field_has_up_to_8192_characters() {
    let definition = good().definition;
    let form = definition.fields(AuthenticationMethod::ApiKey).expect("a form");
    let valid = |chars: usize| {
        let typed = [("email", "a".to_owned()), ("api_key", "é".repeat(chars))];
        form.validate(&typed.map(|(name, value)| (name.to_owned(), crate::Secret::new(value))).into()).is_ok()
    };
    assert_eq!((valid(8192), valid(8193)), (true, false));
}

#[test]
fn a_path_into_a_response_has_up_to_256_characters() {
    let pointer = "/config/relink/identity/id";
    accepts(pointer, [json!("x".repeat(256)), json!("a-b.0.c")]);
    refuses(pointer, [json!("x".repeat(257)), json!("a. b"), json!("a\tb")]);
}

#[test]
fn a_pattern_has_up_to_512_characters() {
    assert!(Pattern::parse(&"a".repeat(512)).is_ok());
    let (a, b) = (Pattern::parse("a").expect("a pattern"), Pattern::parse("b").expect("a pattern"));
    assert!(a != b && a == a.clone());
    assert_eq!((a.as_str(), format!("{a:?}").as_str()), ("a", "\"a\""));
}

#[test]
fn a_file_has_up_to_a_mebibyte() {
    let padded = |bytes: usize| format!("{GOOD}{}", " ".repeat(bytes - GOOD.len()));
    assert!(parse(&padded(1024 * 1024)).is_ok());
    assert!(parse(&padded(1024 * 1024 + 1)).is_err());
}

#[test]
fn a_document_is_nested_up_to_64_levels_deep() {
    let nested = |levels: usize| {
        let inner = levels - 2;
        GOOD.replace(
            r#""pagination": { "format": "offset" }"#,
            &format!(r#""webhook": {}{}"#, "[".repeat(inner), "]".repeat(inner)),
        )
    };
    assert!(parse(&nested(64)).is_ok());
    assert!(parse(&nested(65)).expect_err("too deep").problem.contains("nested more than 64 levels deep"));
}

#[test]
fn urls_and_paths_have_up_to_2048_characters() {
    let url = |chars: usize| format!("https://x.example/{}", "a".repeat(chars - 18));
    assert!(WebUrl::parse(&url(2048)).is_ok() && WebUrl::parse(&url(2049)).is_err());
    let path = |chars: usize| format!("/{}", "a".repeat(chars - 1));
    assert!(UrlPath::parse(&path(2048)).is_ok() && UrlPath::parse(&path(2049)).is_err());
}

#[test]
fn numbers_booleans_and_text_survive_a_round_trip() {
    let value = json!({"negative": -1, "fraction": 1.5, "large": u64::MAX, "yes": true, "no": false, "none": null, "list": ["a", 1]});
    let definition = checked("/config/webhook", value.clone()).expect("a definition").definition;
    assert_eq!(definition.section("webhook"), Some(&value));
}

#[test]
fn the_options_of_a_token_request_are_decoded() {
    let options = json!({"authorizationMethod": "header", "bodyFormat": "json", "scopeSeparator": ","});
    let definition = checked(&format!("{OAUTH2}/options"), options).expect("a definition").definition;
    let oauth2 = definition.oauth2().expect("oauth2");
    assert_eq!(
        (oauth2.options.client_auth, oauth2.options.body_format, oauth2.options.scope_separator.as_str()),
        (ClientAuth::Basic, BodyFormat::Json, ",")
    );
    let definition =
        checked(&format!("{OAUTH2}/auth/refreshPath"), json!("/refresh")).expect("a definition").definition;
    assert_eq!(
        definition.oauth2().expect("oauth2").refresh_url.as_fixed().expect("fixed").as_str(),
        "https://auth.acme.example/refresh"
    );
}

#[test]
fn what_describes_an_integration_is_decoded() {
    let relink = json!({
        "probe": {"path": "/me", "headers": {"X-Probe": "1"}},
        "identity": {"path": "/me", "id": "id", "label": ["name", "email"]},
        "color": "#AABBCC",
        "redirects": ["loopback", "loopback"],
        "scope_descriptions": {"read": "Read everything"},
        "docs": {"url": "https://acme.example/apps", "text": "Create an app."},
        "refresh": {"terminal_errors": ["gone"], "client_errors": ["bad_client"], "default_expires_in": 1800, "scope_on_refresh": true},
        "authorize_params": {"prompt": "consent"},
        "revocation_url": "https://auth.acme.example/revoke",
        "issuer": "https://auth.acme.example/"
    });
    let acme = checked("/config/relink", relink).expect("a definition").definition;
    assert_eq!(acme.color().map(Color::as_str), Some("#aabbcc"));
    assert_eq!((acme.scope_description("read"), acme.scope_description("write")), (Some("Read everything"), None));
    assert_eq!(acme.docs().url.as_ref().map(ToString::to_string).as_deref(), Some("https://acme.example/apps"));
    assert_eq!(acme.docs().text.as_deref(), Some("Create an app."));
    let refresh = acme.refresh();
    assert_eq!(
        (refresh.terminal_errors.as_slice(), refresh.client_errors.as_slice()),
        (&["gone".to_owned()][..], &["bad_client".to_owned()][..])
    );
    assert_eq!((refresh.default_expires_in, refresh.scope_on_refresh), (Some(1800), true));
    let oauth2 = acme.oauth2().expect("oauth2");
    assert_eq!(oauth2.redirects, [RedirectKind::Loopback]);
    assert_eq!(oauth2.authorize_params.names(), ["prompt"]);
    assert_eq!(oauth2.issuer.as_deref(), Some("https://auth.acme.example/"), "as written");
    assert!(oauth2.requires_iss);
    let silent = json!({
        "issuer": "https://auth.acme.example/",
        "authorization_response_iss_parameter_supported": false
    });
    let silent = checked("/config/relink", silent).expect("a definition").definition;
    assert!(!silent.oauth2().expect("oauth2").requires_iss);
    let no_issuer = checked("/config/relink", json!({})).expect("a definition").definition;
    assert!(!no_issuer.oauth2().expect("oauth2").requires_iss, "there is nothing to compare");
    assert_eq!(
        oauth2.revocation_url.as_ref().and_then(Address::as_fixed).map(WebUrl::as_str),
        Some("https://auth.acme.example/revoke")
    );
    assert_eq!(acme.redirect_uris(7417), ["http://127.0.0.1:7417/oauth/callback/acme"]);
    let probe = acme.probe().expect("a probe");
    assert_eq!(probe.headers.iter().map(|header| header.name.as_str()).collect::<Vec<_>>(), ["x-probe"]);
    assert_eq!(acme.headers().iter().map(|header| header.name.as_str()).collect::<Vec<_>>(), ["x-region"]);
    let identity = acme.identity().expect("an identity");
    assert_eq!(identity.source, IdentitySource::Probe);
    let found = identity.read(&json!({"id": 7, "email": "ada@acme.example"})).expect("an identity");
    assert_eq!((found.id.as_str(), found.label.as_str()), ("7", "ada@acme.example"));
    assert!(!acme.allows_local() && !acme.is_sandbox());
}

#[test]
fn a_revocation_has_one_place() {
    refuses("/config/relink/revocation_url", [json!("https://auth.acme.example/revoke"), json!("ftp://x")]);
}

#[test]
fn client_credentials_need_both_required_fields() {
    let field = |name: &str, required: bool| json!({"name": name, "type": "password", "required": required});
    let credentials = |fields: Value| {
        let auth = json!({"tokenHost": "https://auth.acme.example", "tokenPath": "/token"});
        json!({"format": "oauth2_client_credentials", "config": {"fields": fields, "auth": auth}})
    };
    let parsed = |fields: Value| {
        let mut document = loading::with("/config/credentials", credentials(fields));
        document["config"]["authorization"] = Value::Null;
        document["config"]["headers"] = Value::Null;
        parse(&document.to_string())
    };
    assert!(parsed(json!([field("client_id", true), field("client_secret", true)])).is_ok());
    for fields in [
        json!([field("client_id", true)]),
        json!([field("client_secret", true)]),
        json!([field("client_id", false), field("client_secret", true)]),
        json!([field("client_id", true), field("client_secret", false)]),
    ] {
        assert!(parsed(fields.clone()).is_err(), "{fields}");
    }
}

#[test]
fn an_identity_from_an_id_token_has_the_usual_claims() {
    let acme = checked("/config/relink/identity", json!({"from": "id_token"})).expect("a definition").definition;
    let identity = acme.identity().expect("an identity");
    assert_eq!(identity.source, IdentitySource::IdToken);
    for (claims, label) in [
        (
            json!({"sub": "1", "name": "Ada", "preferred_username": "ada", "email": "ada@acme.example"}),
            "ada@acme.example",
        ),
        (json!({"sub": "1", "name": "Ada", "preferred_username": "ada"}), "ada"),
        (json!({"sub": "1", "name": "Ada"}), "Ada"),
        (json!({"sub": "1"}), "1"),
    ] {
        assert_eq!(identity.read(&claims).expect("an identity").label, label);
    }
}

#[test]
fn the_secrets_of_every_format_are_removed() {
    for (name, method) in [
        ("oauth2", AuthenticationMethod::Oauth2),
        ("api_key", AuthenticationMethod::ApiKey),
        ("oauth2_client_credentials", AuthenticationMethod::Oauth2ClientCredentials),
    ] {
        let mut config = json!({"credentials": {name: {"config": {"client": {"secret": " hunter2 "}}}}});
        let mut secrets = take_client_secrets(&mut config);
        assert!(!secrets.is_empty(), "{name}");
        assert_eq!(secrets.get(method).map(crate::Secret::expose), Some("hunter2"));
        assert!(secrets.take(method).is_some() && secrets.is_empty());
    }
    let mut config = json!({"credentials": {"oauth2": {"config": {"client": {"secret": "  "}}}}});
    assert!(take_client_secrets(&mut config).is_empty());
}

#[test]
fn the_origin_of_a_definition_moves_as_a_whole() {
    let here = WebUrl::parse("http://127.0.0.1:40123").expect("a URL").origin();
    let mut document = serde_json::to_value(built_in("sandbox").expect("the Sandbox")).expect("JSON");
    document["config"]["relink"]["docs"] =
        json!({"url": "http://127.0.0.1:74180/x", "text": "see http://127.0.0.1:7418"});
    let moved = Definition::load(&document, &Map::new()).expect("loaded").at(&here).expect("moved");
    let docs = moved.docs();
    assert_eq!(docs.url, None, "another port that begins with the same digits doesn't move");
    assert_eq!(docs.text.as_deref(), Some("see http://127.0.0.1:7418"), "only a whole URL moves");
    assert_eq!(moved.config()["relink"]["docs"]["url"], "http://127.0.0.1:74180/x");
}

#[test]
fn a_missing_client_of_a_public_integration_needs_no_secret() {
    let mut document = loading::with(&format!("{OAUTH2}/client"), Value::Null);
    document["config"]["relink"]["client_secret"] = "never".into();
    let acme = parse(&document.to_string()).expect("a definition").definition;
    let not_ready = acme.not_ready(AuthenticationMethod::Oauth2, false, 7417).expect("not ready");
    assert_eq!(not_ready.missing, Missing::ClientId);
    assert!(not_ready.message.ends_with("relink integrations client acme --id CLIENT_ID"), "{}", not_ready.message);
    assert!(not_ready.message.contains("Register an OAuth client at the provider."), "{}", not_ready.message);
    assert_eq!(acme.not_ready(AuthenticationMethod::ApiKey, false, 7417), None);
}

#[test]
fn a_message_quotes_a_value_shortly_and_without_its_query() {
    let long = format!("x{}", "é".repeat(200));
    let error = error_of("/name", json!(long));
    assert!(error.starts_with(&format!("\"x{}…\" is not a name", "é".repeat(79))), "{error}");
    let error = error_of("/config/base_url", json!("ftp://x.example/?token=hunter2"));
    assert!(error.starts_with("\"ftp://x.example/…\" is not a URL"), "{error}");
    assert!(error_of("/config/base_url", json!("ada@example")).starts_with("this text is not a URL"));
    let exact = error_of("/name", json!("X".repeat(80)));
    assert!(exact.starts_with(&format!("\"{}\" is not a name", "X".repeat(80))), "{exact}");
}

#[test]
fn a_definition_error_has_its_stable_code() {
    assert_eq!(parse("").expect_err("refused").code(), "integration_malformed");
}
