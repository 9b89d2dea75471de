use relink_domain::{
    account::{AccountChange, Input, TimelineEvent},
    failure::{Cause, Failure},
};
use serde_json::{Map, json};

use crate::{
    store::outbox,
    testing::{NOWHERE, PERSON, SIGN_IN, START, Services},
};

#[tokio::test]
async fn a_commit_changes_the_account_with_its_timeline_events_and_schedule() {
    let it = Services::new();
    let accounts = it.accounts();
    let installed = it.install_sandbox(NOWHERE).await;
    let id = it.connect(&accounts, &installed, SIGN_IN).await;
    let seq = *it.store.outbox_seq().borrow();

    let begun = accounts.commit(&PERSON, id, Input::BeginRefresh).await.expect("begun").account;
    let generation = begun.open_generation().expect("open");
    let failure = Failure::new(Cause::Unreachable);
    accounts.commit(&PERSON, id, Input::RefreshFailed { generation, failure }).await.expect("failed");

    let account = accounts.get(&PERSON, id).await.expect("there").account;
    assert!(account.state.trouble().is_some_and(|trouble| trouble.failure.cause == Cause::Unreachable), "{account:?}");
    let entries = accounts.timeline(&PERSON, Some(id), None, 1).await.expect("a timeline");
    assert!(matches!(entries[0].event, TimelineEvent::RefreshFailed { .. }), "{entries:?}");
    assert_eq!(entries[0].caller, Some(PERSON));
    let events = it.store.read(move |c| outbox::after(c, seq, 10)).await.expect("events");
    assert_eq!(
        events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(),
        ["integrated_account:authentication_error"]
    );
    assert_eq!(events[0].payload["id"], id.to_string());
    let next = it.schedule.take_due(START).next.expect("it is tried again");
    assert!(next > START && next < START.plus_secs(600), "{next}");
}

#[tokio::test]
async fn changes_that_are_made_at_the_same_time_are_checked_together() {
    let it = Services::new();
    let accounts = it.accounts();
    let installed = it.install_sandbox(NOWHERE).await;
    let id = it.connect(&accounts, &installed, SIGN_IN).await;
    // A third of what a context may have, each.
    let update = |key: &str| {
        let context = Map::from_iter([(key.to_owned(), json!("x".repeat(90 << 10)))]);
        let change = AccountChange { context, ..AccountChange::default() };
        let accounts = accounts.clone();
        async move { accounts.update(&PERSON, id, change).await.map(drop) }
    };
    let (a, b, c, d) = tokio::join!(update("a"), update("b"), update("c"), update("d"));
    let refused = [a, b, c, d].into_iter().filter_map(Result::err).map(|error| error.code()).collect::<Vec<_>>();
    let context = accounts.get(&PERSON, id).await.expect("there").account.profile.context;
    assert_eq!((context.len(), refused), (2, vec!["context_invalid"; 2]), "together they are too long");
}
