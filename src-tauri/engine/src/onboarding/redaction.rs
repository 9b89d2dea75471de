//! Removes secrets from what steps give, before it is stored.

use relink_domain::{
    account::{Account, ActionRun, StepRun},
    integration::is_always_credential,
    provider_text::SecretFilter,
};
use serde_json::{Map, Value};

use super::Onboarding;
use crate::provider::{Provider, drop_credentials_in_context};

/// Bytes of a result's JSON that are kept.
const MAX_RESULT: usize = 8 << 10;
/// Characters of an error that are kept.
const MAX_ERROR: usize = 1000;

/// What of an account is secret.
pub(super) struct Redaction(SecretFilter);

impl Onboarding {
    /// While the keychain can't say what the secrets are, no text is kept.
    pub(super) async fn redaction_of(&self, account: &Account, provider: &Provider) -> Redaction {
        let held = self.0.uses.tokens.get(account.id()).map(|held| held.token);
        let known = self.0.uses.providers.known_secrets(provider, Some(account.id())).await;
        Redaction(known.filter(&held))
    }
}

impl Redaction {
    pub(super) fn text(&self, text: &str) -> String {
        self.0.clean(text, MAX_ERROR)
    }

    /// What may go into a context: no credential, at any depth, and no text that repeats one.
    pub(super) fn context(&self, mut values: Map<String, Value>, provider: &Provider) -> Map<String, Value> {
        drop_credentials_in_context(&mut values, Some(provider));
        let kept = values.into_iter().map(|(key, value)| (key, self.value(value)));
        kept.collect()
    }

    /// What may be shown of an action.
    pub(super) fn run(&self, run: ActionRun) -> ActionRun {
        let steps = run.steps.into_iter().map(|step| StepRun {
            result: step
                .result
                .map(|result| self.value(result))
                .filter(|result| result.to_string().len() <= MAX_RESULT),
            ..step
        });
        ActionRun { steps: steps.collect(), ..run }
    }

    /// A value without what is secret in it.
    pub(super) fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.0.clean_whole(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => {
                let kept = members.into_iter().filter(|(key, _)| !is_always_credential(key));
                Value::Object(kept.map(|(key, value)| (key, self.value(value))).collect())
            }
            other => other,
        }
    }
}
