//! What programs change of an account (contract section 3, `PATCH /integrated-account/{id}`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Account, ContextValues, ENVIRONMENT_VARIABLES, Profile, TimelineEvent, Transition};
use crate::{Timestamp, event::EventKind, merge::merge};

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
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        let Self { tenant_id, context, integration_override, unified_model_override } = self;
        let is_empty = [integration_override, unified_model_override].into_iter().all(Map::is_empty);
        tenant_id.is_none() && is_empty && context.keys().all(|key| key == ENVIRONMENT_VARIABLES)
    }

    /// The profile with this change.
    #[must_use]
    pub fn applied_to(self, mut profile: Profile) -> Profile {
        profile.tenant_id = self.tenant_id.unwrap_or(profile.tenant_id);
        let settings = &mut profile.settings;
        merge(&mut settings.integration_override, &self.integration_override);
        merge(&mut settings.unified_model_override, &self.unified_model_override);
        let ContextValues { values, stored_objects } = ContextValues::of(self.context);
        settings.object_store_context_fields.retain(|field| !values.contains_key(field));
        for (key, value) in values {
            match value {
                Value::Object(sent) if key == "oauth" && !stored_objects.contains(&key) => {
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
        profile.settings.object_store_context_fields.extend(stored_objects);
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
