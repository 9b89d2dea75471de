//! Requests whose credential an expression puts into their headers.

use http::StatusCode;
use relink_domain::integration::resources::Verb;
use serde_json::{Value, json};

use super::{
    harness::{Provider, text},
    methods::World,
};
use crate::{BuildError, CallError, MethodError, MethodTarget};

/// A provider that shows the headers of a request, and accepts only a signature with the second key.
async fn provider() -> Provider {
    Provider::start(|request, _| {
        let header = |name: &str| request.headers.get(name).map(|value| value.to_str().expect("text").to_owned());
        let signature = header("x-signature");
        let is_new = signature.as_ref().is_some_and(|text| text.ends_with("at-2"));
        let status = if is_new { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        let body = json!({"signature": signature, "authorization": header("authorization")});
        text(status, &body.to_string(), &[("content-type", "application/json")])
    })
    .await
}

fn by(expression: &str) -> Value {
    json!({"format": "header", "config": {"expression": expression}})
}

const fn named(method: &str) -> MethodTarget<'_> {
    MethodTarget::Named { resource: "contacts", method, id: None }
}

#[tokio::test]
async fn each_request_is_signed_as_it_is_sent_and_once_more_with_a_new_token() {
    let provider = provider().await;
    let create = json!({"path": "/a", "method": "post", "body": {"n": "{{body.n:any}}"}, "authorization": by("sign")});
    let world = World::new(&provider, &json!({"resources": {"contacts": {"create": create}}}));
    let answer = world.run(named("create"), "x=1", "application/json", r#"{"n": 7}"#).await.expect("an answer");
    let url = format!("{}/v1/a?tenant=eu&sig=at-2&x=1", provider.origin);
    let signature = format!(r#"POST {url} {{"n":7}} at-2"#);
    assert_eq!(answer.json(), json!({"signature": signature, "authorization": null}));
    assert_eq!((provider.requests(), world.reported()), (2, vec!["accepted".to_owned()]));
}

#[tokio::test]
async fn what_the_integration_signs_is_called_by_name_and_by_path_and_is_not_passed_through() {
    let provider = provider().await;
    let config = json!({
        "authorization": by("sign"),
        "relink": {"allow_local": true},
        "resources": {"contacts": {"get": {"path": "/a"}, "open": {"path": "/a", "no_auth": true}}},
    });
    let world = World::new(&provider, &config);
    for target in [named("get"), MethodTarget::Custom { verb: Verb::Get, path: "/a" }] {
        let body = world.run(target, "", "application/json", "").await.expect("an answer").json();
        let signature = body.get("result").unwrap_or(&body)["signature"].as_str().expect("a signature").to_owned();
        assert!(signature.starts_with("GET http://") && signature.ends_with(" none at-2"), "{signature}");
    }
    let open = world.run(named("open"), "", "application/json", "").await.expect("an answer");
    assert_eq!(open.json()["raw_response"], json!({"signature": null, "authorization": null}));
    assert_eq!(world.pass_through("/a").await, Err(CallError::<&str>::Signed.to_string()));
}

#[tokio::test]
async fn a_request_that_cant_be_signed_is_not_sent() {
    let provider = provider().await;
    let get = |expression: &str| json!({"path": "/a", "authorization": by(expression)});
    let methods = json!({"fails": get("fails"), "text": get("url")});
    let world = World::new(&provider, &json!({"resources": {"contacts": methods}}));
    let failed = world.run(named("fails"), "", "application/json", "").await.expect_err("no signature");
    assert!(matches!(&failed, MethodError::Build(BuildError::Expression(code)) if code == "T2001"), "{failed:?}");
    assert!(!failed.to_string().contains("it fails"), "JSONata's words may quote a secret: {failed}");
    let failed = world.run(named("text"), "", "application/json", "").await.expect_err("no headers");
    assert!(failed.to_string().contains("it gives no object of headers"), "{failed}");
    assert_eq!(provider.requests(), 0);
}
