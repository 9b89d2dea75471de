use futures_util::FutureExt;
use relink_domain::{
    Secret,
    account::{Account, DeferReason, Granted, Input, NewCredential, Renewal},
    schedule::{Jitter, TokenLifetime},
};
use serde_json::Map;
use uuid::Uuid;

use super::*;
use crate::{
    store::accounts,
    testing::{START, Started, profile},
};

const LEASE: TokenLifetime = TokenLifetime { issued_at: START, expires_at: Some(START.plus_secs(3600)) };

/// An account that works, with its access token at hand. Its provider can't be reached.
async fn working() -> (Started, AccountId) {
    let it = Started::new().await;
    let installed = it.engine.install("sandbox").await.expect("installed");
    let id = AccountId::from_uuid(Uuid::from_u128(1));
    let profile = profile(&installed, id, "Ada".to_owned());
    let credential = NewCredential::Renewing { by: Renewal::RefreshToken, lifetime: LEASE };
    let granted = Granted { credential, identity: None, scopes: Vec::new(), context: Map::new() };
    let made = Account::connect(profile, &granted, START);
    it.engine.0.store.write(move |tx| accounts::commit(tx, &made, START, Jitter::NONE)).await.expect("kept");
    it.engine.commit(id, Input::StepsPassed).await.expect("it works");
    it.engine.hold_token(id, AccessToken { token: Secret::new("at hand".to_owned()), lifetime: LEASE });
    (it, id)
}

/// When the account is looked at next.
fn planned(it: &Started) -> Option<Timestamp> {
    it.engine.0.agenda.take_due(START).1
}

#[tokio::test]
async fn what_somebody_has_had_renewed_since_it_fell_due_is_not_renewed_again() {
    let (it, id) = working().await;
    // As the loop does before it begins one: it is planned no more.
    it.engine.0.agenda.set(id, None);
    let token = it.engine.fly(id, Reason::Due, false).await.expect("the one at hand");
    assert_eq!(token.token.expose(), "at hand");
    let again = planned(&it).expect("planned");
    assert!(again > START.plus_secs(3000) && again < START.plus_secs(3600), "{again}");
}

#[tokio::test]
async fn what_is_due_is_renewed_however_long_the_token_at_hand_still_serves() {
    let (it, id) = working().await;
    it.clock.advance_secs(3600 - 6 * 60);
    assert!(it.engine.fresh_at_hand(id).is_some());
    let error = it.engine.fly(id, Reason::Due, false).await.expect_err("it is tried");
    assert_eq!(error.code(), "credential_missing");
}

#[tokio::test]
async fn what_is_due_by_its_account_is_renewed_although_a_token_that_nothing_was_committed_of_is_fresh() {
    let (it, id) = working().await;
    it.clock.advance_secs(3600);
    let lifetime = TokenLifetime { issued_at: it.clock.now(), expires_at: Some(it.clock.now().plus_secs(3600)) };
    it.engine.hold_token(id, AccessToken { token: Secret::new("uncommitted".to_owned()), lifetime });
    let error = it.engine.fly(id, Reason::Due, false).await.expect_err("it is tried");
    assert_eq!(error.code(), "credential_missing");
}

#[tokio::test]
async fn what_fails_within_relink_is_planned_again_whoever_asked_for_it() {
    let (it, id) = working().await;
    it.engine.0.agenda.set(id, None);
    it.takes_writes(false).await;
    for reason in [Reason::Due, Reason::Asked] {
        it.engine.0.agenda.set(id, None);
        it.clock.advance_secs(3600);
        it.engine.fly(id, reason, false).await.expect_err("its intent can't be committed");
        let again = it.engine.0.agenda.take_due(START).1;
        assert_eq!(again, Some(it.clock.now().plus_secs(60)), "{reason:?}");
    }
}

#[tokio::test]
async fn an_account_that_waits_for_its_person_goes_on_waiting_whatever_fails_within_relink() {
    let (it, id) = working().await;
    it.engine.fly(id, Reason::Asked, false).await.expect_err("its credential is missing");
    assert_eq!(planned(&it), None);
    it.takes_writes(false).await;
    it.engine.fly(id, Reason::Asked, false).await.expect_err("its intent can't be committed");
    assert_eq!(planned(&it), None);
}

#[tokio::test]
async fn a_deleted_accounts_token_is_gone_with_the_commit_also_when_whoever_deleted_it_has_gone_away() {
    let (it, id) = working().await;
    let mut deleting = Box::pin(it.engine.delete_account(id));
    while it.engine.account(id).await.is_ok() {
        assert!(deleting.as_mut().now_or_never().is_none(), "it has not gone away");
    }
    drop(deleting);
    it.engine.0.store.writer_is_idle().await.expect("what follows from the commit is done");
    assert_eq!(it.engine.access_token(id).await.expect_err("gone").code(), "not_found");
}

#[tokio::test]
async fn an_open_refresh_is_finished_although_the_token_at_hand_is_fresh() {
    let (it, id) = working().await;
    it.engine.commit(id, Input::BeginRefresh).await.expect("begun");
    let error = it.engine.fly(id, Reason::Due, false).await.expect_err("it is tried");
    assert_eq!(error.code(), "credential_missing");
}

#[tokio::test]
async fn what_is_put_off_is_planned_by_nothing_but_what_it_waits_for() {
    let (it, id) = working().await;
    it.engine.defer(id, DeferReason::KeychainLocked).await.expect("put off");
    assert_eq!(planned(&it), None);
}

#[tokio::test]
async fn an_account_is_planned_also_when_whoever_changed_it_has_gone_away() {
    let (it, id) = working().await;
    it.engine.0.agenda.set(id, None);
    let changing = Box::pin(it.engine.commit(id, Input::Rename { name: "Grace".to_owned() }));
    // It has asked the store, and waits for nothing any more.
    assert!(changing.now_or_never().is_none());
    it.engine.0.store.writer_is_idle().await.expect("the commit is done");
    assert!(planned(&it).is_some());
}

#[tokio::test]
async fn a_tokens_use_is_noted_to_the_minute_and_a_full_disk_is_no_reason_to_refuse_it() {
    let (it, id) = working().await;
    let noted_after = async |secs| {
        it.clock.advance_secs(secs);
        let token = it.engine.access_token(id).await.expect("the one at hand");
        assert_eq!(token.token.expose(), "at hand");
        // The note is on its way beside the call.
        it.engine.0.tasks.close();
        it.engine.0.tasks.wait().await;
        it.engine.0.tasks.reopen();
        it.engine.account(id).await.expect("there").last_used_at
    };
    assert_eq!(noted_after(0).await, Some(START));
    assert_eq!(noted_after(59).await, Some(START));
    assert_eq!(noted_after(1).await, Some(START.plus_secs(60)));
    it.takes_writes(false).await;
    assert_eq!(noted_after(60).await, Some(START.plus_secs(60)));
}
