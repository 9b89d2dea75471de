//! Attacks on the OAuth callback: no token request, no change, one line in the timeline.

use relink_contract::connect::FlowPhase;
use relink_domain::{AccountId, account::Account};
use relink_engine::{
    Error,
    keychain::{Key, Keychain, KeychainError},
};

use crate::world::{Flow, PERSON, World};

/// An account whose reauthorization waits for its callback, and the state at that moment.
struct Waiting<'w> {
    flow: Flow<'w>,
    /// The URL that the provider redirects the browser to.
    callback: String,
    account: Account,
    requests: usize,
    refusals: usize,
}

impl<'w> Waiting<'w> {
    async fn of(world: &'w World) -> Self {
        // The token outlives the flow, so that the account changes for no other reason.
        world.token_lifetime(86_400).await;
        let id = world.connected().await;
        let link = world.reauthorize_link(id).await;
        let flow = world.begin(&link).await;
        let callback = flow.sign_in("ada").await;
        let account = world.account(id).await;
        let (requests, refusals) = (world.token_requests().await, refusals(world).await);
        Self { flow, callback, account, requests, refusals }
    }

    fn id(&self) -> AccountId {
        self.account.id()
    }

    /// Asserts that the callback was refused with this code, and left nothing but one line in the timeline.
    async fn assert_refused<T: std::fmt::Debug>(&self, refused: Result<T, Error>, code: &str) {
        let world = self.flow.world;
        assert_eq!(refused.expect_err("refused").code(), code);
        assert_eq!(world.token_requests().await, self.requests, "a token was requested");
        assert_eq!(world.account(self.id()).await, self.account);
        assert_eq!(refusals(world).await, self.refusals + 1, "one line");
    }

    /// Asserts that the state was not consumed: the real callback still completes the flow.
    async fn completes(mut self) {
        self.flow.receive_callback(&self.callback).await;
        assert_eq!(self.flow.succeeds().await, self.id());
    }
}

/// The number of timeline lines, of any account or none, that report a refused callback.
async fn refusals(world: &World) -> usize {
    let entries = world.engine.accounts().timeline(&PERSON, None, None, 100).await.expect("a timeline");
    entries.iter().filter(|entry| entry.event.describe("Sandbox").0 == "Sign-in callback refused").count()
}

/// The URL with the value of one parameter replaced.
fn with(callback: &str, name: &str, value: &str) -> String {
    let mut url = url::Url::parse(callback).expect("an address");
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    assert!(pairs.iter().any(|(found, _)| found == name), "{name} is there to be replaced");
    let replaced = |(found, old): (String, String)| {
        let new = if found == name { value.to_owned() } else { old };
        (found, new)
    };
    url.query_pairs_mut().clear().extend_pairs(pairs.into_iter().map(replaced));
    url.into()
}

#[tokio::test]
async fn an_unsolicited_callback_changes_nothing_and_is_logged_once() {
    let world = World::new().await;
    let waiting = Waiting::of(&world).await;
    let invented = with(&waiting.callback, "state", "invented");
    waiting.assert_refused(world.engine.connections().callback(&PERSON, &invented).await, "state_unknown").await;
    waiting.completes().await;
}

#[tokio::test]
async fn a_contradictory_callback_changes_nothing_and_is_logged_once() {
    let world = World::new().await;
    for second in ["error=access_denied", "code=another", "state=another"] {
        let waiting = Waiting::of(&world).await;
        let both = format!("{}&{second}", waiting.callback);
        waiting
            .assert_refused(world.engine.connections().callback(&PERSON, &both).await, "callback_contradictory")
            .await;
        waiting.completes().await;
    }
}

#[tokio::test]
async fn a_repeated_callback_is_refused_and_the_first_one_counts() {
    let world = World::new().await;
    let waiting = Waiting::of(&world).await;
    world.engine.connections().callback(&PERSON, &waiting.callback).await.expect("the first is accepted");
    waiting.assert_refused(world.engine.connections().callback(&PERSON, &waiting.callback).await, "state_used").await;
    let Waiting { mut flow, callback, requests, .. } = waiting;
    flow.view =
        world.engine.connections().claim_flow(&PERSON, flow.view.id, flow.key.expose(), None).await.expect("claimed");
    flow.succeeds().await;
    assert_eq!(world.token_requests().await, requests + 1);
    // Also after the flow has ended.
    assert_eq!(world.engine.connections().callback(&PERSON, &callback).await.expect_err("used").code(), "state_used");
    assert_eq!(world.token_requests().await, requests + 1);
}

#[tokio::test]
async fn a_callback_after_ten_minutes_is_refused() {
    let world = World::new().await;
    let waiting = Waiting::of(&world).await;
    world.clock.advance_secs(600);
    waiting
        .assert_refused(world.engine.connections().callback(&PERSON, &waiting.callback).await, "state_expired")
        .await;
}

#[tokio::test]
async fn a_callback_for_an_expired_flow_is_refused_and_the_expiry_is_logged_once() {
    let world = World::new().await;
    let waiting = Waiting::of(&world).await;
    world.clock.advance_secs(600);
    for _ in 0..2 {
        let (id, key) = (waiting.flow.view.id, waiting.flow.key.expose());
        let flow =
            world.engine.connections().flow(&PERSON, id, key, None, std::time::Duration::ZERO).await.expect("known");
        assert_eq!(flow.error.expect("ended").code, "sign_in_expired");
    }
    let lines = world.lines(Some(waiting.id())).await;
    assert_eq!(lines.iter().filter(|line| *line == "Sign-in failed").count(), 1, "{lines:?}");
    waiting
        .assert_refused(world.engine.connections().callback(&PERSON, &waiting.callback).await, "state_expired")
        .await;
}

#[tokio::test]
async fn a_callback_to_another_redirect_uri_is_refused() {
    let world = World::new().await;
    let sent_out = "app.relink.desktop:/oauth/callback/sandbox";
    for elsewhere in ["http://127.0.0.1:7417/oauth/callback/sandbox", "app.relink.desktop:/oauth/callback/github"] {
        let waiting = Waiting::of(&world).await;
        let moved = waiting.callback.replacen(sent_out, elsewhere, 1);
        assert_ne!(moved, waiting.callback);
        waiting.assert_refused(world.engine.connections().callback(&PERSON, &moved).await, "redirect_mismatch").await;
        waiting.completes().await;
    }
}

#[tokio::test]
async fn a_callback_from_another_issuer_is_refused() {
    let world = World::new().await;
    let waiting = Waiting::of(&world).await;
    let mixed_up = with(&waiting.callback, "iss", "https://evil.example");
    waiting.assert_refused(world.engine.connections().callback(&PERSON, &mixed_up).await, "issuer_mismatch").await;
    waiting.completes().await;
}

/// The URL without one of its parameters.
fn without(callback: &str, name: &str) -> String {
    let mut url = url::Url::parse(callback).expect("an address");
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    assert!(pairs.iter().any(|(found, _)| found == name), "{name} is there to be left out");
    url.query_pairs_mut().clear().extend_pairs(pairs.into_iter().filter(|(found, _)| found != name));
    url.into()
}

#[tokio::test]
async fn a_callback_without_the_issuer_is_refused_whether_it_succeeded_or_failed() {
    let world = World::new().await;
    let waiting = Waiting::of(&world).await;
    let silent = without(&waiting.callback, "iss");
    waiting.assert_refused(world.engine.connections().callback(&PERSON, &silent).await, "issuer_missing").await;
    waiting.completes().await;
    let waiting = Waiting::of(&world).await;
    let denied = without(&with(&waiting.callback, "code", ""), "iss") + "&error=access_denied";
    waiting.assert_refused(world.engine.connections().callback(&PERSON, &denied).await, "issuer_missing").await;
    waiting.completes().await;
}

#[tokio::test]
async fn pasting_another_flows_callback_is_refused() {
    let world = World::new().await;
    let other = world.connect_link().await;
    let mut other = world.begin(&other).await;
    let of_other = other.sign_in("grace").await;
    let waiting = Waiting::of(&world).await;
    let pasted = world
        .engine
        .connections()
        .paste_callback(&PERSON, waiting.flow.view.id, waiting.flow.key.expose(), &of_other)
        .await;
    waiting.assert_refused(pasted, "state_of_another_flow").await;
    waiting.completes().await;
    other.receive_callback(&of_other).await;
    other.succeeds().await;
}

#[tokio::test]
async fn swapped_callbacks_of_two_flows_each_complete_their_own() {
    let world = World::new().await;
    let (one, two) = (world.connect_link().await, world.connect_link().await);
    let (mut ada, mut grace) = (world.begin(&one).await, world.begin(&two).await);
    let (of_ada, of_grace) = (ada.sign_in("ada").await, grace.sign_in("grace").await);
    grace.receive_callback(&of_grace).await;
    ada.receive_callback(&of_ada).await;
    let (ada, grace) = (ada.succeeds().await, grace.succeeds().await);
    assert_eq!(world.account(ada).await.profile.name, "Ada Lovelace");
    assert_eq!(world.account(grace).await.profile.name, "Grace Hopper");
}

#[tokio::test]
async fn garbage_leaves_no_timeline_entry() {
    let world = World::new().await;
    let waiting = Waiting::of(&world).await;
    for (garbage, code) in [
        ("hello", "callback_not_an_address"),
        ("https://evil.example/oauth/callback/sandbox?code=c&state=s", "callback_not_ours"),
        ("app.relink.desktop:/oauth/callback/sandbox?code=c", "callback_without_state"),
    ] {
        assert_eq!(
            world.engine.connections().callback(&PERSON, garbage).await.expect_err("refused").code(),
            code,
            "{garbage}"
        );
    }
    assert_eq!(refusals(&world).await, waiting.refusals);
    assert_eq!(waiting.flow.view.phase, FlowPhase::Waiting);
    waiting.completes().await;
}

#[tokio::test]
async fn one_page_cannot_fill_the_timeline() {
    let world = World::new().await;
    let waiting = Waiting::of(&world).await;
    let connections = world.engine.connections();
    for attempt in 0..32 {
        // As a pop-up does that navigates from one to the next.
        let invented = with(&waiting.callback, "state", &format!("invented-{attempt}"));
        connections.callback_caller(&invented).await.expect_err("refused");
        let mixed_up = with(&waiting.callback, "iss", "https://evil.example");
        connections.callback(&PERSON, &mixed_up).await.expect_err("refused");
    }
    assert_eq!(refusals(&world).await, waiting.refusals + 10, "five of no flow, and five of this one");
    let newest = world.engine.accounts().timeline(&PERSON, Some(waiting.id()), None, 1).await.expect("a timeline");
    let (_, last) = newest[0].event.describe("Sandbox");
    assert!(
        last.as_deref().is_some_and(|last| last.contains("More like this within the next hour aren't listed.")),
        "{last:?}"
    );
    waiting.completes().await;
}

#[tokio::test]
async fn what_a_callback_says_is_kept_without_secrets_and_not_at_all_while_they_are_unknown() {
    let said = async |is_locked: bool, code: &str, description: &str| {
        let world = World::new().await;
        let waiting = Waiting::of(&world).await;
        let state = url::Url::parse(&waiting.callback).expect("an address");
        let state = state.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
        let item = Keychain::memory(world.keychain.clone()).get(&Key::Account(waiting.id())).await.expect("open");
        let refresh = item.expect("there").secrets["refresh_token"].expose().to_owned();
        let filled = |text: &str| text.replace("{state}", &state).replace("{refresh}", &refresh);
        let denied = with(&waiting.callback, "code", "");
        let mut denied = url::Url::parse(&denied).expect("an address");
        denied
            .query_pairs_mut()
            .append_pair("error", &filled(code))
            .append_pair("error_description", &filled(description));
        if is_locked {
            world.keychain.refuse(KeychainError::Locked);
        }
        let Waiting { mut flow, .. } = waiting;
        world.engine.connections().callback(&PERSON, denied.as_str()).await.expect("taken");
        let (id, key) = (flow.view.id, flow.key.expose());
        let connections = world.engine.connections();
        flow.view = connections.flow(&PERSON, id, key, None, std::time::Duration::ZERO).await.expect("known");
        let error = flow.view.error.expect("an error");
        let events = world.engine.outbox().events_after(&PERSON, 0, 1000).await.expect("events");
        let payload = &events.last().expect("an event").payload;
        assert_eq!(payload["provider_code"].as_str(), error.provider_code.as_deref());
        assert_eq!(payload["provider_message"].as_str(), error.provider_message.as_deref());
        (error.provider_code, error.provider_message)
    };
    for (is_locked, code, description, shown_code, shown) in [
        (false, "access_denied", "No {state}", "access_denied", Some("No (hidden)")),
        (false, "access_denied", "Token {refresh} is known", "access_denied", Some("Token (hidden) is known")),
        (false, "{state}", "x", "(hidden)", Some("x")),
        (false, "policy", "Ask your administrator", "policy", Some("Ask your administrator")),
        (true, "access_denied", "Ask your administrator", "access_denied", None),
        (true, "policy", "", "(hidden)", None),
    ] {
        let found = said(is_locked, code, description).await;
        assert_eq!((found.0.as_deref(), found.1.as_deref()), (Some(shown_code), shown), "{code}: {description}");
    }
}
