//! Ids of deliveries, which stay the same when a batch is repeated.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::SyncJobRunId;

/// The id of a batch at a destination: a UUID (RFC 9562 version 8) out of the run and the batch's place in it, so that a batch that is
/// delivered again after a crash is known by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BatchId(Uuid);

impl BatchId {
    /// `place`: numbers that no other batch of the run has.
    pub fn new(run: SyncJobRunId, place: &[u64]) -> Self {
        let mut digest = Sha256::new();
        digest.update(run.as_uuid().as_bytes());
        for number in place {
            digest.update(number.to_be_bytes());
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest.finalize()[..16]);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
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
