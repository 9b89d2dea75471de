//! Ids of deliveries, which stay the same when a batch is repeated.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{SyncJobRunId, id::derived};

/// The id of a batch at a destination: a UUID (RFC 9562 version 8) out of the run and the batch's place in it, so that a batch that is
/// delivered again after a crash is known by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BatchId(Uuid);

impl BatchId {
    /// `place`: numbers that no other batch of the run has.
    pub fn new(run: SyncJobRunId, place: &[u64]) -> Self {
        let place: Vec<u8> = place.iter().flat_map(|number| number.to_be_bytes()).collect();
        Self(derived(&[run.as_uuid().as_bytes(), &place]))
    }

    pub const fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_one_id_for_its_place_in_a_run() {
        let run = |n| SyncJobRunId::from_uuid(Uuid::from_u128(n));
        let id = BatchId::new(run(1), &[3, 0, 2]);
        assert_eq!(id, BatchId::new(run(1), &[3, 0, 2]));
        assert_ne!(id, BatchId::new(run(1), &[3, 2, 0]));
        assert_ne!(id, BatchId::new(run(2), &[3, 0, 2]));
        assert_eq!(id.as_uuid().get_version_num(), 8);
    }
}
