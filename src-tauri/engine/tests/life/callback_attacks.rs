//! Attacks on the way back from the provider: no token request, no change, one line in the timeline.

use relink_domain::{AccountId, account::Account};
use relink_engine::{Error, connect::PhaseName};

use crate::world::{Walk, World};

/// An account whose reauthorization waits at the provider, and how everything stood then.
struct Waiting<'w> {
    walk: Walk<'w>,
    /// Where the provider sends the browser.
    callback: String,
    account: Account,
    requests: usize,
    refusals: usize,
}

impl<'w> Waiting<'w> {
    async fn of(world: &'w World) -> Self {
        let id = world.connected().await;
        let link = world.reauthorize_link(id).await;
        let walk = world.begin(&link).await;
        let callback = walk.sign_in("ada").await;
        let account = world.account(id).await;
        let (requests, refusals) = (world.token_requests().await, refusals(world).await);
        Self { walk, callback, account, requests, refusals }
    }

    fn id(&self) -> AccountId {
        self.account.id()
    }

    /// It was refused by this code, nothing was asked of the provider, nothing changed, and one line says so.
    async fn held<T: std::fmt::Debug>(&self, refused: Result<T, Error>, code: &str) {
        let world = self.walk.world;
        assert_eq!(refused.expect_err("refused").code(), code);
        assert_eq!(world.token_requests().await, self.requests, "the provider was asked");
        assert_eq!(world.account(self.id()).await, self.account);
        assert_eq!(refusals(world).await, self.refusals + 1, "one line");
    }

    /// The state was not spent: the real return still gets home.
    async fn gets_home(mut self) {
        self.walk.come_back(&self.callback).await;
        assert_eq!(self.walk.succeeds().await, self.id());
    }
}

/// How many lines, of whichever account or of none, say that a return was refused.
async fn refusals(world: &World) -> usize {
    let entries = world.engine.timeline(None, None, 100).await.expect("a timeline");
    entries.iter().filter(|entry| entry.event.words("Sandbox").0 == "A sign-in's return was refused").count()
}

/// The address with one parameter's value replaced.
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
async fn a_callback_that_nobody_asked_for_changes_nothing_and_leaves_one_line() {
    let world = World::new().await;
    let waiting = Waiting::of(&world).await;
    let invented = with(&waiting.callback, "state", "invented");
    waiting.held(world.engine.callback(&invented).await, "state_unknown").await;
    waiting.gets_home().await;
}

#[tokio::test]
async fn a_callback_that_says_yes_and_no_at_once_changes_nothing_and_leaves_one_line() {
    let world = World::new().await;
    for second in ["error=access_denied", "code=another", "state=another"] {
        let waiting = Waiting::of(&world).await;
        let both = format!("{}&{second}", waiting.callback);
        waiting.held(world.engine.callback(&both).await, "callback_contradictory").await;
        waiting.gets_home().await;
    }
}

#[tokio::test]
async fn a_callback_that_comes_twice_is_refused_and_the_first_one_stands() {
    let world = World::new().await;
    let waiting = Waiting::of(&world).await;
    world.engine.callback(&waiting.callback).await.expect("the first is taken");
    waiting.held(world.engine.callback(&waiting.callback).await, "state_used").await;
    let Waiting { mut walk, callback, requests, .. } = waiting;
    walk.flow = world.engine.claim_flow(walk.flow.id, walk.key.expose()).await.expect("claimed");
    walk.succeeds().await;
    assert_eq!(world.token_requests().await, requests + 1);
    // Also when all is over.
    assert_eq!(world.engine.callback(&callback).await.expect_err("used").code(), "state_used");
    assert_eq!(world.token_requests().await, requests + 1);
}

#[tokio::test]
async fn a_callback_after_ten_minutes_is_refused() {
    let world = World::new().await;
    let waiting = Waiting::of(&world).await;
    world.clock.advance_secs(600);
    waiting.held(world.engine.callback(&waiting.callback).await, "state_expired").await;
}

#[tokio::test]
async fn a_callback_after_the_page_has_given_up_says_the_same_and_the_giving_up_left_one_line() {
    let world = World::new().await;
    let waiting = Waiting::of(&world).await;
    world.clock.advance_secs(600);
    for _ in 0..2 {
        let (id, key) = (waiting.walk.flow.id, waiting.walk.key.expose());
        let flow = world.engine.flow(id, key, None, std::time::Duration::ZERO).await.expect("known");
        assert_eq!(flow.error.expect("ended").code, "sign_in_expired");
    }
    let lines = world.lines(Some(waiting.id())).await;
    assert_eq!(lines.iter().filter(|line| *line == "A sign-in did not succeed").count(), 1, "{lines:?}");
    waiting.held(world.engine.callback(&waiting.callback).await, "state_expired").await;
}

#[tokio::test]
async fn a_callback_on_another_address_than_it_was_sent_out_with_is_refused() {
    let world = World::new().await;
    let sent_out = "app.relink.desktop:/oauth/callback/sandbox";
    for elsewhere in ["http://127.0.0.1:7417/oauth/callback/sandbox", "app.relink.desktop:/oauth/callback/github"] {
        let waiting = Waiting::of(&world).await;
        let moved = waiting.callback.replacen(sent_out, elsewhere, 1);
        assert_ne!(moved, waiting.callback);
        waiting.held(world.engine.callback(&moved).await, "redirect_mismatch").await;
        waiting.gets_home().await;
    }
}

#[tokio::test]
async fn a_callback_from_another_issuer_is_refused() {
    let world = World::new().await;
    let waiting = Waiting::of(&world).await;
    let mixed_up = with(&waiting.callback, "iss", "https://evil.example");
    waiting.held(world.engine.callback(&mixed_up).await, "issuer_mismatch").await;
    waiting.gets_home().await;
}

#[tokio::test]
async fn another_flows_callback_is_refused_where_it_is_pasted() {
    let world = World::new().await;
    let other = world.connect_link().await;
    let mut other = world.begin(&other).await;
    let of_other = other.sign_in("grace").await;
    let waiting = Waiting::of(&world).await;
    let pasted = world.engine.paste_callback(waiting.walk.flow.id, waiting.walk.key.expose(), &of_other).await;
    waiting.held(pasted, "state_of_another_flow").await;
    waiting.gets_home().await;
    other.come_back(&of_other).await;
    other.succeeds().await;
}

#[tokio::test]
async fn two_flows_whose_callbacks_are_swapped_each_complete_their_own() {
    let world = World::new().await;
    let (one, two) = (world.connect_link().await, world.connect_link().await);
    let (mut ada, mut grace) = (world.begin(&one).await, world.begin(&two).await);
    let (of_ada, of_grace) = (ada.sign_in("ada").await, grace.sign_in("grace").await);
    grace.come_back(&of_grace).await;
    ada.come_back(&of_ada).await;
    let (ada, grace) = (ada.succeeds().await, grace.succeeds().await);
    assert_eq!(world.account(ada).await.profile.name, "Ada Lovelace");
    assert_eq!(world.account(grace).await.profile.name, "Grace Hopper");
}

#[tokio::test]
async fn garbage_leaves_no_trace() {
    let world = World::new().await;
    let waiting = Waiting::of(&world).await;
    for (garbage, code) in [
        ("hello", "callback_not_an_address"),
        ("https://evil.example/oauth/callback/sandbox?code=c&state=s", "callback_not_ours"),
        ("app.relink.desktop:/oauth/callback/sandbox?code=c", "callback_without_state"),
    ] {
        assert_eq!(world.engine.callback(garbage).await.expect_err("refused").code(), code, "{garbage}");
    }
    assert_eq!(refusals(&world).await, waiting.refusals);
    assert_eq!(waiting.walk.flow.phase, PhaseName::Waiting);
    waiting.gets_home().await;
}
