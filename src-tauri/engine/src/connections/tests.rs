use std::collections::BTreeMap;

use relink_contract::connect::FlowPhase;
use relink_domain::{
    Secret,
    account::{AuthenticationMethod, TimelineEvent},
    callback,
    caller::Caller,
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
        let connections = services.connections(&services.accounts(), takes_deep_links);
        let purpose = Purpose::Connect { tenant_id: "acme-1".into() };
        let link = connections.create_link(&PERSON, purpose, LinkOptions::default()).await.expect("a link").token;
        Self { services, connections, link }
    }

    async fn begin(&self) -> BegunFlow {
        self.begin_as(&PERSON, &self.link).await
    }

    /// Begins as the page does that has this token.
    async fn begin_on_page(&self, token: &Secret) -> BegunFlow {
        let caller = self.connections.link_caller(token.expose()).await.expect("it can be used");
        self.begin_as(&caller, token).await
    }

    async fn begin_as(&self, caller: &Caller, token: &Secret) -> BegunFlow {
        let begin = BeginFlow {
            integration: "sandbox".into(),
            format: AuthenticationMethod::Oauth2,
            redirect: None,
            fields: BTreeMap::new(),
            skips_form: true,
        };
        self.connections.begin_flow(caller, token.expose(), begin).await.expect("it begins")
    }

    /// The page token that a new nonce is exchanged for.
    async fn open(&self, opened_in: OpenedIn) -> Secret {
        let nonce = self.nonce(opened_in).await;
        self.connections.exchange_nonce(nonce.expose()).expect("it works once")
    }

    async fn nonce(&self, opened_in: OpenedIn) -> Secret {
        self.connections.prepare_opening(&PERSON, self.link.expose(), opened_in).await.expect("a nonce")
    }
}

/// What the provider sends the browser back with.
fn callback_of(begun: &BegunFlow) -> String {
    let url = Url::parse(begun.flow.authorize_url.as_deref().expect("a provider URL")).expect("a URL");
    let state = url.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
    callback_with(&state)
}

fn callback_with(state: &str) -> String {
    format!("{}?code=c&state={state}&iss={NOWHERE}", callback::deep_link_uri("sandbox"))
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
    assert_eq!(it.connections.callback(&PERSON, &callback_of(&begun)).await.expect("its own").flow, id);
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

#[tokio::test]
async fn a_nonce_opens_a_link_once_within_a_minute() {
    let it = Alone::new().await;
    let exchange = |nonce: &Secret| it.connections.exchange_nonce(nonce.expose());
    let (used, late, unknown) =
        (it.nonce(OpenedIn::Browser).await, it.nonce(OpenedIn::Browser).await, Secret::new("x"));
    let page = exchange(&used).expect("it works once");
    assert_eq!(exchange(&unknown).expect_err("unknown").code(), "opening_expired");
    // The token of a page can't be a nonce, nor a nonce a token.
    assert_eq!(exchange(&page).expect_err("unknown").code(), "opening_expired");
    let refused = it.connections.link_caller(late.expose()).await.expect_err("unknown");
    assert_eq!(refused.code(), "link_token_unknown");
    it.connections.link_session(&PERSON, page.expose()).await.expect("it stands for the link token");

    it.services.clock.advance_secs(60);
    assert_eq!(exchange(&late).expect_err("late").code(), "opening_expired");
    it.connections.link_session(&PERSON, page.expose()).await.expect("the page lives on");
}

#[tokio::test]
async fn a_second_use_of_a_nonce_ends_what_the_first_page_began() {
    let it = Alone::new().await;
    let nonce = it.nonce(OpenedIn::Browser).await;
    let page = it.connections.exchange_nonce(nonce.expose()).expect("it works once");
    let (waiting, returned) = (it.begin_on_page(&page).await, it.begin_on_page(&page).await);
    let other = it.begin_on_page(&it.open(OpenedIn::Browser).await).await;
    it.connections.callback(&PERSON, &callback_of(&returned)).await.expect("taken");
    // Also long after the nonce could be used.
    it.services.clock.advance_secs(59 * 10);
    let again = it.connections.exchange_nonce(nonce.expose()).expect_err("used");
    assert_eq!(again.code(), "opening_used");
    let refused = it.connections.link_caller(page.expose()).await.expect_err("unknown");
    assert_eq!(refused.code(), "link_token_unknown");
    for begun in [waiting, returned] {
        let (id, key) = (begun.flow.id, begun.key.expose());
        let flow = it.connections.flow(&PERSON, id, key, None, Duration::ZERO).await.expect("there");
        assert_eq!(flow.error.expect("ended").code, "opening_used");
        it.connections.callback(&PERSON, &callback_of(&begun)).await.expect_err("ended");
    }
    let (id, key) = (other.flow.id, other.key.expose());
    let flow = it.connections.flow(&PERSON, id, key, None, Duration::ZERO).await.expect("there");
    assert_eq!(flow.phase, FlowPhase::Waiting, "another page of the link goes on");
}

#[tokio::test]
async fn only_a_flow_that_the_app_began_is_claimed_without_the_key_of_its_return() {
    let it = Alone::new().await;
    let window = it.begin_on_page(&it.open(OpenedIn::Window).await).await;
    for begun in [it.begin().await, window] {
        let taken = it.connections.callback(&PERSON, &callback_of(&begun)).await.expect("taken");
        assert!(taken.return_key.is_none() && !begun.flow.needs_return_key);
        let claimed =
            it.connections.claim_flow(&PERSON, begun.flow.id, begun.key.expose(), None).await.expect("claimed");
        assert_eq!(claimed.phase, FlowPhase::Working);
    }

    let browser = it.begin_on_page(&it.open(OpenedIn::Browser).await).await;
    for begun in [browser, it.begin_on_page(&it.link).await] {
        let (id, key) = (begun.flow.id, begun.key.expose());
        assert!(begun.flow.needs_return_key);
        let taken = it.connections.callback(&PERSON, &callback_of(&begun)).await.expect("taken");
        let return_key = taken.return_key.expect("a key");
        for wrong in [None, Some("wrong"), Some(key)] {
            let refused = it.connections.claim_flow(&PERSON, id, key, wrong).await.expect_err("refused");
            assert_eq!(refused.code(), "sign_in_returned_elsewhere", "{wrong:?}");
        }
        // The return alone isn't enough, either.
        it.connections
            .claim_flow(&PERSON, id, return_key.expose(), Some(return_key.expose()))
            .await
            .expect_err("unknown");
        let claimed = it.connections.claim_flow(&PERSON, id, key, Some(return_key.expose())).await.expect("claimed");
        assert_eq!(claimed.phase, FlowPhase::Working);
        it.connections.confirm_return(&PERSON, id, return_key.expose()).await.expect_err("it is under way");
    }
}

#[tokio::test]
async fn a_pasted_callback_needs_no_other_page() {
    let it = Alone::new().await;
    let begun = it.begin_on_page(&it.link).await;
    let (id, key) = (begun.flow.id, begun.key.expose());
    let pasted = it.connections.paste_callback(&PERSON, id, key, &callback_of(&begun)).await.expect("taken");
    assert_eq!(pasted.phase, FlowPhase::Working);
}
