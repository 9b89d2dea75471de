//! Integrations without a base URL of their own.

use http::StatusCode;
use serde_json::json;

use super::{
    harness::{Provider, text},
    methods::World,
};
use crate::{BaseError, BuildError, MethodError, MethodTarget, TargetError};
use relink_domain::integration::resources::Verb;

fn named(method: &str) -> MethodTarget<'_> {
    MethodTarget::Named { resource: "contacts", method, id: None }
}

#[tokio::test]
async fn without_a_base_url_a_method_is_called_at_its_own() {
    let provider = Provider::start(|request, _| {
        let body = json!({"uri": request.uri.path()}).to_string();
        text(StatusCode::OK, &body, &[("content-type", "application/json"), ("location", "/v3/contacts/1")])
    })
    .await;
    let own = format!("{}/v3", provider.origin);
    let world = World::new(
        &provider,
        &json!({
            "base_url": null,
            "relink": {"allow_local": true},
            "resources": {"contacts": {"get": {"path": "/contacts", "base_url": own}, "list": {"path": "/contacts"}}},
        }),
    );
    let got = world.run(named("get"), "", "application/json", "").await.expect("an answer");
    assert_eq!(got.json(), json!({"uri": "/v3/contacts"}));
    assert_eq!(got.header("location"), Some("/v3/contacts/1"), "there is no place below Relink for it");
    let config = json!({"methodConfig": {"path": "/more", "base_url": own}}).to_string();
    let custom = MethodTarget::Custom { verb: Verb::Get, path: "/x" };
    let custom_with = world.run(custom, "", "application/json", &config).await.expect("an answer");
    assert_eq!(custom_with.json()["result"], json!({"uri": "/v3/more"}));
    for target in [named("list"), custom] {
        let refused = world.run(target, "", "application/json", "").await.expect_err("nowhere to call");
        assert!(matches!(refused, MethodError::Build(BuildError::Base(BaseError::Missing))), "{refused:?}");
        assert!(refused.to_string().contains("Add \"base_url\" to one of them"), "{refused}");
    }
    let refused = world.pass_through("/contacts").await;
    assert_eq!(refused, Err(TargetError::NoBase.to_string()));
    assert_eq!(provider.requests(), 2);
}
