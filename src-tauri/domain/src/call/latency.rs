//! How long calls took, as a small histogram.

use serde::{Deserialize, Serialize};

/// The upper bounds of the slots, in microseconds: 1, 2 and 5 of each power of ten from half a millisecond to a minute. What is
/// longer is in one more slot.
const BOUNDS: [u64; 17] = [
    500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000,
    10_000_000, 20_000_000, 50_000_000, 60_000_000,
];
const SLOTS: usize = BOUNDS.len() + 1;

/// The number of calls by how long they took. It is stored as its counts, so the bounds must stay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<u64>", into = "Vec<u64>")]
pub struct Latency {
    counts: [u64; SLOTS],
}

impl Latency {
    pub fn add(&mut self, micros: u64) {
        let slot = BOUNDS.partition_point(|bound| *bound < micros);
        self.counts[slot] = self.counts[slot].saturating_add(1);
    }

    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
    }

    /// The time in microseconds within which this share of the calls, in percent, got their response: estimated within its
    /// slot. `None` if there was no call.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let total: u64 = self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count));
        let wanted = total.saturating_mul(percent.min(100)).div_ceil(100).max(1);
        let mut below = 0_u64;
        for (slot, count) in self.counts.iter().enumerate() {
            if *count > 0 && below.saturating_add(*count) >= wanted {
                let lower = slot.checked_sub(1).map_or(0, |slot| BOUNDS[slot]);
                let upper = BOUNDS.get(slot).copied().unwrap_or(lower);
                let part = u128::from(upper - lower) * u128::from(wanted - below) / u128::from(*count);
                return Some(lower + u64::try_from(part).unwrap_or(0));
            }
            below = below.saturating_add(*count);
        }
        None
    }
}

/// Counts of another version of the bounds are cut off or filled up.
impl From<Vec<u64>> for Latency {
    fn from(stored: Vec<u64>) -> Self {
        let mut latency = Self::default();
        for (count, stored) in latency.counts.iter_mut().zip(stored) {
            *count = stored;
        }
        latency
    }
}

impl From<Latency> for Vec<u64> {
    fn from(latency: Latency) -> Self {
        latency.counts.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(all: &[u64]) -> Latency {
        let mut latency = Latency::default();
        for micros in all {
            latency.add(*micros);
        }
        latency
    }

    #[test]
    fn no_call_has_no_latency() {
        assert_eq!(Latency::default().percentile(50), None);
    }

    #[test]
    fn a_percentile_is_within_the_slot_of_its_call() {
        let latency = of(&[300, 1_500, 1_600, 1_700, 40_000]);
        assert_eq!(latency.percentile(0), latency.percentile(20));
        assert_eq!(latency.percentile(20), Some(500));
        assert!((1_000..=2_000).contains(&latency.percentile(50).expect("calls")));
        assert_eq!(latency.percentile(95), Some(50_000));
        assert_eq!(of(&[u64::MAX]).percentile(50), Some(60_000_000), "at least a minute");
        assert_eq!(of(&[0]).percentile(100), Some(500));
    }

    #[test]
    fn the_stored_form_is_its_counts() {
        let latency = of(&[300, 1_500]);
        let text = serde_json::to_string(&latency).expect("JSON");
        assert_eq!(text, "[1,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]");
        assert_eq!(serde_json::from_str::<Latency>(&text).expect("read"), latency);
        assert_eq!(serde_json::from_str::<Latency>("[1,0,1]").expect("an older one"), latency);
    }

    proptest! {
        #[test]
        fn merging_is_adding(first: Vec<u64>, second: Vec<u64>) {
            let mut merged = of(&first);
            merged.merge(&of(&second));
            prop_assert_eq!(merged, of(&[first, second].concat()));
        }

        #[test]
        fn percentiles_grow(all in prop::collection::vec(0_u64..100_000_000, 1..50)) {
            let latency = of(&all);
            let at = |percent| latency.percentile(percent).expect("calls");
            for percent in 0..100 {
                prop_assert!(at(percent) <= at(percent + 1));
            }
            prop_assert!(at(100) <= 60_000_000);
        }
    }
}
