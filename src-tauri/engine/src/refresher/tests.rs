use futures_util::FutureExt;
use relink_domain::{
    ApiTokenId, Secret,
    account::{Account, DeferReason, Granted, Input, NewCredential, Renewal, TimelineEvent},
    schedule::TokenLifetime,
};
use serde_json::Map;
use uuid::Uuid;

use super::{in_flight::RefreshReason, *};
use crate::{
    store::accounts,
    testing::{PERSON, START, TestEngine, profile},
};

const LIFETIME: TokenLifetime = TokenLifetime { issued_at: START, expires_at: Some(START.plus_secs(3600)) };

/// An account that works. Its provider can't be reached.
pub(super) async fn with_credential(credential: NewCredential) -> (TestEngine, AccountId) {
    let it = TestEngine::start().await;
    let installed = it.engine.catalog().install(&PERSON, "sandbox").await.expect("installed");
    let id = AccountId::from_uuid(Uuid::from_u128(1));
    let profile = profile(&installed, id, "Ada".to_owned());
    let granted = Granted { credential, identity: None, scopes: Vec::new(), context: Map::new() };
    let made = Account::connect(profile, &granted, START);
    let change = it.engine.accounts().change(&PERSON, &made).expect("serialized");
    it.engine.store().write(move |tx| accounts::commit(tx, &change)).await.expect("stored");
    it.engine.accounts().commit(&PERSON, id, Input::StepsPassed).await.expect("it works");
    (it, id)
}

/// An account that works, with its access token at hand. Its provider can't be reached.
async fn working() -> (TestEngine, AccountId) {
    let (it, id) = with_credential(NewCredential::Renewing { by: Renewal::RefreshToken, lifetime: LIFETIME }).await;
    it.engine
        .refresher()
        .0
        .uses
        .tokens
        .insert(id, AccessToken { token: Secret::new("at hand".to_owned()), lifetime: LIFETIME });
    (it, id)
}

/// When the account is looked at next.
fn planned(it: &TestEngine) -> Option<Timestamp> {
    it.engine.refresher().0.uses.schedule.take_due(START).next
}

#[tokio::test]
async fn a_due_refresh_is_skipped_when_the_token_was_refreshed_meanwhile() {
    let (it, id) = working().await;
    // As the loop does before it begins one: it is planned no more.
    it.engine.refresher().0.uses.schedule.set(id, None);
    let token =
        it.engine.refresher().join_or_start_refresh(&PERSON, id, RefreshReason::Due).await.expect("the one at hand");
    assert_eq!(token.token.expose(), "at hand");
    let again = planned(&it).expect("planned");
    assert!(again > START.plus_secs(3000) && again < START.plus_secs(3600), "{again}");
}

#[tokio::test]
async fn a_due_refresh_is_made_although_the_token_in_memory_is_still_fresh() {
    let (it, id) = working().await;
    it.clock.advance_secs(3600 - 6 * 60);
    assert!(it.engine.refresher().fresh_in_memory(id).is_some());
    let error =
        it.engine.refresher().join_or_start_refresh(&PERSON, id, RefreshReason::Due).await.expect_err("it is tried");
    assert_eq!(error.code(), "credential_missing");
}

#[tokio::test]
async fn a_due_refresh_is_made_although_an_uncommitted_token_is_fresh() {
    let (it, id) = working().await;
    it.clock.advance_secs(3600);
    let lifetime = TokenLifetime { issued_at: it.clock.now(), expires_at: Some(it.clock.now().plus_secs(3600)) };
    it.engine
        .refresher()
        .0
        .uses
        .tokens
        .insert(id, AccessToken { token: Secret::new("uncommitted".to_owned()), lifetime });
    let error =
        it.engine.refresher().join_or_start_refresh(&PERSON, id, RefreshReason::Due).await.expect_err("it is tried");
    assert_eq!(error.code(), "credential_missing");
}

#[tokio::test]
async fn a_refresh_that_fails_within_relink_is_scheduled_again_whoever_asked() {
    let (it, id) = working().await;
    it.engine.refresher().0.uses.schedule.set(id, None);
    it.set_writable(false).await;
    for reason in [RefreshReason::Due, RefreshReason::Requested] {
        it.engine.refresher().0.uses.schedule.set(id, None);
        it.clock.advance_secs(3600);
        it.engine
            .refresher()
            .join_or_start_refresh(&PERSON, id, reason)
            .await
            .expect_err("its intent can't be committed");
        let again = it.engine.refresher().0.uses.schedule.take_due(START).next;
        assert_eq!(again, Some(it.clock.now().plus_secs(60)), "{reason:?}");
    }
}

#[tokio::test]
async fn an_account_that_needs_attention_is_not_scheduled_after_an_internal_error() {
    let (it, id) = working().await;
    it.engine
        .refresher()
        .join_or_start_refresh(&PERSON, id, RefreshReason::Requested)
        .await
        .expect_err("its credential is missing");
    assert_eq!(planned(&it), None);
    it.set_writable(false).await;
    it.engine
        .refresher()
        .join_or_start_refresh(&PERSON, id, RefreshReason::Requested)
        .await
        .expect_err("its intent can't be committed");
    assert_eq!(planned(&it), None);
}

#[tokio::test]
async fn a_deleted_accounts_token_is_gone_although_the_caller_has_gone_away() {
    let (it, id) = working().await;
    let mut deleting = Box::pin(it.engine.accounts().delete(&PERSON, id));
    while it.engine.accounts().get(&PERSON, id).await.is_ok() {
        assert!(deleting.as_mut().now_or_never().is_none(), "it has not gone away");
    }
    drop(deleting);
    assert_eq!(it.engine.refresher().access_token(&PERSON, id).await.expect_err("gone").code(), "not_found");
}

#[tokio::test]
async fn an_open_refresh_is_finished_although_the_token_in_memory_is_fresh() {
    let (it, id) = working().await;
    it.engine.accounts().commit(&PERSON, id, Input::BeginRefresh).await.expect("begun");
    let error =
        it.engine.refresher().join_or_start_refresh(&PERSON, id, RefreshReason::Due).await.expect_err("it is tried");
    assert_eq!(error.code(), "credential_missing");
}

#[tokio::test]
async fn a_deferred_refresh_is_scheduled_only_when_its_reason_is_over() {
    let (it, id) = working().await;
    it.engine.accounts().defer(&PERSON, id, DeferReason::KeychainLocked).await.expect("deferred");
    assert_eq!(planned(&it), None);
}

#[tokio::test]
async fn a_change_is_scheduled_with_its_commit_however_far_a_caller_that_goes_away_has_come() {
    let mut outlived = 0;
    for polls in 1..10 {
        let (it, id) = working().await;
        it.engine.refresher().0.uses.schedule.set(id, None);
        let rename = Input::Rename { name: "Grace".to_owned() };
        let mut changing = Box::pin(it.engine.accounts().commit(&PERSON, id, rename));
        for _ in 0..polls {
            if (&mut changing).now_or_never().is_some() {
                break;
            }
            it.engine.store().write(|_| Ok(())).await.expect("what was asked before is done");
        }
        drop(changing);
        it.engine.store().write(|_| Ok(())).await.expect("what was asked before is done");
        let is_renamed = it.engine.accounts().load(id).await.expect("there").profile.name == "Grace";
        assert_eq!(planned(&it).is_some(), is_renamed, "after {polls} polls");
        outlived += usize::from(is_renamed);
    }
    assert!(outlived > 0, "no caller came far enough");
}

#[tokio::test]
async fn a_tokens_use_is_recorded_to_the_minute_and_a_full_disk_does_not_refuse_the_token() {
    let (it, id) = working().await;
    let noted_after = async |secs| {
        it.clock.advance_secs(secs);
        let token = it.engine.refresher().access_token(&PERSON, id).await.expect("the one at hand");
        assert_eq!(token.token.expose(), "at hand");
        // The note is on its way beside the call.
        it.engine.tasks().settle().await;
        it.engine.accounts().get(&PERSON, id).await.expect("there").last_used_at
    };
    assert_eq!(noted_after(0).await, Some(START));
    assert_eq!(noted_after(59).await, Some(START));
    assert_eq!(noted_after(1).await, Some(START.plus_secs(60)));
    it.set_writable(false).await;
    assert_eq!(noted_after(60).await, Some(START.plus_secs(60)));
}

#[tokio::test]
async fn a_refresh_is_recorded_with_its_caller() {
    let agent = Caller::ApiToken { id: ApiTokenId::from_uuid(Uuid::nil()), name: "my-agent".to_owned() };
    for is_check in [false, true] {
        let (it, id) = working().await;
        it.clock.advance_secs(3600);
        let refresher = it.engine.refresher();
        let error = if is_check {
            refresher.check(&agent, id).await.expect_err("its credential is missing")
        } else {
            refresher.access_token(&agent, id).await.expect_err("its credential is missing")
        };
        assert_eq!(error.code(), "credential_missing");
        let newest = it.engine.accounts().timeline(&PERSON, Some(id), None, 1).await.expect("read").remove(0);
        assert!(matches!(newest.event, TimelineEvent::RefreshFailed { .. }), "{newest:?}");
        assert_eq!(newest.caller.as_ref(), Some(&agent), "check: {is_check}");
    }
}
