use futures_util::{FutureExt, future::BoxFuture};
use relink_domain::account::{Account, DeferReason, Input, NewCredential, TimelineEvent};
use tokio::sync::OwnedSemaphorePermit;

use super::*;
use crate::{
    hosts::Host,
    store::integrations::Installed,
    testing::{LocalServer, NOWHERE, PERSON, SIGN_IN, START, Services, access_token, install, program},
};

/// A refresher that was built alone, and the account that it keeps fresh.
pub(super) struct Refreshing {
    pub(super) services: Services,
    pub(super) accounts: Accounts,
    pub(super) refresher: Refresher,
    pub(super) id: AccountId,
}

impl Refreshing {
    /// The account works, with its access token at hand. Its provider is at this origin.
    pub(super) async fn at(origin: &str) -> Self {
        let it = Self::with_credential(origin, SIGN_IN).await;
        it.services.tokens.insert(it.id, access_token("at hand"));
        it
    }

    pub(super) async fn with_credential(origin: &str, credential: NewCredential) -> Self {
        let services = Services::new();
        let installed = services.install_sandbox(origin).await;
        Self::of(services, &installed, credential).await
    }

    /// The account's integration has this definition.
    pub(super) async fn with_definition(definition: serde_json::Value, credential: NewCredential) -> Self {
        let services = Services::new();
        let installed = services.store.write(move |tx| install(tx, definition)).await.expect("stored");
        services.providers.publish(installed.clone());
        Self::of(services, &installed, credential).await
    }

    async fn of(services: Services, installed: &Installed, credential: NewCredential) -> Self {
        let accounts = services.accounts();
        let refresher = Refresher::new(Dependencies {
            store: services.store.clone(),
            keychain: services.keychain.clone(),
            clock: services.clock.clone(),
            outbound: Services::outbound(),
            tasks: services.tasks.clone(),
            providers: services.providers.clone(),
            accounts: accounts.clone(),
            tokens: services.tokens.clone(),
            schedule: Arc::clone(&services.schedule),
            hosts: Arc::clone(&services.hosts),
            runners: services.runners.clone(),
        });
        let id = services.connect(&accounts, installed, credential).await;
        Self { services, accounts, refresher, id }
    }

    async fn begin(&self, reason: RefreshReason) -> Result<AccessToken> {
        self.refresher.join_or_start_refresh(&PERSON, self.id, reason).await
    }

    /// When the account is looked at next.
    pub(super) fn planned(&self) -> Option<Timestamp> {
        self.services.schedule.take_due(START).next
    }
}

#[tokio::test]
async fn callers_join_the_refresh_in_flight() {
    let server = LocalServer::listen().await;
    let it = Refreshing::at(&server.origin()).await;
    it.services.write_refresh_token(it.id, Account::FIRST_GENERATION, "first").await;
    it.services.clock.advance_secs(3600);
    let (one, other, ()) =
        tokio::join!(it.refresher.access_token(&PERSON, it.id), it.refresher.access_token(&PERSON, it.id), async {
            // A second request would find nobody.
            let request = server.request().await;
            drop(server);
            assert!(request.body.contains("refresh_token=first"), "{}", request.body);
            request.respond(200, r#"{"access_token":"new","expires_in":3600}"#).await;
        });
    for token in [one, other] {
        assert_eq!(token.expect("a token").token.expose(), "new");
    }
}

impl Refreshing {
    /// The provider's host, and every place there, so that a refresh has to wait.
    async fn occupied_host(&self) -> (Arc<Host>, Vec<OwnedSemaphorePermit>) {
        let account = self.accounts.load(self.id).await.expect("there");
        let provider = self.services.providers.get(account.profile.environment_integration_id).expect("installed");
        let host = self.refresher.0.uses.hosts.get(&provider, &account.profile.context);
        let mut permits = Vec::new();
        while let Some(permit) = host.admit().now_or_never() {
            permits.push(permit.expect("not stopping"));
        }
        (host, permits)
    }
}

#[tokio::test]
async fn a_refresh_that_waited_for_its_host_asks_where_the_integration_says_by_then() {
    let (before, after) = (LocalServer::listen().await, LocalServer::listen().await);
    let (it, occupied, refreshing) = waiting_refresh(&before).await;
    it.move_integration(&before, &after, true).await;
    drop(occupied);
    let (token, ()) = tokio::join!(refreshing, async {
        let request = after.request().await;
        request.respond(200, r#"{"access_token":"new","expires_in":3600}"#).await;
    });
    assert_eq!(token.expect("refreshed").token.expose(), "new");
}

#[tokio::test]
async fn a_refresh_that_waited_for_its_host_sends_nothing_to_an_address_that_changed_meanwhile() {
    let (before, after) = (LocalServer::listen().await, LocalServer::listen().await);
    let (it, occupied, refreshing) = waiting_refresh(&before).await;
    it.move_integration(&before, &after, false).await;
    drop(occupied);
    assert_eq!(refreshing.await.expect_err("refused").code(), "origin_changed");
    assert!(after.request().now_or_never().is_none(), "nobody connected");
    let account = it.accounts.load(it.id).await.expect("there");
    assert_eq!(account.state.trouble().map(|trouble| trouble.failure.cause), Some(Cause::OriginChanged));
}

impl Refreshing {
    /// The integration's addresses move, with an update of Relink that says so or without.
    async fn move_integration(&self, before: &LocalServer, after: &LocalServer, with_update: bool) {
        let account = self.accounts.load(self.id).await.expect("there");
        let mut installed = (*self.accounts.installed_of(&account).expect("installed")).clone();
        let moved = installed.integration.document.to_string().replace(&before.origin(), &after.origin());
        installed.integration.document = serde_json::from_str(&moved).expect("JSON");
        installed.integration.built_in = with_update;
        // It is not the Sandbox, whose port is Relink's own.
        installed.integration.document["config"]["relink"]["sandbox"] = false.into();
        installed.integration.document["config"]["relink"]["moved_from"] = serde_json::json!([before.origin()]);
        self.services.providers.publish(installed);
    }
}

/// A refresh that is due and waits for its host, and what occupies the host.
async fn waiting_refresh(
    before: &LocalServer,
) -> (Arc<Refreshing>, impl Sized, BoxFuture<'static, Result<AccessToken>>) {
    let it = Arc::new(Refreshing::at(&before.origin()).await);
    it.services.write_refresh_token(it.id, Account::FIRST_GENERATION, "first").await;
    it.services.clock.advance_secs(3600);
    let (host, occupied) = it.occupied_host().await;
    let begun = Arc::clone(&it);
    let mut refreshing: BoxFuture<'static, _> = Box::pin(async move { begun.begin(RefreshReason::Due).await });
    while !host.has_due_waiting() {
        assert!((&mut refreshing).now_or_never().is_none(), "it waits");
        tokio::task::yield_now().await;
    }
    (it, occupied, refreshing)
}

#[tokio::test]
async fn a_program_that_waited_for_the_host_gets_the_token_that_came_meanwhile() {
    let it = Refreshing::with_credential(NOWHERE, SIGN_IN).await;
    let (_, occupied) = it.occupied_host().await;
    let mut waiting = Box::pin(it.begin(RefreshReason::TokenNeeded));
    assert!((&mut waiting).now_or_never().is_none(), "it waits");
    it.services.tokens.insert(it.id, access_token("of a reauthorization"));
    drop(occupied);
    assert_eq!(waiting.await.expect("a token").token.expose(), "of a reauthorization");
}

#[tokio::test]
async fn a_due_refresh_is_skipped_when_the_token_was_refreshed_meanwhile() {
    let it = Refreshing::at(NOWHERE).await;
    // As the loop does before it begins one: it is planned no more.
    it.services.schedule.set(it.id, None);
    let token = it.begin(RefreshReason::Due).await.expect("the one at hand");
    assert_eq!(token.token.expose(), "at hand");
    let again = it.planned().expect("planned");
    assert!(again > START.plus_secs(3000) && again < START.plus_secs(3600), "{again}");
}

#[tokio::test]
async fn a_requested_refresh_is_made_although_the_due_one_in_flight_is_skipped() {
    let it = Refreshing::at(NOWHERE).await;
    let mut due = Box::pin(it.begin(RefreshReason::Due));
    assert!((&mut due).now_or_never().is_none(), "it is in flight");
    let (due, requested) = tokio::join!(due, it.begin(RefreshReason::Requested));
    assert_eq!(due.expect("the one at hand").token.expose(), "at hand");
    assert_eq!(requested.expect_err("it is tried").code(), "credential_missing");
}

#[tokio::test]
async fn a_due_refresh_is_made_although_the_token_in_memory_is_still_fresh() {
    let it = Refreshing::at(NOWHERE).await;
    it.services.clock.advance_secs(3600 - 6 * 60);
    assert!(it.refresher.fresh_in_memory(it.id).is_some());
    let error = it.begin(RefreshReason::Due).await.expect_err("it is tried");
    assert_eq!(error.code(), "credential_missing");
}

#[tokio::test]
async fn a_due_refresh_is_made_although_an_uncommitted_token_is_fresh() {
    let it = Refreshing::at(NOWHERE).await;
    it.services.clock.advance_secs(3600);
    let lifetime = TokenLifetime::new(it.services.clock.now(), Some(it.services.clock.now().plus_secs(3600)));
    it.services.tokens.insert(it.id, AccessToken { lifetime, ..access_token("uncommitted") });
    let error = it.begin(RefreshReason::Due).await.expect_err("it is tried");
    assert_eq!(error.code(), "credential_missing");
}

#[tokio::test]
async fn a_refresh_that_fails_within_relink_is_scheduled_again_whoever_asked() {
    let it = Refreshing::at(NOWHERE).await;
    it.services.schedule.set(it.id, None);
    it.services.set_writable(false).await;
    for reason in [RefreshReason::Due, RefreshReason::Requested] {
        it.services.schedule.set(it.id, None);
        it.services.clock.advance_secs(3600);
        it.begin(reason).await.expect_err("its intent can't be committed");
        let again = it.planned();
        assert_eq!(again, Some(it.services.clock.now().plus_secs(60)), "{reason:?}");
    }
}

#[tokio::test]
async fn an_account_that_needs_attention_is_not_scheduled_after_an_internal_error() {
    let it = Refreshing::at(NOWHERE).await;
    it.begin(RefreshReason::Requested).await.expect_err("its credential is missing");
    assert_eq!(it.planned(), None);
    it.services.set_writable(false).await;
    it.begin(RefreshReason::Requested).await.expect_err("its intent can't be committed");
    assert_eq!(it.planned(), None);
}

#[tokio::test]
async fn a_deleted_accounts_token_is_gone_although_the_caller_has_gone_away() {
    // The deletion may be answered before the caller can go away, but not each time.
    for _ in 0..100 {
        let it = Refreshing::at(NOWHERE).await;
        let mut deleting = Box::pin(it.accounts.delete(&PERSON, it.id));
        let mut is_answered = false;
        while !is_answered && it.accounts.get(&PERSON, it.id).await.is_ok() {
            is_answered = (&mut deleting).now_or_never().is_some();
        }
        drop(deleting);
        assert_eq!(it.refresher.access_token(&PERSON, it.id).await.expect_err("gone").code(), "not_found");
        if !is_answered {
            return;
        }
    }
    panic!("no caller has gone away");
}

#[tokio::test]
async fn an_open_refresh_is_finished_although_the_token_in_memory_is_fresh() {
    let it = Refreshing::at(NOWHERE).await;
    it.accounts.commit(&PERSON, it.id, Input::BeginRefresh).await.expect("begun");
    let error = it.begin(RefreshReason::Due).await.expect_err("it is tried");
    assert_eq!(error.code(), "credential_missing");
}

#[tokio::test]
async fn a_deferred_refresh_is_scheduled_only_when_its_reason_is_over() {
    let it = Refreshing::at(NOWHERE).await;
    it.accounts.defer(&PERSON, it.id, DeferReason::KeychainLocked).await.expect("deferred");
    assert_eq!(it.planned(), None);
}

#[tokio::test]
async fn a_change_is_scheduled_with_its_commit_however_far_a_caller_that_goes_away_has_come() {
    let mut outlived = 0;
    for polls in 1..10 {
        let it = Refreshing::at(NOWHERE).await;
        it.services.schedule.set(it.id, None);
        let rename = Input::Rename { name: "Grace".to_owned() };
        let mut changing = Box::pin(it.accounts.commit(&PERSON, it.id, rename));
        for _ in 0..polls {
            if (&mut changing).now_or_never().is_some() {
                break;
            }
            it.services.store.write(|_| Ok(())).await.expect("what was asked before is done");
        }
        drop(changing);
        it.services.store.write(|_| Ok(())).await.expect("what was asked before is done");
        let is_renamed = it.accounts.load(it.id).await.expect("there").profile.name == "Grace";
        assert_eq!(it.planned().is_some(), is_renamed, "after {polls} polls");
        outlived += usize::from(is_renamed);
    }
    assert!(outlived > 0, "no caller came far enough");
}

#[tokio::test]
async fn a_tokens_use_is_recorded_to_the_minute_and_a_full_disk_does_not_refuse_the_token() {
    let it = Refreshing::at(NOWHERE).await;
    let noted_after = async |secs| {
        it.services.clock.advance_secs(secs);
        let token = it.refresher.access_token(&PERSON, it.id).await.expect("the one at hand");
        assert_eq!(token.token.expose(), "at hand");
        // The note is on its way beside the call.
        it.services.tasks.settle().await;
        it.accounts.get(&PERSON, it.id).await.expect("there").last_used_at
    };
    assert_eq!(noted_after(0).await, Some(START));
    assert_eq!(noted_after(59).await, Some(START));
    assert_eq!(noted_after(1).await, Some(START.plus_secs(60)));
    it.services.set_writable(false).await;
    assert_eq!(noted_after(60).await, Some(START.plus_secs(60)));
}

#[tokio::test]
async fn a_refresh_is_recorded_with_its_caller() {
    let agent = program();
    for is_check in [false, true] {
        let it = Refreshing::at(NOWHERE).await;
        it.services.clock.advance_secs(3600);
        let refresher = &it.refresher;
        let error = if is_check {
            refresher.check(&agent, it.id).await.expect_err("its credential is missing")
        } else {
            refresher.access_token(&agent, it.id).await.expect_err("its credential is missing")
        };
        assert_eq!(error.code(), "credential_missing");
        let newest = it.accounts.timeline(&PERSON, Some(it.id), None, 1).await.expect("read").remove(0);
        assert!(matches!(newest.event, TimelineEvent::RefreshFailed { .. }), "{newest:?}");
        assert_eq!(newest.caller.as_ref(), Some(&agent), "check: {is_check}");
    }
}
