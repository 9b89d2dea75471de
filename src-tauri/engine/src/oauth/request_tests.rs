use relink_domain::{
    Secret,
    destination::Consent,
    failure::ProviderErrorCodes,
    integration::{AnswerPaths, parse},
    provider_text::KnownSecrets,
    template::Scope,
};
use serde_json::{Map, Value, json};

use super::*;
use crate::oauth::authorize;

/// A definition with these keys merged into the config of its credentials.
fn acme(config: &Value, client_secret: &str) -> OAuth2 {
    let mut credentials = json!({
        "client": {"id": "a+bc%"},
        "auth": {"tokenHost": "https://auth.acme.example", "tokenPath": "/token", "authorizePath": "/authorize?v=1"},
        "scope": ["read", "write"],
    });
    let over = config.as_object().expect("an object").clone();
    credentials.as_object_mut().expect("an object").extend(over);
    let document = json!({"name": "acme", "config": {
        "label": "Acme",
        "base_url": "https://api.acme.example",
        "credentials": {"format": "oauth2", "config": credentials},
        "relink": {"client_secret": client_secret},
    }});
    parse(&document.to_string()).expect("a definition").definition.oauth2().expect("oauth2").clone()
}

fn filled(params: &relink_domain::integration::Params) -> Params {
    let (context, fields) = (Map::new(), std::collections::BTreeMap::new());
    params.fill(&Scope::new(&context, &fields, None)).expect("filled")
}

fn endpoint(oauth2: &OAuth2, secret: Option<&str>) -> Endpoint {
    Endpoint {
        url: oauth2.token_url.as_fixed().expect("fixed").as_url().clone(),
        client_id: "a+bc%".to_owned(),
        client_secret: secret.map(Secret::new),
        authentication: oauth2.client_auth(secret.is_some()),
        options: oauth2.options.clone(),
        params: filled(&oauth2.token_params),
        consent: Consent::Public,
        own_codes: ProviderErrorCodes::default(),
        error_code_path: None,
        answer: AnswerPaths::default(),
        may_answer_at_top: false,
        default_expires_in: None,
        is_refreshed_daily: true,
        known: KnownSecrets::default(),
    }
}

/// The `Authorization` header, the content type and the body of a code's exchange.
fn exchange(config: &Value, need: &str, secret: Option<&str>) -> (Option<String>, String, String) {
    let endpoint = endpoint(&acme(config, need), secret);
    let body = b"grant_type=authorization_code&code=c&client_id=a%2Bbc%25".to_vec();
    let request = endpoint.in_its_format(&http::Request::new(body)).expect("a request");
    let header = |name| request.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
    let body = request.body().and_then(reqwest::Body::as_bytes).expect("a body");
    let body = String::from_utf8(body.to_vec()).expect("text");
    (header("authorization"), header("content-type").expect("a type"), body)
}

fn basic_of(pair: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(pair))
}

#[test]
fn the_client_authenticates_as_the_definition_says() {
    let grant = "grant_type=authorization_code&code=c";
    let in_body = format!("{grant}&client_id=a%2Bbc%25&client_secret=s%2F%3A");
    let public = format!("{grant}&client_id=a%2Bbc%25");
    let form = |auth: &str| json!({"options": {"authorizationMethod": auth}});
    for (config, need, secret, header, body) in [
        (json!({}), "optional", Some("s/:"), Some(basic_of("a%2Bbc%25:s%2F%3A")), grant),
        (form("header"), "required", Some("s/:"), Some(basic_of("a%2Bbc%25:s%2F%3A")), grant),
        (
            json!({"options": {"credentialsEncodingMode": "strict"}}),
            "required",
            Some("s/:"),
            Some(basic_of("a%2Bbc%25:s%2F%3A")),
            grant,
        ),
        (
            json!({"options": {"credentialsEncodingMode": "loose"}}),
            "required",
            Some("s/:"),
            Some(basic_of("a+bc%:s/:")),
            grant,
        ),
        (json!({}), "empty", Some(""), Some(basic_of("a%2Bbc%25:")), grant),
        (json!({}), "optional", None, None, &public),
        (json!({}), "never", None, None, &public),
        (form("body"), "required", Some("s/:"), None, &in_body),
        (form("body"), "empty", Some(""), None, &format!("{public}&client_secret=")),
    ] {
        let expected = (header, "application/x-www-form-urlencoded".to_owned(), body.to_owned());
        assert_eq!(exchange(&config, need, secret), expected, "{config} {need}");
    }
}

#[test]
fn the_parameters_have_the_definitions_names_values_and_format() {
    let config = json!({
        "client": {"id": "a+bc%", "idParamName": "client_key", "secretParamName": "app_secret"},
        "options": {"authorizationMethod": "body", "bodyFormat": "json"},
        "tokenParams": {"audience": "api", "version": 2, "scope": "all"},
    });
    let (header, content_type, body) = exchange(&config, "required", Some("s"));
    assert_eq!((header, content_type.as_str()), (None, "application/json"));
    assert_eq!(
        serde_json::from_str::<Value>(&body).expect("JSON"),
        json!({
            "grant_type": "authorization_code", "code": "c", "client_key": "a+bc%", "app_secret": "s",
            "audience": "api", "version": "2", "scope": "all",
        })
    );
}

#[test]
fn an_authorization_request_has_the_definitions_parameters() {
    let query = |config: &Value| {
        let oauth2 = acme(config, "required");
        let (url, params) = (oauth2.authorize_url.as_fixed().expect("fixed"), filled(&oauth2.authorize_params));
        let asked = authorize(&oauth2, url, &params, "app.relink.desktop:/oauth/callback/acme", &oauth2.scopes)
            .expect("a request");
        let params: std::collections::BTreeMap<String, String> = asked.url.query_pairs().into_owned().collect();
        (params, asked.verifier.is_some())
    };
    let (usual, has_verifier) = query(&json!({}));
    let names: Vec<_> = usual.keys().map(String::as_str).collect();
    let all = [
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
        "v",
    ];
    assert_eq!((names.as_slice(), has_verifier), (&all[..], true));
    assert_eq!((usual["scope"].as_str(), usual["client_id"].as_str()), ("read write", "a+bc%"));

    let (special, has_verifier) = query(&json!({
        "client": {"id": "a+bc%", "idParamName": "client_key"},
        "pkce": {"method": "none"},
        "params": {"response_type": null, "response_mode": "query", "prompt": "consent"},
        "options": {"scopeSeparator": ","},
    }));
    let names: Vec<_> = special.keys().map(String::as_str).collect();
    let all = ["client_key", "prompt", "redirect_uri", "response_mode", "scope", "state", "v"];
    assert_eq!((names.as_slice(), has_verifier), (&all[..], false));
    assert_eq!((special["scope"].as_str(), special["client_key"].as_str()), ("read,write", "a+bc%"));
}

#[test]
fn the_scopes_of_a_slack_user_have_a_parameter_of_their_own() {
    let oauth2 = relink_domain::integration::built_in("slack").and_then(|slack| slack.oauth2()).expect("OAuth 2.0");
    let url = oauth2.authorize_url.as_fixed().expect("fixed");
    let asked = authorize(oauth2, url, &Vec::new(), "app.relink.desktop:/oauth/callback/slack", &oauth2.scopes);
    let url = asked.expect("a request").url;
    let query = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    assert_eq!(query("user_scope").as_deref(), Some("channels:read,channels:history,users:read,chat:write"));
    assert_eq!(query("scope"), None);
}
