//! Which runs go on now.

use super::{Claim, RunStatus};
use crate::{SyncJobRunId, Timestamp};

/// A run that isn't over, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    pub id: SyncJobRunId,
    pub status: RunStatus,
    pub claim: Claim,
    pub wait: Wait,
}

/// What a run waits for before its next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    Nothing,
    /// A provider or a destination asked for it.
    Until(Timestamp),
    /// Its account needs its person (**ours**: [`OnNeedsReauth::Wait`](super::OnNeedsReauth)).
    ForPerson,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The runs to work on.
    pub begin: Vec<SyncJobRunId>,
    /// When the next wait ends.
    pub next: Option<Timestamp>,
}

/// Which of the open runs, oldest first, are to be worked on. `is_under_way`: those that are already; at most `at_most` at once.
///
/// A run that waits has begun: others with its mutex wait for it.
pub fn plan(runs: &[OpenRun], is_under_way: impl Fn(SyncJobRunId) -> bool, at_most: usize, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let mut places = at_most.saturating_sub(runs.iter().filter(|run| is_under_way(run.id)).count());
    let mut begun: Vec<&Claim> = Vec::new();
    for run in runs.iter().filter(|run| run.status != RunStatus::Created) {
        begun.push(&run.claim);
        if is_under_way(run.id) {
            continue;
        }
        match run.wait {
            Wait::ForPerson => continue,
            Wait::Until(at) if at > now => {
                plan.next = Some(plan.next.map_or(at, |known| known.min(at)));
                continue;
            }
            Wait::Until(_) | Wait::Nothing => {}
        }
        if places > 0 {
            places -= 1;
            plan.begin.push(run.id);
        }
    }
    for run in runs.iter().filter(|run| run.status == RunStatus::Created && !is_under_way(run.id)) {
        if places > 0 && begun.iter().all(|other| run.claim.may_start_beside(other)) {
            places -= 1;
            begun.push(&run.claim);
            plan.begin.push(run.id);
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::SyncJobId;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn run(n: u128, status: RunStatus, mutex: &str, wait: Wait) -> OpenRun {
        let claim = Claim {
            job: SyncJobId::from_uuid(Uuid::from_u128(9)),
            mutex: Some(mutex.to_owned()),
            trigger: None,
            force: false,
        };
        OpenRun { id: id(n), status, claim, wait }
    }

    fn id(n: u128) -> SyncJobRunId {
        SyncJobRunId::from_uuid(Uuid::from_u128(n))
    }

    #[test]
    fn the_oldest_of_one_mutex_begins_and_the_others_wait() {
        use RunStatus::Created;
        let runs = [1, 2, 3].map(|n| run(n, Created, if n == 3 { "b" } else { "a" }, Wait::Nothing));
        let planned = plan(&runs, |_| false, 8, NOW);
        assert_eq!(planned, Plan { begin: vec![id(1), id(3)], next: None });
        let one = plan(&runs, |_| false, 1, NOW);
        assert_eq!(one.begin, [id(1)], "there is one place");
        assert_eq!(plan(&runs[1..], |_| false, 8, NOW).begin, [id(2), id(3)], "the first one is over");
    }

    #[test]
    fn a_run_that_waits_keeps_its_mutex_and_no_place() {
        use RunStatus::{Created, RateLimited, Running};
        let waiting = |wait| [run(1, RateLimited, "a", wait), run(2, Created, "a", Wait::Nothing)];
        let later = NOW.plus_secs(60);
        assert_eq!(plan(&waiting(Wait::Until(later)), |_| false, 8, NOW), Plan { begin: vec![], next: Some(later) });
        assert_eq!(plan(&waiting(Wait::Until(NOW)), |_| false, 8, NOW).begin, [id(1)]);
        assert_eq!(plan(&waiting(Wait::ForPerson), |_| false, 8, NOW), Plan::default());
        let others = [run(1, Running, "a", Wait::ForPerson), run(2, Created, "b", Wait::Nothing)];
        assert_eq!(plan(&others, |_| false, 1, NOW).begin, [id(2)]);
    }

    #[test]
    fn a_run_under_way_is_not_begun_again_and_has_a_place() {
        use RunStatus::{Created, Running};
        let runs = [run(1, Running, "a", Wait::Nothing), run(2, Created, "b", Wait::Nothing)];
        assert_eq!(plan(&runs, |run| run == id(1), 2, NOW).begin, [id(2)]);
        assert_eq!(plan(&runs, |run| run == id(1), 1, NOW).begin, []);
        assert_eq!(plan(&runs, |_| false, 8, NOW).begin, [id(1), id(2)], "after a restart both go on");
    }
}
