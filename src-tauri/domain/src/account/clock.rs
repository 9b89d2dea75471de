//! What a clock that was set back does to an account: every time that was planned by the old clock moves with it.

use super::{Account, Attempt, Credential, Fixed, Renewing, Transition};
use crate::Timestamp;

impl Account {
    /// Moves the times that Relink waits for, and those that they are computed from. Times that only tell when something happened stay.
    pub(super) fn clock_set_back(mut self, millis: i64) -> Transition {
        let credential = match self.state.credential().clone() {
            Credential::Renewing(renewing) => Credential::Renewing(Renewing {
                lifetime: renewing.lifetime.moved(-millis),
                attempt: match renewing.attempt {
                    Attempt::Refreshing { generation, since } => {
                        Attempt::Refreshing { generation, since: since.plus_millis(-millis) }
                    }
                    Attempt::Idle => Attempt::Idle,
                },
                ..renewing
            }),
            Credential::Fixed(fixed) => {
                let moved = |at: Option<Timestamp>| at.map(|at| at.plus_millis(-millis));
                Credential::Fixed(Fixed {
                    expires_at: moved(fixed.expires_at),
                    next_check: moved(fixed.next_check),
                    ..fixed
                })
            }
        };
        self.refusal_announced_at = self.refusal_announced_at.map(|at| at.plus_millis(-millis));
        self.state = self.state.with(credential).with_trouble(|trouble| trouble.moved(-millis));
        self.transition(vec![], vec![])
    }
}
