//! Links that are for unified models (contract section 1).

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    answering_provider::{SignIn, name},
    echoing_api::Echo,
    unified_model::{Model, written},
    world::World,
};

#[tokio::test]
async fn a_link_for_a_model_offers_what_is_mapped_to_it_and_connects_nothing_else() {
    let it = Echo::new().await;
    let own = name(SignIn::OAuth, 0);
    let model = Model::new(&it.world).await;
    model.map(&own, "items", "list", json!({})).await;
    it.world.sandbox().await;
    for narrowed in [
        json!({"unified_model_id": model.id}),
        json!({"unified_model_id": "sales"}),
        json!({"environment_unified_model_id": model.installed}),
        json!({"environment_unified_model_id": [model.installed]}),
        json!({"unified_model_id": ["crm", "sales"], "environment_unified_model_id": ""}),
    ] {
        let names_crm = narrowed["unified_model_id"].is_array();
        let mut link = narrowed;
        link["tenant_id"] = "acme-9".into();
        let link = written(&it.world, Method::POST, "/link-token", link).await;
        let url = format!("{}/connect-account/session", it.world.base());
        let token = link["link_token"].as_str().expect("a token");
        let answer = it.world.client.get(url).header("x-relink-link-token", token).send().await.expect("an answer");
        let session: Value = answer.json().await.expect("JSON");
        let names: Vec<_> =
            session["integrations"].as_array().expect("a list").iter().map(|it| it["name"].clone()).collect();
        // These are mapped to crm.
        let of_crm = ["hubspot", "salesforce", "sandbox"].into_iter().filter(|_| names_crm);
        let expected: Vec<Value> = [own.as_str()].into_iter().chain(of_crm).map(Value::from).collect();
        assert_eq!(names, expected, "{session}");
    }
    let (status, _) =
        it.world.ask(Method::POST, "/link-token", json!({"tenant_id": "x", "unified_model_id": "hris"})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_link_for_a_model_asks_for_the_scopes_that_the_model_needs() {
    let world = World::new().await;
    world.sandbox().await;
    let crm = world.get("/unified-model?name=crm").await["result"][0]["scopes"]["sandbox"].clone();
    let needed: Vec<_> = crm.as_array().expect("a list").iter().map(|scope| scope.as_str().expect("a text")).collect();
    for (link, expected) in [
        (json!({"unified_model_id": "crm"}), needed.join(" ")),
        (json!({"unified_model_id": "crm", "scopes": ["profile"]}), "profile".to_owned()),
    ] {
        let mut link = link;
        link["tenant_id"] = "acme-9".into();
        let link = world.post("/link-token", link).await;
        let begun = world.begin(&link, json!({"integration": "sandbox", "format": "oauth2"})).await;
        let url = url::Url::parse(begun["authorize_url"].as_str().expect("a URL")).expect("a URL");
        let scope = url.query_pairs().find(|(name, _)| name == "scope").map(|(_, value)| value.into_owned());
        assert_eq!(scope, Some(expected));
    }
}
