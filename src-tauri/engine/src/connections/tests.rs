use std::collections::BTreeMap;

use relink_domain::{
    Secret,
    account::AuthenticationMethod,
    callback,
    link::{LinkOptions, Purpose},
};
use url::Url;

use super::{
    flow::{ENDED_FLOW_LIFETIME_SECS, MAX_FLOWS},
    *,
};
use crate::testing::{PERSON, TestEngine};

/// An engine with the Sandbox installed, and a link. Nothing answers at the Sandbox's address.
async fn with_link() -> (TestEngine, Secret) {
    let it = TestEngine::start().await;
    it.engine.set_api_port(7417);
    it.engine.catalog().install(&PERSON, "sandbox").await.expect("installed");
    let purpose = Purpose::Connect { tenant_id: "acme-1".into() };
    let link = it.engine.connections().create_link(&PERSON, purpose, LinkOptions::default()).await.expect("a link");
    (it, link.token)
}

async fn begin(it: &TestEngine, link: &Secret) -> BegunFlow {
    let begin = BeginFlow {
        integration: "sandbox".into(),
        format: AuthenticationMethod::Oauth2,
        redirect: None,
        fields: BTreeMap::new(),
    };
    it.engine.connections().begin_flow(&PERSON, link.expose(), begin).await.expect("it begins")
}

/// What the provider sends the browser back with.
fn callback_of(begun: &BegunFlow) -> String {
    let url = Url::parse(begun.flow.authorize_url.as_deref().expect("a provider URL")).expect("a URL");
    let state = url.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
    format!("{}?code=c&state={state}", callback::deep_link_uri("sandbox"))
}

#[tokio::test]
async fn an_abandoned_flow_accepts_neither_a_callback_nor_a_claim() {
    for has_returned in [false, true] {
        let (it, link) = with_link().await;
        let connections = it.engine.connections();
        let begun = begin(&it, &link).await;
        let (id, key) = (begun.flow.id, begun.key.expose());
        if has_returned {
            connections.callback(&PERSON, &callback_of(&begun)).await.expect("taken");
        }
        // As a request does that is under way when the flow is abandoned.
        let flow = connections.flow_of(id, key).expect("there");
        connections.abandon_flow(&PERSON, id, key).expect("abandoned");
        connections.claim(&flow);
        assert!(matches!(&*lock(&flow.phase), Phase::Failed(_)), "{:?}", flow.phase);
        assert_eq!(connections.flow_of(id, key).expect_err("gone").code(), "not_found");
        let late = connections.callback(&PERSON, &callback_of(&begun)).await.expect_err("too late");
        assert_eq!(late.code(), "state_unknown");
    }
}

#[tokio::test]
async fn the_oldest_flow_ends_when_there_are_too_many() {
    let (it, link) = with_link().await;
    let connections = it.engine.connections();
    let mut begun = Vec::new();
    for _ in 0..=MAX_FLOWS {
        begun.push(begin(&it, &link).await);
    }
    let is_there = |begun: &BegunFlow| connections.flow_of(begun.flow.id, begun.key.expose()).is_ok();
    assert!(!is_there(&begun[0]) && begun[1..].iter().all(is_there));
    let late = connections.callback(&PERSON, &callback_of(&begun[0])).await.expect_err("its state went with it");
    assert_eq!(late.code(), "state_unknown");

    it.clock.advance_secs(ENDED_FLOW_LIFETIME_SECS + 1);
    let latest = begin(&it, &link).await;
    assert!(is_there(&latest) && !begun.iter().any(is_there), "old ones are not kept");
}
