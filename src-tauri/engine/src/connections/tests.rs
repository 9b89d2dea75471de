use std::collections::BTreeMap;

use relink_contract::connect::FlowPhase;
use relink_domain::{
    Secret,
    account::{AuthenticationMethod, TimelineEvent},
    callback,
    link::{LinkOptions, Purpose},
};
use url::Url;

use super::{
    flow::{ENDED_FLOW_LIFETIME_SECS, MAX_FLOWS},
    *,
};
use crate::{
    store::timeline,
    testing::{NOWHERE, PERSON, Services},
};

/// Connections that were built alone, with the Sandbox installed, and a link. Nothing answers at the Sandbox's address.
struct Alone {
    services: Services,
    connections: Connections,
    link: Secret,
}

impl Alone {
    async fn new() -> Self {
        Self::with(true).await
    }

    async fn with(takes_deep_links: bool) -> Self {
        let services = Services::new();
        services.install_sandbox(NOWHERE).await;
        let connections = Connections::new(Dependencies {
            store: services.store.clone(),
            keychain: services.keychain.clone(),
            clock: services.clock.clone(),
            outbound: Services::outbound(),
            tasks: services.tasks.clone(),
            providers: services.providers.clone(),
            accounts: services.accounts(),
            orphans: services.orphans.clone(),
            unfinished: services.unfinished.clone(),
            tokens: services.tokens.clone(),
            address: services.address.clone(),
            takes_deep_links,
        });
        let purpose = Purpose::Connect { tenant_id: "acme-1".into() };
        let link = connections.create_link(&PERSON, purpose, LinkOptions::default()).await.expect("a link").token;
        Self { services, connections, link }
    }

    async fn begin(&self) -> BegunFlow {
        let begin = BeginFlow {
            integration: "sandbox".into(),
            format: AuthenticationMethod::Oauth2,
            redirect: None,
            fields: BTreeMap::new(),
        };
        self.connections.begin_flow(&PERSON, self.link.expose(), begin).await.expect("it begins")
    }
}

/// What the provider sends the browser back with.
fn callback_of(begun: &BegunFlow) -> String {
    let url = Url::parse(begun.flow.authorize_url.as_deref().expect("a provider URL")).expect("a URL");
    let state = url.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
    callback_with(&state)
}

fn callback_with(state: &str) -> String {
    format!("{}?code=c&state={state}", callback::deep_link_uri("sandbox"))
}

#[tokio::test]
async fn a_callback_with_a_foreign_state_is_refused_and_changes_nothing() {
    let it = Alone::new().await;
    let begun = it.begin().await;
    let refused = it.connections.callback(&PERSON, &callback_with("foreign")).await.expect_err("foreign");
    assert_eq!(refused.code(), "state_unknown");
    let entries = it.services.store.read(|c| timeline::list(c, None, None, None)).await.expect("a timeline");
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    let event = &entry.event;
    assert!(matches!(event, TimelineEvent::CallbackRefused { code, .. } if code == "state_unknown"), "{event:?}");

    let (id, key) = (begun.flow.id, begun.key.expose());
    let phase = async || it.connections.flow(&PERSON, id, key, None, Duration::ZERO).await.expect("there").phase;
    assert_eq!(phase().await, FlowPhase::Waiting);
    assert_eq!(it.connections.callback(&PERSON, &callback_of(&begun)).await.expect("its own"), id);
    assert_eq!(phase().await, FlowPhase::Returned);
    let again = it.connections.callback(&PERSON, &callback_of(&begun)).await.expect_err("used");
    assert_eq!(again.code(), "state_used");
}

#[tokio::test]
async fn an_abandoned_flow_accepts_neither_a_callback_nor_a_claim() {
    for has_returned in [false, true] {
        let it = Alone::new().await;
        let connections = &it.connections;
        let begun = it.begin().await;
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
    let it = Alone::new().await;
    let connections = &it.connections;
    let mut begun = Vec::new();
    for _ in 0..=MAX_FLOWS {
        begun.push(it.begin().await);
    }
    let is_there = |begun: &BegunFlow| connections.flow_of(begun.flow.id, begun.key.expose()).is_ok();
    assert!(!is_there(&begun[0]) && begun[1..].iter().all(is_there));
    let late = connections.callback(&PERSON, &callback_of(&begun[0])).await.expect_err("its state went with it");
    assert_eq!(late.code(), "state_unknown");

    it.services.clock.advance_secs(ENDED_FLOW_LIFETIME_SECS + 1);
    let latest = it.begin().await;
    assert!(is_there(&latest) && !begun.iter().any(is_there), "old ones are not kept");
}

#[tokio::test]
async fn while_another_program_has_the_port_no_sign_in_returns_there() {
    use relink_domain::integration::RedirectKind::{DeepLink, Loopback};
    for (takes_deep_links, wanted, is_taken, used) in [
        (true, None, false, Some(DeepLink)),
        (true, Some(Loopback), false, Some(Loopback)),
        (false, None, false, Some(Loopback)),
        (true, None, true, Some(DeepLink)),
        (true, Some(Loopback), true, None),
        (false, None, true, None),
        (false, Some(Loopback), true, None),
    ] {
        let it = Alone::with(takes_deep_links).await;
        if is_taken {
            it.services.address.set_taken_port(7417);
        }
        let outcome = it.connections.redirect_for(&[Loopback, DeepLink], wanted, "Acme");
        let used = used.ok_or("port_taken");
        assert_eq!(outcome.as_ref().copied().map_err(Error::code), used, "{takes_deep_links} {wanted:?} {is_taken}");
        assert!(!it.connections.redirects().contains(&Loopback) || !is_taken);
    }
}
