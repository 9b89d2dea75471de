//! What programs change of an account (contract section 3, `PATCH /integrated-account/{id}`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Account, Profile, TimelineEvent, Transition};
use crate::{Timestamp, event::EventKind, merge::merge};

/// Marks a value of a context as an object to store: `{"truto_obj_store": true, "data": …}`.
const STORED_OBJECT: &str = "truto_obj_store";

/// What was set for an account, and isn't part of its sign-in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Merged over the config of its integration, after the override of that.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub integration_override: Map<String, Value>,
    /// Kept for the unified API.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub unified_model_override: Map<String, Value>,
    /// The keys of the context whose values were given as objects to store.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub object_store_context_fields: Vec<String>,
    /// When a program marked it as a sandbox account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox_since: Option<Timestamp>,
}

impl Settings {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A change of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountChange {
    pub tenant_id: Option<String>,
    /// Merged at the top: values are replaced whole. `oauth` alone is merged deeply.
    pub context: Map<String, Value>,
    /// Merged deeply: null removes a key.
    pub integration_override: Map<String, Value>,
    /// Merged deeply: null removes a key.
    pub unified_model_override: Map<String, Value>,
}

impl AccountChange {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The profile with this change.
    #[must_use]
    pub fn applied_to(self, mut profile: Profile) -> Profile {
        profile.tenant_id = self.tenant_id.unwrap_or(profile.tenant_id);
        let settings = &mut profile.settings;
        merge(&mut settings.integration_override, &self.integration_override);
        merge(&mut settings.unified_model_override, &self.unified_model_override);
        for (key, value) in self.context {
            settings.object_store_context_fields.retain(|field| *field != key);
            match value {
                Value::Object(mut object) if object.get(STORED_OBJECT) == Some(&Value::Bool(true)) => {
                    let data = object.shift_remove("data").unwrap_or_default();
                    settings.object_store_context_fields.push(key.clone());
                    profile.context.insert(key, data);
                }
                Value::Object(sent) if key == "oauth" => {
                    let slot = profile.context.entry(key).or_insert_with(|| Map::new().into());
                    match slot {
                        Value::Object(oauth) => merge(oauth, &sent),
                        other => *other = sent.into(),
                    }
                }
                value => {
                    profile.context.insert(key, value);
                }
            }
        }
        profile
    }
}

impl Account {
    pub(super) fn change(mut self, change: AccountChange, now: Timestamp) -> Transition {
        let mut timeline = Vec::new();
        if !change.context.is_empty() {
            timeline.push(TimelineEvent::ContextChanged);
        }
        let overrides = [
            ("integration_override", !change.integration_override.is_empty()),
            ("unified_model_override", !change.unified_model_override.is_empty()),
        ];
        let changed = [("tenant_id", change.tenant_id.is_some())].into_iter().chain(overrides);
        let settings: Vec<String> = changed.filter(|(_, is)| *is).map(|(name, _)| name.to_owned()).collect();
        if !settings.is_empty() {
            timeline.push(TimelineEvent::SettingsChanged { settings });
        }
        self.profile = change.applied_to(self.profile);
        self.profile.updated_at = now;
        self.transition(timeline, vec![EventKind::AccountUpdated])
    }

    /// Marking a sandbox account again changes nothing.
    pub(super) fn mark_sandbox(mut self, is_sandbox: bool, now: Timestamp) -> Transition {
        if self.profile.is_sandbox == is_sandbox {
            return self.transition(vec![], vec![]);
        }
        self.profile.is_sandbox = is_sandbox;
        self.profile.settings.sandbox_since = is_sandbox.then_some(now);
        self.profile.updated_at = now;
        self.transition(vec![TimelineEvent::SandboxMarked { is_sandbox }], vec![EventKind::AccountUpdated])
    }

    /// Merges a form's values into the context. The only event is the form's own (contract section 2.2).
    pub(super) fn submit_form(mut self, context: Map<String, Value>, now: Timestamp) -> Transition {
        self.profile = AccountChange { context, ..AccountChange::default() }.applied_to(self.profile);
        self.profile.updated_at = now;
        self.transition(vec![TimelineEvent::FormSubmitted], vec![EventKind::AccountFormSubmitted])
    }
}
