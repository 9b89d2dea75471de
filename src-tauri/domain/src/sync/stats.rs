//! What a run has done so far: `resource_stats` (contract section 9.1, form **ours**).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Records that were fetched, those that were delivered to a destination, those that a transform left out, and rows that a destination
/// has marked or removed because `delete_tracking` found their records gone. What goes to two destinations counts twice. A transform leaves
/// out what it drops, and what a list that it gives has less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    #[serde(default)]
    pub fetched: u64,
    #[serde(default)]
    pub persisted: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deleted: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// `{"crm/contacts": {"list": {"fetched": 10, "persisted": 10}}}`. A transform or spool is there under its name and type.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceStats(BTreeMap<String, BTreeMap<String, Counts>>);

impl ResourceStats {
    pub fn add(&mut self, resource: &str, method: &str, counts: Counts) {
        if counts == Counts::default() {
            return;
        }
        let known = self.0.entry(resource.to_owned()).or_default().entry(method.to_owned()).or_default();
        known.fetched += counts.fetched;
        known.persisted += counts.persisted;
        known.dropped += counts.dropped;
        known.deleted += counts.deleted;
    }

    /// Adds all of another one's counts.
    pub fn merge(&mut self, other: &Self) {
        for (resource, methods) in &other.0 {
            for (method, counts) in methods {
                self.add(resource, method, *counts);
            }
        }
    }

    pub fn get(&self, resource: &str, method: &str) -> Counts {
        self.0.get(resource).and_then(|methods| methods.get(method)).copied().unwrap_or_default()
    }

    /// Resources with their methods, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, Counts)> {
        self.0.iter().flat_map(|(resource, methods)| {
            methods.iter().map(|(method, counts)| (resource.as_str(), method.as_str(), *counts))
        })
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_add_up_in_the_form_of_the_wire() {
        let mut stats = ResourceStats::default();
        stats.add("crm/contacts", "list", Counts { fetched: 7, ..Counts::default() });
        stats.add("crm/contacts", "list", Counts { fetched: 3, persisted: 10, ..Counts::default() });
        stats.add("crm/notes", "list", Counts::default());
        stats.add("named", "transform", Counts { dropped: 4, ..Counts::default() });
        let shown = json!({
            "crm/contacts": {"list": {"fetched": 10, "persisted": 10}},
            "named": {"transform": {"fetched": 0, "persisted": 0, "dropped": 4}},
        });
        assert_eq!(serde_json::to_value(&stats).expect("JSON"), shown);
        let mut twice: ResourceStats = serde_json::from_value(shown).expect("read");
        twice.merge(&stats);
        assert_eq!(twice.get("crm/contacts", "list"), Counts { fetched: 20, persisted: 20, ..Counts::default() });
        assert_eq!(twice.get("named", "transform").dropped, 8);
        assert_eq!(twice.get("crm/contacts", "get"), Counts::default());
    }
}
