//! Answers that arrive while others are not committed yet: each counts, in the order in which they arrived.

use http::HeaderMap;
use relink_domain::{
    account::{CallOutcome, Status},
    failure::ProviderError,
};

use super::prepare_tests::{load, prepared, refusal, with_key};
use crate::{
    provider::Report,
    testing::{PERSON, program},
};

/// The result of what must end. The time only limits a failure.
async fn ended<T>(waits: impl Future<Output = T>) -> T {
    tokio::time::timeout(std::time::Duration::from_secs(30), waits).await.expect("it ends")
}

#[tokio::test]
async fn an_accepted_call_ends_a_wait_although_the_refusal_before_it_is_not_committed_yet() {
    for is_changed_meanwhile in [false, true] {
        let (it, none) = (with_key().await, HeaderMap::new());
        let account = prepared(&it).await;
        let lock = it.accounts.lock_of(it.id);
        let nothing_is_committed = lock.lock().await;
        it.refresher.call_refused(&program(), &account, &refusal(401, &none, ""));
        if is_changed_meanwhile {
            it.accounts.rename(&PERSON, it.id, "Other".to_owned()).await.expect("renamed");
        }
        let caller = program();
        let waits = it.accounts.works_again(&caller, it.id, Some(&account));
        it.refresher.call_accepted(&program(), &account);
        drop(nothing_is_committed);
        ended(waits).await.expect("it works again");
        assert_eq!(load(&it).await.status(), Status::Active, "{is_changed_meanwhile}");
    }
}

#[tokio::test]
async fn a_wait_that_begins_after_the_accepted_call_was_committed_ends_and_one_before_it_does_not() {
    let (it, none) = (with_key().await, HeaderMap::new());
    let account = prepared(&it).await;
    let caller = program();
    it.refresher.call_refused(&program(), &account, &refusal(401, &none, ""));
    let mut waits = Box::pin(it.accounts.works_again(&caller, it.id, Some(&account)));
    tokio::select! {
        biased;
        _ = &mut waits => panic!("nothing was accepted"),
        failing = load(&it) => assert_eq!(failing.status(), Status::NeedsReauth),
    }
    it.refresher.call_accepted(&program(), &account);
    assert_eq!(load(&it).await.status(), Status::Active);
    ended(waits).await.expect("it works again");
    ended(it.accounts.works_again(&caller, it.id, Some(&account))).await.expect("it has worked again");

    let again = prepared(&it).await;
    it.accounts.rename(&PERSON, it.id, "Other".to_owned()).await.expect("renamed");
    let mut waits = Box::pin(it.accounts.works_again(&caller, it.id, Some(&again)));
    tokio::select! {
        biased;
        _ = &mut waits => panic!("a change is no recovery"),
        active = load(&it) => assert_eq!(active.status(), Status::Active),
    }
}

#[tokio::test]
async fn the_last_answer_counts_of_many_that_change_their_mind() {
    for last_is_accepted in [false, true] {
        let (it, none) = (with_key().await, HeaderMap::new());
        let account = prepared(&it).await;
        it.refresher.call_refused(&program(), &account, &refusal(401, &none, ""));
        assert_eq!(load(&it).await.status(), Status::NeedsReauth);
        let lock = it.accounts.lock_of(it.id);
        let nothing_is_committed = lock.lock().await;
        for _ in 0..100 {
            it.refresher.call_accepted(&program(), &account);
            it.refresher.call_refused(&program(), &account, &refusal(401, &none, ""));
        }
        if last_is_accepted {
            it.refresher.call_accepted(&program(), &account);
        }
        drop(nothing_is_committed);
        let expected = if last_is_accepted { Status::Active } else { Status::NeedsReauth };
        assert_eq!(load(&it).await.status(), expected);
    }
}

#[tokio::test]
async fn few_answers_wait_to_be_committed_however_often_a_provider_changes_its_mind() {
    let it = with_key().await;
    let (account, now) = (prepared(&it).await, it.services.clock.now());
    let standing = account.standing();
    let refused = CallOutcome::Unauthorized { status: 401, said: ProviderError::default() };
    let report = |outcome: &CallOutcome| Report {
        caller: program(),
        generation: account.generation(),
        outcome: outcome.clone(),
    };
    for _ in 0..100 {
        standing.report_refusal(now, || report(&refused));
        standing.report_success(now, || report(&CallOutcome::Accepted));
    }
    let committed: Vec<_> = std::iter::from_fn(|| standing.next_report()).map(|report| report.outcome).collect();
    assert_eq!(committed, [refused, CallOutcome::Accepted]);
}
