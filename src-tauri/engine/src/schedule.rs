//! The agenda: what is due for which account, and the loop that does it.
//!
//! The wall clock is looked at every 30 s at most, because timers stand still while the machine sleeps. After a sleep or a
//! change of network, what is due is put off a little and spread.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Mutex,
    time::Duration,
};

use relink_domain::{
    AccountId, Timestamp,
    account::{DeferReason, Due, Rejected},
};
use tokio::{sync::Notify, time::Instant};

use crate::{
    Engine, Error,
    engine::{held, jitter},
    error::Result,
    in_flight::Reason,
    keychain::KeychainState,
    network::{self, Network},
    refresh::open_generation,
    store::accounts::{self, Filter},
};

/// The longest the loop sleeps without looking at the wall clock.
const LOOK: Duration = Duration::from_secs(30);
/// How often the loop looks while something waits for the network.
const LOOK_FOR_NETWORK: Duration = Duration::from_secs(2);
/// The wall clock ran so much further than the loop slept: the machine was asleep, or its clock was set.
const JUMP_MILLIS: i64 = 60_000;
/// How long the network is given to come back after that.
const SETTLE: Duration = Duration::from_secs(5);
/// When something is tried again that failed within Relink: the database, a broken definition.
const AGAIN_SECS: i64 = 60;
/// What fell due meanwhile is spread over this long, and longer where it is much.
const SPREAD_SECS: i64 = 20;
/// So many refreshes a second are spread at most.
const SPREAD_PER_SEC: usize = 20;

/// What is due, soonest first.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    lists: Mutex<Lists>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Lists {
    order: BTreeSet<(Timestamp, AccountId)>,
    due: HashMap<AccountId, Due>,
    waiting: HashMap<AccountId, DeferReason>,
}

impl Lists {
    fn set(&mut self, id: AccountId, due: Option<Due>) {
        let before = match due {
            Some(due) => self.due.insert(id, due),
            None => self.due.remove(&id),
        };
        if let Some(before) = before {
            self.order.remove(&(before.at(), id));
        }
        if let Some(due) = due {
            self.order.insert((due.at(), id));
        }
    }
}

impl Agenda {
    /// What falls due next for this account. It waits for nothing else any more.
    pub(crate) fn set(&self, id: AccountId, due: Option<Due>) {
        {
            let mut lists = held(&self.lists);
            lists.waiting.remove(&id);
            lists.set(id, due);
        }
        self.changed.notify_one();
    }

    /// The account is gone.
    pub(crate) fn remove(&self, id: AccountId) {
        let mut lists = held(&self.lists);
        lists.waiting.remove(&id);
        lists.set(id, None);
    }

    /// The account waits for this to be over.
    pub(crate) fn wait_for(&self, id: AccountId, why: DeferReason) {
        {
            let mut lists = held(&self.lists);
            lists.waiting.insert(id, why);
            lists.set(id, None);
        }
        self.changed.notify_one();
    }

    /// Plans something for an account for which nothing is planned: what was to be done could not even be put off.
    pub(crate) fn set_unless_planned(&self, id: AccountId, due: Due) {
        {
            let mut lists = held(&self.lists);
            if lists.due.contains_key(&id) || lists.waiting.contains_key(&id) {
                return;
            }
            lists.set(id, Some(due));
        }
        self.changed.notify_one();
    }

    /// Takes up what waited for one of these, spread from `from` on.
    fn take_up(&self, over: impl Fn(DeferReason) -> bool, from: Timestamp) {
        let mut lists = held(&self.lists);
        let ids: Vec<_> = lists.waiting.iter().filter(|(_, why)| over(**why)).map(|(id, _)| *id).collect();
        let span = spread_secs(ids.len());
        for id in ids {
            lists.waiting.remove(&id);
            lists.set(id, Some(Due::Refresh(jitter().within(from, span))));
        }
    }

    /// What is due by now, and when the next thing will be.
    pub(crate) fn take_due(&self, now: Timestamp) -> (Vec<(AccountId, Due)>, Option<Timestamp>) {
        let mut lists = held(&self.lists);
        let mut taken = Vec::new();
        while let Some(&(at, id)) = lists.order.first() {
            if at > now {
                return (taken, Some(at));
            }
            if let Some(&due) = lists.due.get(&id) {
                taken.push((id, due));
            }
            lists.set(id, None);
        }
        (taken, None)
    }

    fn waits_for_network(&self) -> bool {
        held(&self.lists).waiting.values().any(|why| matches!(why, DeferReason::Offline | DeferReason::JustWoken))
    }

    fn waits_for_keychain(&self) -> bool {
        held(&self.lists)
            .waiting
            .values()
            .any(|why| matches!(why, DeferReason::KeychainLocked | DeferReason::KeychainAbsent))
    }
}

/// Over how many seconds so many refreshes are spread.
fn spread_secs(count: usize) -> i64 {
    let needed = i64::try_from(count / SPREAD_PER_SEC).unwrap_or(SPREAD_SECS);
    if count <= 1 { 1 } else { needed.max(SPREAD_SECS.min(i64::try_from(count).unwrap_or(SPREAD_SECS))) }
}

/// The loop.
pub(crate) async fn run(engine: Engine) {
    let agenda = &engine.0.agenda;
    let mut keychain = engine.0.keychain.state();
    let mut clock_changes = engine.0.clock.changes();
    let mut looked = (engine.now(), Instant::now());
    let mut known = network::now();
    let mut woken_at: Option<Instant> = None;
    loop {
        let now = engine.now();
        let slept = i64::try_from(looked.1.elapsed().as_millis()).unwrap_or(i64::MAX);
        let jump = now.millis_since(looked.0) - slept;
        let jumped = jump > JUMP_MILLIS;
        looked = (now, Instant::now());
        if jumped {
            woken_at = Some(Instant::now());
        } else if jump < -JUMP_MILLIS {
            tracing::info!("the clock was set back: everything is planned anew");
            if let Err(error) = engine.plan_anew().await {
                tracing::warn!(code = error.code(), "could not be planned anew: {error}");
            }
        }

        let network = network::now();
        if woken_at.is_none_or(|at| at.elapsed() >= SETTLE) {
            woken_at = None;
            agenda.take_up(|why| why == DeferReason::JustWoken, now);
            // What is still out of reach waits on.
            if network > known {
                agenda.take_up(|why| why == DeferReason::Offline, now.plus_secs(1));
            } else if network == Network::Up {
                agenda.take_up(|why| why == DeferReason::Offline, now);
            }
            known = network;
        }
        if *keychain.borrow_and_update() == KeychainState::Available {
            agenda.take_up(|why| matches!(why, DeferReason::KeychainLocked | DeferReason::KeychainAbsent), now);
        }

        let (due, next) = agenda.take_due(now);
        if jumped && !due.is_empty() {
            tracing::info!(accounts = due.len(), "the clock jumped: what is due is spread");
            defer_after_jump(&engine, due).await;
        } else {
            for (id, due) in due {
                begin(&engine, id, due);
            }
        }

        let mut pause = if agenda.waits_for_network() { LOOK_FOR_NETWORK } else { LOOK };
        if let Some(next) = next {
            let until = u64::try_from(next.millis_since(now)).unwrap_or(0);
            pause = pause.min(Duration::from_millis(until));
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = agenda.changed.notified() => {}
            () = clock_changes.changed() => {}
            _ = keychain.changed(), if agenda.waits_for_keychain() => {}
        }
    }
}

/// Refreshes wait for the network to settle, and say so; checks begin at once.
async fn defer_after_jump(engine: &Engine, due: Vec<(AccountId, Due)>) {
    for (id, due) in due {
        match due {
            Due::Check(_) => begin(engine, id, due),
            Due::Refresh(_) => {
                let defer = async {
                    // The first caller after the sleep may have been quicker.
                    if engine.renewed_meanwhile(&engine.load(id).await?).is_some() {
                        return Ok(());
                    }
                    engine.defer(id, DeferReason::JustWoken).await
                };
                if let Err(error) = defer.await {
                    tracing::warn!(account = %id, code = error.code(), "could not be put off: {error}");
                    engine.plan_again(id, due, &error).await;
                }
            }
        }
    }
}

/// Begins what is due, in a task of its own. How it ends is in the account's timeline.
fn begin(engine: &Engine, id: AccountId, due: Due) {
    let worker = engine.clone();
    engine.0.tasks.spawn(async move {
        match due {
            // What follows is the flight's to plan, whoever began it.
            Due::Refresh(_) => drop(worker.fly(id, Reason::Due, false).await),
            Due::Check(_) => {
                if let Err(error) = worker.check_when_online(id).await {
                    tracing::debug!(account = %id, code = error.code(), "not checked: {error}");
                    worker.plan_again(id, due, &error).await;
                }
            }
        }
    });
}

impl Engine {
    /// Plans anew what failed within Relink: nothing else would come of it. An account that waits for its person goes on
    /// waiting.
    pub(crate) async fn plan_again(&self, id: AccountId, due: Due, error: &Error) {
        if let (Due::Refresh(_), Ok(account)) = (due, self.load(id).await)
            && account.due(jitter()).is_none()
            && open_generation(&account).is_err()
        {
            return;
        }
        match error {
            // What comes next was planned with it, or there is nothing to come.
            Error::Provider { .. }
            | Error::Deferred
            | Error::NotFound { .. }
            | Error::Stopping
            | Error::Rejected(Rejected::NotRenewing) => {}
            _ => self.0.agenda.set_unless_planned(id, due.moved_to(self.now().plus_secs(AGAIN_SECS))),
        }
    }

    /// A check that nobody asked for waits for the network.
    async fn check_when_online(&self, id: AccountId) -> Result<()> {
        let account = self.load(id).await?;
        let provider = self.provider(account.profile.environment_integration_id).await?;
        if !provider.is_within_reach() {
            self.0.agenda.set(id, Some(Due::Check(self.now().plus_secs(AGAIN_SECS))));
            return Ok(());
        }
        self.check(id).await.map(drop)
    }

    /// Fills the agenda at the start. Accounts that work and were used in the last day, and whose access token was lost with
    /// the last process, are refreshed in the background, spread, so that their next caller needn't wait.
    pub(crate) async fn plan(&self) -> Result<()> {
        let now = self.now();
        let (due, used) = self
            .0
            .store
            .read(move |c| {
                let used = accounts::used_since(c, now.plus_secs(-24 * 60 * 60))?;
                Ok((accounts::due(c)?, used))
            })
            .await?;
        let overdue = due.iter().filter(|entry| entry.due.at() <= now).count();
        let span = spread_secs(overdue + used.len());
        for entry in due {
            let warm_up = matches!(entry.due, Due::Refresh(_)) && used.contains(&entry.id);
            let at = if warm_up || entry.due.at() <= now { jitter().within(now, span) } else { entry.due.at() };
            self.0.agenda.set(entry.id, Some(entry.due.moved_to(at)));
        }
        Ok(())
    }

    /// Fills the agenda after the clock was set back: what was planned by a clock that was ahead would come too late.
    async fn plan_anew(&self) -> Result<()> {
        let now = self.now();
        let all = self.0.store.read(|c| accounts::list(c, &Filter::default(), None, None)).await?;
        let due: Vec<_> =
            all.iter().filter_map(|(account, _)| Some((account.id(), account.due_by(now, jitter())?))).collect();
        let span = spread_secs(due.iter().filter(|(_, due)| due.at() <= now).count());
        for (id, due) in due {
            let at = if due.at() <= now { jitter().within(now, span) } else { due.at() };
            self.0.agenda.set(id, Some(due.moved_to(at)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use relink_domain::schedule::Jitter;
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn id(n: u128) -> AccountId {
        AccountId::from_uuid(Uuid::from_u128(n))
    }

    fn refresh(secs: i64) -> Due {
        Due::Refresh(NOW.plus_secs(secs))
    }

    #[test]
    fn what_is_due_is_taken_once_and_the_next_is_named() {
        let agenda = Agenda::default();
        agenda.set(id(1), Some(refresh(-1)));
        agenda.set(id(2), Some(refresh(60)));
        let (due, next) = agenda.take_due(NOW);
        assert_eq!((due.len(), next), (1, Some(NOW.plus_secs(60))));
        assert_eq!(agenda.take_due(NOW).0, []);
    }

    #[test]
    fn a_new_time_takes_the_old_ones_place() {
        let agenda = Agenda::default();
        agenda.set(id(1), Some(refresh(-1)));
        agenda.set(id(1), Some(refresh(60)));
        assert_eq!(agenda.take_due(NOW), (vec![], Some(NOW.plus_secs(60))));
        agenda.remove(id(1));
        assert_eq!(agenda.take_due(NOW.plus_secs(3600)), (vec![], None));
    }

    #[test]
    fn what_waits_is_taken_up_when_its_reason_is_over_and_not_before() {
        let agenda = Agenda::default();
        agenda.set(id(1), Some(refresh(-1)));
        agenda.wait_for(id(1), DeferReason::KeychainLocked);
        assert_eq!(agenda.take_due(NOW.plus_secs(600)).0, []);
        agenda.take_up(|why| why == DeferReason::Offline, NOW);
        assert_eq!(agenda.take_due(NOW.plus_secs(600)).0, []);
        agenda.take_up(|why| why == DeferReason::KeychainLocked, NOW);
        assert_eq!(agenda.take_due(NOW.plus_secs(600)).0.len(), 1);
    }

    #[test]
    fn many_are_spread_further_than_few() {
        assert_eq!([1, 2, 20, 10_000].map(spread_secs), [1, 2, 20, 500]);
        assert_eq!(Jitter::NONE.within(NOW, 10), NOW);
    }
}
