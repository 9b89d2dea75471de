//! Whatever a caller sends stays within the provider's API.

use http::HeaderMap;
use proptest::prelude::*;
use relink_domain::integration::resources::Verb;
use serde_json::{Map, json};
use url::Url;

use super::{
    encode::CallersBody,
    request::Run,
    tests::{BASE, TestAccount, definition},
};
use crate::account::Account;

fn value() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,12}", "(\\.\\.|/|\\\\|%2e|%2f|@|:|\r\n|\0|\\?|#|//evil|https:|\\{\\{api_key\\}\\}|a){0,6}",]
}

proptest! {
    /// Whatever a caller sends: no panic, no other origin, no way out of the API, no line that isn't Relink's, and no secret in
    /// the path.
    #[test]
    fn no_value_leads_out_of_the_api(id in value(), query in value(), name in value(), in_body in value(), method in 0..4usize) {
        let method = [
            json!({"path": "/a/{{id}}/b?x={{query.q ?: }}", "query": {"y": "{{query.q:str:undefined}}"}}),
            json!({"path": "/{{body.a ?: none}}-{{id}}", "headers": {"x-a": "{{body.a:str:undefined}}"}, "body_format": "form"}),
            json!({"path": "{{id}}", "method": "post", "body": {"a": "{{body.a}}", "k": "{{api_key}}"}, "body_format": "multipart"}),
            json!({"path": "/x.{{id}}.y/{{query.q|id}}", "method": "post", "body": {"r": {"v": "{{body.a:str:null}}"}}, "body_format": "xml"}),
        ][method].clone();
        let account = TestAccount::new(definition(BASE, &json!({})), "k-secret-1");
        let method = account.definition().method_of_call(&method).expect("a method");
        let mut parameters = Map::new();
        parameters.insert("q".to_owned(), query.into());
        parameters.insert(name.clone(), "1".into());
        let run = Run {
            method: &method,
            raw_path: None,
            id: Some(&id),
            query: parameters,
            body: CallersBody::Value(json!({"a": in_body})),
            is_later_page: false,
            headers: HeaderMap::new(),
        };
        let Ok((outline, base)) = run.outline(&account) else { return Ok(()) };
        let Ok((request, _)) = run.complete(&account, &outline, &base) else { return Ok(()) };
        let uri: Url = request.uri().to_string().parse().expect("a URL");
        prop_assert_eq!(uri.origin().ascii_serialization(), "https://api.acme.example");
        prop_assert!(uri.path().starts_with("/v1/") && !uri.path().contains("k-secret-1"), "{}", uri);
        let decoded = percent_encoding::percent_decode_str(uri.path()).decode_utf8_lossy().replace('\\', "/");
        prop_assert!(!decoded.split('/').any(|segment| segment == ".."), "{}", decoded);
        prop_assert!(!request.uri().to_string().contains(['\r', '\n']));
        for value in request.headers().values() {
            prop_assert!(!value.as_bytes().contains(&b'\r') && !value.as_bytes().contains(&b'\n'));
        }
        prop_assert_eq!(request.headers()["authorization"].to_str().ok(), Some("Bearer k-secret-1"));
    }

    /// The same for a path of the caller's own.
    #[test]
    fn no_path_leads_out_of_the_api(path in "(/|\\.\\.|%2e|%2f|@|:|%0d%0a|\\?|#|//evil|a){0,8}") {
        let account = TestAccount::new(definition(BASE, &json!({})), "k");
        let method = account.definition().method_at_path(Verb::Get);
        let run = Run {
            method: &method,
            raw_path: Some(&path),
            id: None,
            query: Map::new(),
            body: CallersBody::None,
            is_later_page: false,
            headers: HeaderMap::new(),
        };
        let (outline, base) = run.outline(&account).expect("an outline");
        let Ok((request, _)) = run.complete(&account, &outline, &base) else { return Ok(()) };
        let uri: Url = request.uri().to_string().parse().expect("a URL");
        prop_assert_eq!(uri.origin().ascii_serialization(), "https://api.acme.example");
        prop_assert!(uri.path().starts_with("/v1"), "{}", uri);
    }
}
