use std::collections::BTreeSet;

use proptest::prelude::*;
use relink_domain::{
    AccountId,
    account::{AccountChange, Input, TimelineEvent},
    failure::{Cause, Failure},
};
use serde_json::{Map, json};

use super::PageQuery;
use crate::{
    store::{
        filter::{AccountOrder, AccountTime, Filter},
        outbox,
    },
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

/// What happens while somebody pages through a list.
#[derive(Debug, Clone, Copy)]
enum Happens {
    NextPage,
    Connects,
    /// One of those that are there, counted from the oldest.
    IsDeleted(usize),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![Just(Happens::NextPage), Just(Happens::Connects), (0_usize..8).prop_map(Happens::IsDeleted)]
}

/// Walks through the list of accounts while that happens, and then to its end. Returns the accounts of the pages, and those that were
/// there all the time.
async fn walk(before: usize, limit: usize, newest_first: bool, story: &[Happens]) -> (Vec<AccountId>, Vec<AccountId>) {
    let it = Services::new();
    let accounts = it.accounts();
    let installed = it.install_sandbox(NOWHERE).await;
    let mut there = BTreeSet::new();
    for _ in 0..before {
        there.insert(it.connect(&accounts, &installed, SIGN_IN).await);
    }
    let mut stayed = there.clone();
    let (order, mut after) = (AccountOrder { by: AccountTime::Created, newest_first }, None);
    let mut listed = Vec::new();
    let to_the_end = std::iter::repeat(&Happens::NextPage);
    for happens in story.iter().chain(to_the_end) {
        match happens {
            Happens::NextPage => {
                let query = PageQuery { order, after, limit };
                let page = accounts.page(&PERSON, Filter::default(), query).await.expect("a page");
                listed.extend(page.accounts.iter().map(|view| view.account.id()));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            Happens::Connects => {
                there.insert(it.connect(&accounts, &installed, SIGN_IN).await);
            }
            Happens::IsDeleted(number) => {
                let Some(id) = there.iter().nth(*number).copied() else { continue };
                accounts.delete(&PERSON, id).await.expect("deleted");
                there.remove(&id);
                stayed.remove(&id);
            }
        }
    }
    (listed, stayed.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_list_that_is_paged_while_accounts_come_and_go_neither_repeats_nor_skips(
        before in 0_usize..8,
        limit in 1_usize..4,
        newest_first: bool,
        story in prop::collection::vec(happens(), 0..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (listed, stayed) = runtime.block_on(walk(before, limit, newest_first, &story));
        let is_in_order = |pair: &[AccountId]| if newest_first { pair[0] > pair[1] } else { pair[0] < pair[1] };
        prop_assert!(listed.windows(2).all(is_in_order), "it repeats: {listed:?}");
        let skipped: Vec<_> = stayed.iter().filter(|id| !listed.contains(id)).collect();
        prop_assert!(skipped.is_empty(), "it skips {skipped:?}: {listed:?}");
    }
}
