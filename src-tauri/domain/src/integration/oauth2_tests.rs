use serde_json::{Map, Value, json};

use super::*;
use crate::integration::{CredentialsEncoding, Definition, DefinitionError, parse};

/// A definition with these keys in the config of its credentials, and these in `relink`.
fn document(config: &Value, relink: &Value) -> Value {
    let mut credentials = json!({"auth": {"tokenHost": "https://auth.acme.example"}});
    crate::merge::merge(credentials.as_object_mut().expect("an object"), config.as_object().expect("an object"));
    json!({"name": "acme", "config": {
        "label": "Acme",
        "base_url": "https://api.acme.example",
        "credentials": {"oauth2": {"config": credentials}},
        "relink": relink,
    }})
}

fn checked(config: &Value, relink: &Value) -> Result<OAuth2, DefinitionError> {
    parse(&document(config, relink).to_string()).map(|parsed| parsed.definition.oauth2().expect("oauth2").clone())
}

fn text(address: &Address) -> String {
    address.as_fixed().expect("fixed").to_string()
}

#[test]
fn what_is_left_out_has_the_default_of_simple_oauth2() {
    let oauth2 = checked(&json!({}), &json!({})).expect("accepted");
    let urls = [&oauth2.authorize_url, &oauth2.token_url, &oauth2.refresh_url]
        .map(|it| it.as_fixed().expect("fixed").as_str());
    let expected =
        ["/oauth/authorize", "/oauth/token", "/oauth/token"].map(|path| format!("https://auth.acme.example{path}"));
    assert_eq!(urls, expected.each_ref().map(String::as_str));
    assert_eq!(oauth2.options, ClientOptions::default());
    assert_eq!((oauth2.pkce, oauth2.code_param.as_str()), (Pkce::S256, "code"));
    let options = &oauth2.options;
    assert_eq!((options.id_param.as_str(), options.secret_param.as_str()), ("client_id", "client_secret"));
    assert_eq!((options.encoding, options.scope_separator.as_str()), (CredentialsEncoding::Strict, " "));
    assert_eq!(oauth2.revocation_url, None, "a token is sent to no guessed path");
}

#[test]
fn a_refresh_and_a_revocation_may_be_elsewhere() {
    let refresh = |config: Value, relink: Value| checked(&config, &relink).map(|it| text(&it.refresh_url));
    let path = json!({"auth": {"refreshPath": "/refresh"}});
    let url = json!({"refresh_url": "https://api.acme.example/v1/refresh"});
    assert_eq!(refresh(path.clone(), json!({})).as_deref(), Ok("https://auth.acme.example/refresh"));
    assert_eq!(refresh(json!({}), url.clone()).as_deref(), Ok("https://api.acme.example/v1/refresh"));
    assert!(refresh(path, url).is_err(), "one of both");
    let revoke =
        |config: Value, relink: Value| checked(&config, &relink).map(|it| it.revocation_url.map(|url| text(&url)));
    let path = json!({"auth": {"revokePath": "/revoke"}});
    assert_eq!(revoke(path.clone(), json!({})), Ok(Some("https://auth.acme.example/revoke".to_owned())));
    assert!(revoke(path, json!({"revocation_path": "/other"})).is_err(), "one of both");
}

#[test]
fn parameters_are_merged_with_their_old_name() {
    let config = json!({"params": {"prompt": "consent", "audience": "api"}});
    let oauth2 = checked(&config, &json!({"authorize_params": {"prompt": "login", "access_type": "offline"}}));
    let (nothing, fields) = (Map::new(), std::collections::BTreeMap::new());
    let params = oauth2.expect("accepted").authorize_params;
    let params = params.fill(&crate::template::Scope::new(&nothing, &fields, None)).expect("filled");
    let named = |name: &str| {
        params.iter().filter(|(other, _)| other == name).map(|(_, value)| value.expose()).collect::<Vec<_>>()
    };
    assert_eq!([named("prompt"), named("audience"), named("access_type")], [["consent"], ["api"], ["offline"]]);
}

#[test]
fn a_lifetime_is_read_under_both_names() {
    let lifetime = |config: Value, relink: Value| checked(&config, &relink).map(|it| it.default_expires_in);
    for value in [json!("3600"), json!(" 3600 "), json!(3600)] {
        assert_eq!(lifetime(json!({"tokenExpiryDuration": value}), json!({})), Ok(Some(3600)), "{value}");
    }
    assert_eq!(lifetime(json!({}), json!({"refresh": {"default_expires_in": 60}})), Ok(Some(60)));
    let both = document(&json!({"tokenExpiryDuration": "3600"}), &json!({"refresh": {"default_expires_in": 60}}));
    assert!(parse(&both.to_string()).is_err());
    let loaded = Definition::load(&both, &Map::new()).expect("loaded");
    assert_eq!(loaded.oauth2().and_then(|it| it.default_expires_in), Some(3600));
    for value in [json!("an hour"), json!("-1"), json!("1.5"), json!(true)] {
        assert!(lifetime(json!({"tokenExpiryDuration": value}), json!({})).is_err(), "{value}");
    }
}

#[test]
fn what_could_weaken_or_garble_a_request_is_refused() {
    for (config, relink, path) in [
        (json!({"pkce": {"method": "plain"}}), json!({}), "pkce.method"),
        (json!({"pkce": {"method": "none"}}), json!({"client_secret": "never"}), "pkce.method"),
        (json!({"params": {"response_mode": "form_post"}}), json!({}), "params.response_mode"),
        (json!({"params": {"response_type": "token"}}), json!({}), "params.response_type"),
        (json!({"tokenParams": {"grant_type": "password"}}), json!({}), "tokenParams.grant_type"),
        (json!({"refreshParams": {"refresh_token": "x"}}), json!({}), "refreshParams.refresh_token"),
        (json!({"tokenParams": {"nested": {}}}), json!({}), "tokenParams.nested"),
        (json!({"client": {"idParamName": "client id"}}), json!({}), "client.idParamName"),
        (json!({"client": {"idParamName": "state"}}), json!({}), "client.idParamName"),
        (json!({"client": {"secretParamName": "code_verifier"}}), json!({}), "client.secretParamName"),
        (json!({"client": {"idParamName": "app"}, "params": {"app": "x"}}), json!({}), "config"),
        (json!({"client": {"idParamName": "app"}, "refreshParams": {"app": "x"}}), json!({}), "config"),
        (json!({"options": {"credentialsEncodingMode": "lax"}}), json!({}), "options.credentialsEncodingMode"),
        (json!({"options": {"scopeSeparator": "and"}}), json!({}), "options.scopeSeparator"),
        (json!({}), json!({"callback_code_param": "state"}), "relink.callback_code_param"),
        (json!({}), json!({"refresh_url": "http://auth.acme.example/refresh"}), "relink.refresh_url"),
    ] {
        let error = checked(&config, &relink).expect_err(path);
        assert!(error.path.ends_with(path), "{config} {relink}: {error}");
    }
    let unprotected = document(&json!({"pkce": {"method": "plain"}}), &json!({}));
    assert!(Definition::load(&unprotected, &Map::new()).is_err(), "nor is a stored one used");
}

#[test]
fn a_client_may_have_an_empty_secret() {
    let oauth2 = checked(&json!({}), &json!({"client_secret": "empty"})).expect("accepted");
    assert_eq!((oauth2.client_secret.is_stored(), oauth2.client_auth(true)), (false, ClientAuth::Basic));
}
