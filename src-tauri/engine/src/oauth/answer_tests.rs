use std::sync::OnceLock;

use relink_domain::{
    destination::Consent,
    failure::ProviderErrorCodes,
    integration::{AnswerPaths, ClientAuth, ClientOptions, JsonPath},
    provider_text::KnownSecrets,
};
use url::Url;

use super::*;
use crate::{oauth::received::secrets_of, outbound::HttpResponse};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> HttpResponse {
    let mut response = http::Response::new(());
    for (name, value) in headers {
        response.headers_mut().append(*name, value.parse().expect("a header"));
    }
    HttpResponse {
        status: http::StatusCode::from_u16(status).expect("a status"),
        headers: std::mem::take(response.headers_mut()),
        body: body.as_bytes().to_vec(),
    }
}

/// A refresh that is answered like this.
async fn refreshed(status: u16, body: &str) -> Result<Tokens, Failure> {
    refreshed_by(&answer(status, &[], body)).await
}

fn endpoint() -> Endpoint {
    Endpoint {
        url: Url::parse("https://as.example/token").expect("an address"),
        client_id: "us".into(),
        client_secret: None,
        authentication: ClientAuth::None,
        options: ClientOptions::default(),
        params: Vec::new(),
        consent: Consent::Public,
        own_codes: ProviderErrorCodes { terminal: vec!["bad_refresh_token".into()], client: vec![] },
        error_code_path: Some(JsonPath::parse("details.reason").expect("a path")),
        answer: AnswerPaths::default(),
        may_answer_at_top: false,
        default_expires_in: None,
        is_refreshed_daily: true,
        known: KnownSecrets::default().and(&[Secret::new("api-key-of-the-account")]),
    }
}

async fn refreshed_by(answer: &HttpResponse) -> Result<Tokens, Failure> {
    let endpoint = endpoint();
    let received = OnceLock::new();
    let line = |request: oauth2::HttpRequest| {
        let (beside, response) = Received::take(answer, &endpoint.url, secrets_of(&request, &endpoint), NOW);
        received.set(beside).expect("one request");
        async { Ok::<_, RequestFailed>(response) }
    };
    let token = RefreshToken::new("spent-token".into());
    let client = endpoint.client().expect("a client");
    let parsed = client.exchange_refresh_token(&token).request_async(&line).await;
    drop(client);
    endpoint.tokens(parsed, received.into_inner(), NOW)
}

#[tokio::test]
async fn differences_between_providers_are_normalized() {
    for body in [
        r#"{"access_token":"t","expires_in":"3600","scope":["a","b"],"refresh_token":""}"#,
        r#"{"access_token":"t","expires_in":3600.0,"scope":"a,b","id_token":""}"#,
        r#"{"access_token":"t","expires_in":3600,"scope":"a b","token_type":"mac","refresh_token":7}"#,
    ] {
        let tokens = refreshed(200, body).await.expect("a success");
        assert_eq!(tokens.access.expose(), "t");
        assert_eq!(tokens.lifetime.expires_at, Some(NOW.plus_secs(3600)), "{body}");
        assert_eq!(tokens.scopes, Some(vec!["a".to_owned(), "b".to_owned()]), "{body}");
        assert!(tokens.refresh.is_none() && tokens.id.is_none(), "{body}");
    }
    let tokens = refreshed(201, r#"{"access_token":"t","expires_in":0,"scope":" ","refresh_token":"r"}"#).await;
    let tokens = tokens.expect("a success");
    assert_eq!(tokens.refresh.as_ref().map(Secret::expose), Some("r"));
    assert_eq!((tokens.lifetime.expires_at, tokens.scopes), (None, None));
}

#[tokio::test]
async fn failures_are_classified() {
    for (status, body, cause) in [
        (200, r#"{"error":"bad_refresh_token"}"#, Cause::RefusedByProvider),
        (200, "<html>Welcome to the hotel</html>", Cause::NotJson),
        (200, r#"{"access_token":"t","expires"#, Cause::Garbled),
        (200, "[1, 2", Cause::Garbled),
        (200, r#"["t"]"#, Cause::Garbled),
        (200, "{}", Cause::Garbled),
        (200, r#"{"access_token":""}"#, Cause::Garbled),
        (200, "", Cause::Garbled),
        (200, "<?xml version=\"1.0\"?><error/>", Cause::Garbled),
        (200, "OK", Cause::Garbled),
        (400, "error=invalid_grant", Cause::InvalidGrant),
        (400, "error=Invalid_Grant&error_description=revoked", Cause::InvalidGrant),
        (401, r#"{"message":"Unauthorized"}"#, Cause::UnknownRefusal),
        (401, "", Cause::UnknownRefusal),
        (404, "<html>Not found</html>", Cause::UnknownRefusal),
        (403, "<html>Forbidden</html>", Cause::UnknownRefusal),
        (400, r#"{"error":"failed","details":{"reason":"bad_refresh_token"}}"#, Cause::RefusedByProvider),
        (400, r#"{"status":"BAD_REFRESH_TOKEN","message":"gone"}"#, Cause::RefusedByProvider),
        (400, r#"{"error":"consent_required"}"#, Cause::InteractionRequired),
        (503, "<html>Maintenance</html>", Cause::ServerError),
        (400, r#"{"error":"invalid_grant"}"#, Cause::InvalidGrant),
        (400, r#"{"access_token":"t","error":"invalid_grant"}"#, Cause::InvalidGrant),
        (500, "oops", Cause::ServerError),
        (500, r#"{"error":"#, Cause::ServerError),
    ] {
        let failure = refreshed(status, body).await.expect_err(body);
        assert_eq!(failure.cause, cause, "{status} {body}");
    }
}

#[tokio::test]
async fn an_error_in_a_bearer_challenge_counts() {
    for (challenge, cause, message) in [
        (r#"Bearer error="invalid_token""#, Cause::InvalidGrant, None),
        (r#"bearer realm="x, y", error=invalid_token"#, Cause::InvalidGrant, None),
        (
            r#"Basic realm="x", Bearer error="invalid_token", error_description="It \"expired\"""#,
            Cause::InvalidGrant,
            Some(r#"It "expired""#),
        ),
        (r#"Bearer realm="x""#, Cause::UnknownRefusal, None),
        (r#"Basic error="invalid_token""#, Cause::UnknownRefusal, None),
        ("Bearer error=", Cause::UnknownRefusal, None),
        ("nonsense, =", Cause::UnknownRefusal, None),
    ] {
        let failure = refreshed_by(&answer(401, &[("www-authenticate", challenge)], "")).await.expect_err(challenge);
        assert_eq!((failure.cause, failure.provider_message.as_deref()), (cause, message), "{challenge}");
    }
    let response = answer(400, &[("www-authenticate", r#"Bearer error="invalid_token""#)], r#"{"error":"strange"}"#);
    let failure = refreshed_by(&response).await.expect_err("refused");
    assert_eq!(failure.provider_code.as_deref(), Some("strange"), "the body says more");
}

#[tokio::test]
async fn a_redirect_is_reported_with_its_target_and_not_followed() {
    for (location, cause, target) in [
        ("/token/", Cause::Redirected, "https://as.example/token/"),
        ("https://as.example/oauth/token?code=secret#x", Cause::Redirected, "https://as.example/oauth/token"),
        ("https://me:word@as.example/", Cause::Redirected, "https://as.example/"),
        ("http://as.example/token", Cause::Redirected, "http://as.example/token"),
        ("https://as.example:8443/token", Cause::Redirected, "https://as.example:8443/token"),
        ("https://login.hotel.example/?next=x", Cause::NotJson, "https://login.hotel.example/"),
        ("//login.hotel.example", Cause::NotJson, "https://login.hotel.example/"),
        ("http://192.168.0.1/portal", Cause::NotJson, "http://192.168.0.1/portal"),
    ] {
        for status in [301, 302, 303, 307, 308] {
            let response = answer(status, &[("location", location)], "<html>Moved</html>");
            let failure = refreshed_by(&response).await.expect_err(location);
            assert_eq!(failure.cause, cause, "{status} {location}");
            let message = failure.provider_message.expect("the target");
            assert_eq!(message, format!("Location: {target}"), "{location}");
        }
    }
    let echoed = answer(302, &[("location", "/token/spent-token")], "");
    let failure = refreshed_by(&echoed).await.expect_err("the token that was sent");
    assert_eq!(failure.provider_message.as_deref(), Some("Location: https://as.example/token/(hidden)"));
    let failure = refreshed_by(&answer(302, &[], "")).await.expect_err("no target");
    assert_eq!(failure.cause, Cause::UnknownRefusal);
}

#[tokio::test]
async fn tokens_are_found_in_every_encoding() {
    for (content_type, body) in [
        ("application/x-www-form-urlencoded", "access_token=t&expires_in=3600&scope=a+b"),
        ("text/plain", "access_token=t&expires_in=3600&scope=a%2Cb"),
        ("application/json", "\u{feff}{\"access_token\":\"t\",\"expires_in\":3600,\"scope\":\"a b\"}"),
        ("text/html", r#" {"access_token":"t","expires_in":3600,"scope":"a b"} "#),
    ] {
        let tokens = refreshed_by(&answer(200, &[("content-type", content_type)], body)).await.expect(body);
        assert_eq!(tokens.access.expose(), "t", "{body}");
        assert_eq!(tokens.lifetime.expires_at, Some(NOW.plus_secs(3600)), "{body}");
        assert_eq!(tokens.scopes, Some(vec!["a".to_owned(), "b".to_owned()]), "{body}");
    }
}

#[tokio::test]
async fn secrets_are_hidden_wherever_an_error_repeats_them() {
    for (body, code, message) in [
        // What was sent, what the account has besides, and what the response itself brings.
        (
            r#"{"error":"invalid_grant","error_description":"spent-token has expired"}"#,
            Some("invalid_grant"),
            Some("(hidden) has expired"),
        ),
        (
            r#"{"error":"invalid_grant","error_description":"Basic dXM6c3BlbnQtdG9rZW4= is wrong"}"#,
            Some("invalid_grant"),
            Some("Basic dXM6(hidden)= is wrong"),
        ),
        (
            r#"{"error":"invalid_grant","error_description":"key api-key-of-the-account"}"#,
            Some("invalid_grant"),
            Some("key (hidden)"),
        ),
        (
            r#"{"error":"no","access_token":"issued-access-token","error_description":"issued-access-token"}"#,
            Some("no"),
            Some("(hidden)"),
        ),
        (
            r#"{"error":"no","refresh_token":"issued-refresh-token","message":"%69ssued-refresh-token"}"#,
            Some("no"),
            Some("(hidden)"),
        ),
        (r#"{"error":"no","id_token":"issued.id.token","message":"issued.id.token"}"#, Some("no"), Some("(hidden)")),
        (r#"{"error":"spent-token"}"#, Some("(hidden)"), None),
        (r#"{"error":"bad_refresh_token","message":"x"}"#, Some("bad_refresh_token"), Some("x")),
    ] {
        let failure = refreshed(400, body).await.expect_err("refused");
        assert_eq!((failure.provider_code.as_deref(), failure.provider_message.as_deref()), (code, message), "{body}");
    }
    let challenge = r#"Bearer error="invalid_token", error_description="7370656e742d746f6b656e was revoked""#;
    let failure = refreshed_by(&answer(401, &[("www-authenticate", challenge)], "")).await.expect_err("refused");
    assert_eq!(failure.provider_message.as_deref(), Some("(hidden) was revoked"));
}

#[tokio::test]
async fn scopes_that_are_none_or_repeat_a_secret_are_left_out() {
    let long = "s".repeat(301);
    let body = format!(
        r#"{{"access_token":"issued-access-token","scope":["read","spent-token","x:issued-access-token","{long}","a\u202eb","a\"b","https://as.example/scope"]}}"#
    );
    let tokens = refreshed(200, &body).await.expect("a success");
    assert_eq!(tokens.scopes, Some(vec!["read".to_owned(), "https://as.example/scope".to_owned()]));
    let many: Vec<String> = (0..2000).map(|n| format!("s{n}")).collect();
    let body = format!(r#"{{"access_token":"t","scope":"{}"}}"#, many.join(" "));
    assert_eq!(refreshed(200, &body).await.expect("a success").scopes.map(|scopes| scopes.len()), Some(500));
    let only = r#"{"access_token":"t","scope":"spent-token"}"#;
    assert_eq!(refreshed(200, only).await.expect("a success").scopes, None);
}

#[tokio::test]
async fn a_token_with_characters_that_tokens_cannot_have_is_refused() {
    // RFC 6749 appendices A.12 and A.17: VSCHAR, from U+0020 to U+007E.
    for bad in ["\\u001b[31m", "a\\nb", "a\\u0000b", "\\u007f", "\\u009b", "caf\\u00e9", "\\u202e", "\\ud83d\\udd11"] {
        for body in [
            format!(r#"{{"access_token":"{bad}","refresh_token":"fine"}}"#),
            format!(r#"{{"access_token":"fine","refresh_token":"a{bad}"}}"#),
        ] {
            let failure = refreshed(200, &body).await.expect_err("not a token");
            assert_eq!((failure.cause, failure.provider_message), (Cause::MalformedToken, None), "{body}");
        }
    }
    let with_length = |length: usize| format!(r#"{{"access_token":"{}"}}"#, "t".repeat(length));
    assert_eq!(refreshed(200, &with_length(32_769)).await.expect_err("long").cause, Cause::MalformedToken);
    assert!(refreshed(200, &with_length(32_768)).await.is_ok());
    let all: String = (' '..='~').filter(|c| !"\"\\".contains(*c)).collect();
    let tokens = refreshed(200, &format!(r#"{{"access_token":"{all}"}}"#)).await.expect("a token");
    assert_eq!(tokens.access.expose(), all);
}

#[test]
fn retry_after_is_read_in_both_forms() {
    let with = |value: &str| answer(429, &[("retry-after", value)], "{}").retry_after_secs(NOW);
    assert_eq!(with("120"), Some(120));
    assert_eq!(with("Tue, 14 Nov 2023 22:14:20 GMT"), Some(60));
    assert_eq!(with("soon"), None);
}

/// The answer to a code's exchange, or to a refresh, at a provider with these keys in `relink`.
fn read(relink: &Value, is_refresh: bool, body: &Value) -> Result<Tokens, Failure> {
    let document = serde_json::json!({"name": "acme", "config": {
        "label": "Acme",
        "base_url": "https://api.acme.example",
        "credentials": {"oauth2": {"config": {"auth": {"tokenHost": "https://auth.acme.example"}}}},
        "relink": relink,
    }});
    let definition = relink_domain::integration::parse(&document.to_string()).expect("a definition").definition;
    let endpoint = Endpoint {
        answer: definition.oauth2().expect("oauth2").answer.clone(),
        may_answer_at_top: is_refresh,
        ..endpoint()
    };
    let answer = answer(200, &[], &body.to_string());
    let known = KnownSecrets::default().and(&[Secret::new("the-clients-secret")]);
    let (received, _) = Received::take(&answer, &endpoint.url, known, NOW);
    let parsed: TokenAnswer = serde_json::from_value(body.clone()).expect("an object");
    endpoint.tokens::<oauth2::basic::BasicErrorResponse>(Ok(parsed), Some(received), NOW)
}

#[test]
fn a_token_and_its_scope_may_stand_deeper() {
    let relink = serde_json::json!({"token_path": "authed_user.access_token"});
    let both = serde_json::json!({
        "access_token": "bot", "refresh_token": "bots", "scope": "bot:write", "expires_in": 10,
        "authed_user": {"access_token": "user", "refresh_token": "users", "scope": "chat:write", "expires_in": 60},
    });
    let tokens = read(&relink, false, &both).expect("a success");
    assert_eq!((tokens.access.expose(), tokens.refresh.as_ref().map(Secret::expose)), ("user", Some("users")));
    assert_eq!(
        (tokens.scopes, tokens.lifetime.expires_at),
        (Some(vec!["chat:write".to_owned()]), Some(NOW.plus_secs(60)))
    );

    let without_refresh = serde_json::json!({"refresh_token": "bots", "authed_user": {"access_token": "user"}});
    let tokens = read(&relink, false, &without_refresh).expect("a success");
    assert!(tokens.refresh.is_none(), "the bot's isn't the user's");

    let at_top = serde_json::json!({"access_token": "user-2", "refresh_token": "users-2", "scope": "chat:write"});
    assert_eq!(read(&relink, true, &at_top).expect("a refresh").access.expose(), "user-2");
    let failure = read(&relink, false, &at_top).expect_err("an exchange has no user's token");
    assert_eq!(failure.cause, Cause::Garbled);

    let relink = serde_json::json!({"token_path": "accessToken", "scope_path": "granted.scopes"});
    let renamed = serde_json::json!({"accessToken": "t", "refresh_token": "r", "granted": {"scopes": ["a", "b"]}});
    let tokens = read(&relink, false, &renamed).expect("a success");
    assert_eq!((tokens.access.expose(), tokens.refresh.as_ref().map(Secret::expose)), ("t", Some("r")));
    assert_eq!(tokens.scopes, Some(vec!["a".to_owned(), "b".to_owned()]));
}

#[test]
fn values_of_an_answer_are_kept_unless_they_repeat_a_secret() {
    let keep = |path: &str| serde_json::json!({"from": "token", "path": path});
    let relink = serde_json::json!({"keep": {
        "instance_url": keep("instance_url"),
        "site": keep("team.id"),
        "missing": keep("team.name"),
        "object": keep("team"),
        "deep_token": keep("bot.access_token"),
        "clients": keep("note"),
    }});
    let body = serde_json::json!({
        "access_token": "t-access", "instance_url": "https://acme.my.salesforce.com", "team": {"id": 7},
        "bot": {"access_token": "bot-token"}, "note": "for the-clients-secret",
    });
    let tokens = read(&relink, false, &body).expect("a success");
    let expected = serde_json::json!({"instance_url": "https://acme.my.salesforce.com", "site": 7});
    assert_eq!(Value::Object(tokens.kept), expected);
}
