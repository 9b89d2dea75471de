//! What becomes of a run: its statuses, the events of each change, and when it may start (contract sections 9.1, 9.2 and 9.4).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{SyncJobCronTriggerId, SyncJobId, event::EventKind};

/// A word that isn't one of those that a setting knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {found:?} isn't known. Use {known}.")]
pub struct UnknownWord {
    pub field: &'static str,
    pub found: String,
    pub known: String,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident of $field:literal { $($(#[$inner:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(ts_rs::TS))]
        pub enum $name {
            $($(#[$inner])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        #[cfg(feature = "schema")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::schema::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .enum_values(Some(Self::ALL.iter().map(|it| it.as_str())))
                    .into()
            }
        }

        #[cfg(feature = "schema")]
        impl utoipa::ToSchema for $name {}

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::sync::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|it| it.as_str() == text).ok_or_else(|| $crate::sync::UnknownWord {
                    field: $field,
                    found: text.to_owned(),
                    known: [$($word),+].join(", "),
                })
            }
        }
    };
}

pub(super) use words;

words! {
    /// A run's status. A run that waits for its person, see [`OnNeedsReauth::Wait`], is still `running`.
    RunStatus of "status" {
        /// It waits to be started, possibly for another run with the same mutex.
        Created = "created",
        Running = "running",
        /// The provider limits calls for a while. The run goes on automatically.
        RateLimited = "rate_limited",
        Completed = "completed",
        Failed = "failed",
        /// By a person or a program.
        Stopped = "stopped",
    }
}

words! {
    /// What an error in a run leads to.
    ErrorHandling of "error_handling" {
        /// The first one ends the run.
        FailFast = "fail_fast",
        /// Each is sent, and the run goes on.
        Ignore = "ignore",
        /// All are sent together, and the run goes on.
        Batch = "batch",
    }
}

impl ErrorHandling {
    /// Truto's documents disagree: it is `fail_fast` for runtime 4 and `ignore` for the others (contract section 9.4, **ours**).
    pub const fn of_runtime(version: u32) -> Self {
        if version >= 4 { Self::FailFast } else { Self::Ignore }
    }
}

words! {
    /// What a run does when its account needs reauthorization (**ours**).
    OnNeedsReauth of "on_needs_reauth" {
        /// As at Truto: it is an error like any other.
        Fail = "fail",
        /// The run waits for its person, and goes on where it stopped.
        Wait = "wait",
    }
}

words! {
    /// An event of a run. The payload of most is the run's row.
    RunEvent of "event" {
        Created = "sync_job_run:created",
        Updated = "sync_job_run:updated",
        Started = "sync_job_run:started",
        /// Records for a webhook destination.
        Record = "sync_job_run:record",
        RecordError = "sync_job_run:record_error",
        RateLimited = "sync_job_run:rate_limited",
        Completed = "sync_job_run:completed",
        Failed = "sync_job_run:failed",
        Deleted = "sync_job_run:deleted",
    }
}

impl From<RunEvent> for EventKind {
    fn from(event: RunEvent) -> Self {
        match event {
            RunEvent::Created => Self::SyncJobRunCreated,
            RunEvent::Updated => Self::SyncJobRunUpdated,
            RunEvent::Started => Self::SyncJobRunStarted,
            RunEvent::Record => Self::SyncJobRunRecord,
            RunEvent::RecordError => Self::SyncJobRunRecordError,
            RunEvent::RateLimited => Self::SyncJobRunRateLimited,
            RunEvent::Completed => Self::SyncJobRunCompleted,
            RunEvent::Failed => Self::SyncJobRunFailed,
            RunEvent::Deleted => Self::SyncJobRunDeleted,
        }
    }
}

/// What happens to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunChange {
    Start,
    /// A provider answered with 429.
    LimitRate,
    /// The wait after that is over.
    Continue,
    Complete,
    Fail,
    /// `PATCH status: stopped`.
    Stop,
    /// `DELETE`: the row stays, stopped, and nothing of where the run was is kept.
    Delete,
    /// `PATCH status: created` (**ours**): a stopped run waits to be started again, and goes on where it was.
    Resume,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The run is {status}, and can't be changed any more. Start another one.")]
pub struct RefusedChange {
    pub status: RunStatus,
}

impl RunStatus {
    /// What a new run sends.
    pub const ON_CREATE: &[RunEvent] = &[RunEvent::Created];

    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Stopped)
    }

    /// The status after a change, and the events that it sends, in their order. None: nothing changes, and nothing is sent.
    ///
    /// A run that is over stays as it is: to delete it again changes nothing, and whatever its runner still reports is refused.
    pub fn change(self, change: RunChange) -> Result<Option<(Self, &'static [RunEvent])>, RefusedChange> {
        use RunEvent::{Completed, Deleted, Failed, RateLimited, Started, Updated};
        let (status, events): (Self, &'static [RunEvent]) = match (self, change) {
            (Self::Stopped, RunChange::Stop) => return Ok(None),
            (over, RunChange::Delete) if over.is_over() => return Ok(None),
            (Self::Stopped, RunChange::Resume) => (Self::Created, &[Updated]),
            (over, _) if over.is_over() => return Err(RefusedChange { status: over }),
            (Self::Created, RunChange::Start) => (Self::Running, &[Started, Updated]),
            (Self::Running, RunChange::LimitRate) => (Self::RateLimited, &[RateLimited, Updated]),
            (Self::RateLimited, RunChange::Continue) => (Self::Running, &[Updated]),
            (_, RunChange::Complete) => (Self::Completed, &[Updated, Completed]),
            (_, RunChange::Fail) => (Self::Failed, &[Updated, Failed]),
            (_, RunChange::Stop) => (Self::Stopped, &[Updated]),
            (_, RunChange::Delete) => (Self::Stopped, &[Updated, Deleted]),
            // After a restart a run that was running is started again, and one that waited may be limited again.
            (_, RunChange::Start | RunChange::LimitRate | RunChange::Continue | RunChange::Resume) => return Ok(None),
        };
        Ok(Some((status, events)))
    }
}

/// `events_to_send`: which of a run's events are sent. All, if it is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventFilter(Option<BTreeSet<RunEvent>>);

impl EventFilter {
    /// Names with or without `sync_job_run:` (**ours**: Truto's documents don't say which).
    pub fn parse<'n>(names: Option<impl IntoIterator<Item = &'n str>>) -> Result<Self, UnknownWord> {
        let Some(names) = names else { return Ok(Self(None)) };
        let read = |name: &str| {
            let full = if name.contains(':') { name.to_owned() } else { format!("sync_job_run:{name}") };
            full.parse::<RunEvent>()
        };
        let events = names.into_iter().map(read).collect::<Result<_, _>>();
        events.map(|events| Self(Some(events))).map_err(|error| UnknownWord { field: "events_to_send", ..error })
    }

    pub fn sends(&self, event: RunEvent) -> bool {
        self.0.as_ref().is_none_or(|events| events.contains(&event))
    }
}

/// What decides whether a run may start beside others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub job: SyncJobId,
    /// The filled `mutex_key`. An empty one is none.
    pub mutex: Option<String>,
    /// The trigger that made it.
    pub trigger: Option<SyncJobCronTriggerId>,
    /// Past the mutex.
    pub force: bool,
}

impl Claim {
    /// Whether a run may start beside one that is under way. If not, it stays `created` until that one is over.
    ///
    /// Runs of one job with the same mutex wait for each other, and so do those of one trigger (**ours**).
    pub fn may_start_beside(&self, active: &Self) -> bool {
        let key = |claim: &Self| claim.mutex.clone().filter(|key| !key.is_empty());
        let has_same_mutex = self.job == active.job && key(self).is_some() && key(self) == key(active);
        let has_same_trigger = self.trigger.is_some() && self.trigger == active.trigger;
        (self.force || !has_same_mutex) && !has_same_trigger
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn each_change_has_a_status_and_events_in_their_order() {
        use RunChange::{Complete, Continue, Delete, Fail, LimitRate, Resume, Start, Stop};
        use RunStatus::{Completed, Created, Failed, RateLimited, Running, Stopped};
        for (status, change, expected, events) in [
            (Created, Start, Running, "started updated"),
            (Created, Fail, Failed, "updated failed"),
            (Created, Stop, Stopped, "updated"),
            (Running, LimitRate, RateLimited, "rate_limited updated"),
            (RateLimited, Continue, Running, "updated"),
            (RateLimited, Complete, Completed, "updated completed"),
            (Running, Complete, Completed, "updated completed"),
            (Running, Fail, Failed, "updated failed"),
            (Running, Stop, Stopped, "updated"),
            (RateLimited, Delete, Stopped, "updated deleted"),
            (Stopped, Resume, Created, "updated"),
        ] {
            let (found, sent) = status.change(change).expect("allowed").expect("a change");
            let sent: Vec<_> = sent.iter().map(|it| it.as_str().trim_start_matches("sync_job_run:")).collect();
            assert_eq!((found, sent.join(" ").as_str()), (expected, events), "{status} {change:?}");
        }
        for (status, change) in [
            (Running, Start),
            (RateLimited, LimitRate),
            (Running, Continue),
            (Stopped, Stop),
            (Completed, Delete),
            (Running, Resume),
        ] {
            assert_eq!(status.change(change), Ok(None), "{status} {change:?}");
        }
        for status in [Completed, Failed, Stopped] {
            for change in [Start, LimitRate, Continue, Complete, Fail] {
                assert_eq!(status.change(change), Err(RefusedChange { status }), "{status} {change:?}");
            }
        }
        for status in [Completed, Failed] {
            for change in [Stop, Resume] {
                assert_eq!(status.change(change), Err(RefusedChange { status }), "{status} {change:?}");
            }
        }
        assert_eq!(RunStatus::ON_CREATE, [RunEvent::Created]);
    }

    #[test]
    fn an_event_of_a_run_has_one_name() {
        for event in RunEvent::ALL {
            assert_eq!(EventKind::from(*event).as_str(), event.as_str());
        }
    }

    #[test]
    fn events_to_send_narrows_what_is_sent() {
        let all = EventFilter::parse(None::<[&str; 0]>).expect("all");
        assert!(RunEvent::ALL.iter().all(|event| all.sends(*event)));
        let some = EventFilter::parse(Some(["record", "sync_job_run:completed"])).expect("known");
        let sent: Vec<_> = RunEvent::ALL.iter().filter(|event| some.sends(**event)).collect();
        assert_eq!(sent, [&RunEvent::Record, &RunEvent::Completed]);
        let none = EventFilter::parse(Some([])).expect("none");
        assert!(!RunEvent::ALL.iter().any(|event| none.sends(*event)));
        let error = EventFilter::parse(Some(["records"])).expect_err("unknown").to_string();
        assert!(error.starts_with("events_to_send \"sync_job_run:records\" isn't known. Use sync_job_run:created"));
    }

    #[test]
    fn runs_of_one_mutex_or_trigger_wait_for_each_other() {
        let [a, b] = [1, 2].map(|n| SyncJobId::from_uuid(Uuid::from_u128(n)));
        let trigger = |n| Some(SyncJobCronTriggerId::from_uuid(Uuid::from_u128(n)));
        let claim = |job, mutex: &str, trigger, force| Claim {
            job,
            mutex: (mutex != "-").then(|| mutex.to_owned()),
            trigger,
            force,
        };
        for (new, active, may_start) in [
            (claim(a, "k", None, false), claim(a, "k", None, false), false),
            (claim(a, "k", None, true), claim(a, "k", None, false), true),
            (claim(a, "k", None, false), claim(a, "k", None, true), false),
            (claim(a, "k", None, false), claim(a, "l", None, false), true),
            (claim(a, "k", None, false), claim(b, "k", None, false), true),
            (claim(a, "-", None, false), claim(a, "-", None, false), true),
            (claim(a, "", None, false), claim(a, "", None, false), true),
            (claim(a, "-", trigger(1), false), claim(a, "-", trigger(1), false), false),
            (claim(a, "-", trigger(1), true), claim(a, "-", trigger(1), false), false),
            (claim(a, "-", trigger(1), false), claim(a, "-", trigger(2), false), true),
        ] {
            assert_eq!(new.may_start_beside(&active), may_start, "{new:?} beside {active:?}");
        }
    }

    #[test]
    fn words_are_read_and_errors_name_the_known_ones() {
        assert_eq!("fail_fast".parse(), Ok(ErrorHandling::FailFast));
        let error = "retry".parse::<ErrorHandling>().expect_err("unknown").to_string();
        assert_eq!(error, "error_handling \"retry\" isn't known. Use fail_fast, ignore, batch.");
        assert_eq!([2, 3, 4].map(ErrorHandling::of_runtime), {
            [ErrorHandling::Ignore, ErrorHandling::Ignore, ErrorHandling::FailFast]
        });
        assert_eq!(serde_json::to_string(&OnNeedsReauth::Wait).expect("JSON"), "\"wait\"");
    }
}
