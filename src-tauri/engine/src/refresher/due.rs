//! The loop that refreshes and checks due accounts.
//!
//! It reads the wall clock at least every 30 s, because timers stop while the machine sleeps. After a sleep or a
//! network change, due accounts are deferred briefly and spread.

use std::time::Duration;

use futures_util::StreamExt as _;
use relink_domain::{
    AccountId, Timestamp,
    account::{Credential, DeferReason, Due, Input},
    caller::Caller,
};
use tokio::time::Instant;

use super::{RefreshReason, Refresher};
use crate::{
    clock::{ClockChange, ClockWatch},
    error::{Error, Result},
    keychain::KeychainState,
    network::{self, Network},
    random::jitter,
    schedule::spread_secs,
    scheduler::{Taken, pause_until},
    store::{
        accounts::{self, DueAccount},
        filter::{AccountOrder, Filter},
        timeline,
    },
};

/// The maximum time between two readings of the wall clock.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// The same while an account waits for the network.
const NETWORK_POLL_INTERVAL: Duration = Duration::from_secs(2);
/// The maximum number of accounts whose times are moved at once after the clock was set back.
const MAX_MOVED_AT_ONCE: usize = 64;
/// If something was recorded this much later than now, the clock was set back while Relink didn't run.
const MAX_CLOCK_SKEW_MILLIS: i64 = 60_000;
/// How long to wait for the network after the machine woke.
const NETWORK_SETTLE_TIME: Duration = Duration::from_secs(5);
/// The delay before a check that waits for the network is due again.
const CHECK_RETRY_DELAY_SECS: i64 = 60;

/// The network, as last observed by the loop.
struct Observed {
    network: Network,
    woken_at: Option<Instant>,
}

pub(super) async fn run(refresher: Refresher) {
    let schedule = &refresher.0.uses.schedule;
    let mut clock = refresher.0.uses.clock.changes();
    let mut keychain = refresher.0.uses.keychain.state();
    let mut watch = ClockWatch::new(refresher.now());
    let mut observed = Observed { network: network::now(), woken_at: None };
    loop {
        let now = refresher.now();
        let change = watch.look(now);
        let has_jumped = change == ClockChange::Ahead;
        if has_jumped {
            observed.woken_at = Some(Instant::now());
        } else if let ClockChange::Back(millis) = change
            && let Err(error) = refresher.clock_set_back(millis).await
        {
            tracing::warn!(code = error.code(), "could not be scheduled again: {error}");
        }
        refresher.resume_deferred(&mut observed, now);
        if *keychain.borrow_and_update() == KeychainState::Available {
            schedule.resume(|reason| matches!(reason, DeferReason::KeychainLocked | DeferReason::KeychainAbsent), now);
        }

        let Taken { due, next } = schedule.take_due(now);
        if has_jumped && !due.is_empty() {
            tracing::info!(accounts = due.len(), "the clock jumped: what is due is deferred and spread");
        }
        for account in due {
            refresher.begin(account, has_jumped);
        }

        let at_most = if schedule.waits_for_network() { NETWORK_POLL_INTERVAL } else { MAX_PAUSE };
        tokio::select! {
            () = tokio::time::sleep(pause_until(next, now, at_most)) => {}
            () = schedule.changed() => {}
            () = clock.changed() => {}
            _ = keychain.changed(), if schedule.waits_for_keychain() => {}
        }
    }
}

impl Refresher {
    /// Schedules the accounts that waited for the network, once it has settled.
    fn resume_deferred(&self, observed: &mut Observed, now: Timestamp) {
        if observed.woken_at.is_some_and(|at| at.elapsed() < NETWORK_SETTLE_TIME) {
            return;
        }
        let schedule = &self.0.uses.schedule;
        let network = network::now();
        observed.woken_at = None;
        schedule.resume(|reason| reason == DeferReason::JustWoken, now);
        // Accounts whose provider is still unreachable are deferred again.
        if network > observed.network {
            schedule.resume(|reason| reason == DeferReason::Offline, now.plus_secs(1));
        } else if network == Network::Up {
            schedule.resume(|reason| reason == DeferReason::Offline, now);
        }
        observed.network = network;
    }

    /// Begins the account's due refresh or check in a separate task. The account's timeline records the result.
    fn begin(&self, id: AccountId, just_woken: bool) {
        let refresher = self.clone();
        self.0.uses.tasks.spawn(async move {
            if let Err(error) = refresher.refresh_or_check(id, just_woken).await {
                tracing::debug!(account = %id, code = error.code(), "not done: {error}");
                refresher.schedule_after_internal_error(id, &error).await;
            }
        });
    }

    async fn refresh_or_check(&self, id: AccountId, just_woken: bool) -> Result<()> {
        let account = self.0.uses.accounts.load(id).await?;
        if account.withheld_until().is_some() {
            return self.0.uses.accounts.commit(&Caller::Internal, id, Input::AnnounceWithheld).await.map(drop);
        }
        match account.state.credential() {
            Credential::Fixed(_) => Box::pin(self.check_when_online(id)).await,
            // A caller may have refreshed it since the machine woke.
            Credential::Renewing(_) if just_woken && self.refreshed_meanwhile(&account).is_none() => {
                self.0.uses.accounts.defer(&Caller::Internal, id, DeferReason::JustWoken).await
            }
            Credential::Renewing(_) if just_woken => Ok(()),
            Credential::Renewing(_) => {
                // Don't wait for the refresh: it schedules what comes next, whoever began it.
                self.enter_refresh(&Caller::Internal, id, RefreshReason::Due).map(drop)
            }
        }
    }

    /// Makes a scheduled check, or schedules it again if the network doesn't reach the provider.
    async fn check_when_online(&self, id: AccountId) -> Result<()> {
        let account = self.0.uses.accounts.load(id).await?;
        let provider = self.0.uses.providers.of(&account)?;
        if !provider.is_within_reach(&account.profile.context) {
            self.0.uses.schedule.set(id, Some(self.now().plus_secs(CHECK_RETRY_DELAY_SECS)));
            return Ok(());
        }
        self.check(&Caller::Internal, id).await.map(drop)
    }

    /// Moves every time that was planned by the old clock, and schedules all accounts again.
    async fn clock_set_back(&self, millis: i64) -> Result<()> {
        tracing::info!(millis, "the clock was set back: everything is scheduled again");
        self.0.uses.hosts.clock_set_back(millis);
        self.0.uses.tokens.clock_set_back(millis);
        let ids = self.0.uses.store.read(accounts::ids).await?;
        let moved = futures_util::stream::iter(ids).map(|id| async move {
            let input = Input::ClockSetBack { millis };
            match self.0.uses.accounts.commit(&Caller::Internal, id, input).await {
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => tracing::warn!(account = %id, code = error.code(), "its times stay: {error}"),
            }
        });
        moved.buffer_unordered(MAX_MOVED_AT_ONCE).collect::<()>().await;
        self.schedule_all_again().await
    }

    /// Fills the schedule at the start. The access tokens of the last process are lost, so working accounts that were
    /// used in the last day are refreshed in the background, spread, and their next caller needn't wait.
    pub(crate) async fn schedule_all(&self) -> Result<()> {
        let now = self.now();
        // What was recorded last tells the clock that everything was planned by.
        let latest = self.0.uses.store.read(timeline::latest_time).await?;
        if let Some(ahead) = latest.map(|at| at.millis_since(now)).filter(|ahead| *ahead > MAX_CLOCK_SKEW_MILLIS) {
            tracing::info!(ahead, "the clock was set back since the last run: everything is scheduled again");
            return self.schedule_all_again().await;
        }
        let read = self
            .0
            .uses
            .store
            .read(move |c| Ok((accounts::due(c)?, accounts::used_since(c, now.plus_secs(-24 * 60 * 60))?)));
        let (due, used) = read.await?;
        let overdue = due.iter().filter(|entry| entry.due.at() <= now).count();
        let span = spread_secs(overdue + used.len());
        for DueAccount { id, due } in due {
            let is_warm_up = matches!(due, Due::Refresh(_)) && used.contains(&id);
            let at = if is_warm_up || due.at() <= now { jitter().within(now, span) } else { due.at() };
            self.0.uses.schedule.set(id, Some(at));
        }
        Ok(())
    }

    /// Fills the schedule after the clock was set back, because times from the clock that was ahead would be too late.
    async fn schedule_all_again(&self) -> Result<()> {
        let now = self.now();
        let all = self
            .0
            .uses
            .store
            .read(|c| accounts::list(c, &Filter::default(), AccountOrder::OLDEST_FIRST, None, None))
            .await?;
        let due: Vec<_> =
            all.iter().filter_map(|(account, _)| Some((account.id(), account.due_by(now, jitter())?.at()))).collect();
        let span = spread_secs(due.iter().filter(|(_, at)| *at <= now).count());
        for (id, at) in due {
            let at = if at <= now { jitter().within(now, span) } else { at };
            self.0.uses.schedule.set(id, Some(at));
        }
        Ok(())
    }
}
