//! What programs and the person learn of an account.

use relink_domain::{
    AccountId, Timestamp,
    caller::Caller,
    notice::{self, Action, FailingAccount, Network, NoticeHistory, Situation},
};
use relink_engine::Filter;
use serde_json::{Value, json};

use crate::world::World;

/// Waits until the account has this status and cause, because what follows of a call comes after its response.
pub async fn until_is(world: &World, account: &str, status: &str, cause: Option<&str>, name: &str) {
    let waits = async {
        loop {
            let found = world.get(&format!("/integrated-account/{account}")).await;
            let error = if cause == Some("forbidden") { "last_forbidden_error" } else { "last_error_details" };
            if (found["status"].as_str(), found[error]["code"].as_str()) == (Some(status), cause) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(30), waits).await;
    if waited.is_err() {
        let found = world.get(&format!("/integrated-account/{account}")).await;
        panic!("{name}: not {status} with {cause:?}, but {found}");
    }
}

/// The names of an account's events.
pub async fn events(world: &World, account: &str) -> Vec<String> {
    let (mut after, mut found) = (json!(0), Vec::new());
    loop {
        let page = world.get(&format!("/relink/events?after={after}&limit=1000")).await;
        let page = page["result"].as_array().expect("a list");
        let of_account = page.iter().filter(|event| event["payload"]["id"] == account);
        let name = |event: &Value| event["event"].as_str().and_then(|name| name.split(':').nth(1)).map(str::to_owned);
        found.extend(of_account.filter_map(name));
        match page.last() {
            Some(last) => after = last["seq"].clone(),
            None => return found,
        }
    }
}

/// [`events`], also those that may still follow of what has happened, because nobody waits for them. Renames the account.
pub async fn all_events(world: &World, account: &str) -> Vec<String> {
    world.post(&format!("/relink/accounts/{account}/rename"), json!({ "name": "Acme" })).await;
    let mut found = events(world, account).await;
    assert_eq!(found.pop().as_deref(), Some("updated"), "what follows is before it: {found:?}");
    found
}

/// Who is notified, by the desktop's policy.
#[derive(Default)]
pub struct Person {
    history: NoticeHistory,
    pub notified: usize,
}

impl Person {
    pub async fn look(&mut self, world: &World, account: &str) {
        let id: AccountId = account.parse().expect("an id");
        let views = world.engine.accounts().list(&Caller::Person, Filter::default()).await.expect("read");
        let failing = views.iter().filter(|view| view.account.id() == id);
        let failing = failing.filter_map(|view| FailingAccount::of(&view.account, &view.label)).collect();
        let situation = Situation { failing, disabled_webhooks: vec![], network: Network::Online, paused: false };
        let now: Timestamp = world.engine.now();
        let decision = notice::decide(&self.history, &situation, now);
        self.notified += decision.actions.iter().filter(|it| matches!(it, Action::Show { alert: true, .. })).count();
        self.history = decision.next;
    }
}
