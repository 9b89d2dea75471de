//! Credentials between what was entered or answered and the account.

use std::collections::BTreeMap;

use relink_domain::{
    Secret,
    account::{FixedKind, Granted, Identity, NewCredential, Renewal},
    integration::{FieldValues, Kept},
    origins::Origins,
    provider_text::KnownSecrets,
};
use serde_json::{Map, Value};

use super::view::FlowFailure;
use crate::{
    access_tokens::AccessToken,
    error::Error,
    keychain::Item,
    oauth::Tokens,
    provider::{ACCESS_TOKEN, Provider, REFRESH_TOKEN},
};

/// What the person entered into the integration's form.
#[derive(Debug, Clone, Default)]
pub(super) struct EnteredFields {
    pub(super) secret: BTreeMap<String, Secret>,
    pub(super) public: Map<String, Value>,
}

impl From<FieldValues> for EnteredFields {
    fn from(values: FieldValues) -> Self {
        let public = values.public.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        Self { secret: values.secret, public }
    }
}

/// New credentials that have passed every check and are not saved yet.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) item: Item,
    pub(super) granted: Granted,
    /// The access token that came with them, unless `item` stores it as the credential.
    pub(super) access: Option<AccessToken>,
}

/// Says which value leads nowhere, before the code is spent.
pub(super) fn ensure_resolved(provider: &Provider, context: &Map<String, Value>) -> Result<(), FlowFailure> {
    let Some(oauth2) = provider.definition.oauth2() else { return Ok(()) };
    oauth2.token_url.resolve(context).map(drop).map_err(|error| {
        let message = format!("{}'s token address can't be made: {error}.", provider.label());
        FlowFailure::of_error(&Error::conflict("address_unresolved", message))
    })
}

/// The callback's parameters as they go into the context. One that repeats a secret isn't kept.
pub(super) fn kept_from_callback(params: &BTreeMap<String, Secret>, known: &KnownSecrets) -> Map<String, Value> {
    let filter = known.filter(&[]);
    let values = params.iter().map(|(name, value)| (name, Value::from(value.expose())));
    let is_kept = |value: &Value| Kept::<String>::fits(value) && !value.as_str().is_some_and(|it| filter.finds(it));
    values.filter(|(_, value)| is_kept(value)).map(|(name, value)| (name.clone(), value)).collect()
}

/// `has_steps`: whether steps of the integration renew the tokens (contract section 4.8). They may need the access token.
pub(super) fn staged_oauth(
    tokens: Tokens,
    identity: Option<Identity>,
    requested_scopes: Vec<String>,
    (context, origins): (Map<String, Value>, Origins),
    has_steps: bool,
) -> Staged {
    let Tokens { access, refresh, lifetime, scopes, .. } = tokens;
    let scopes = scopes.unwrap_or_else(|| requested_scopes.clone());
    let mut item = Item::default();
    if has_steps {
        item.secrets.insert(ACCESS_TOKEN.into(), access.clone());
    }
    let by = match refresh {
        Some(refresh) => {
            item.secrets.insert(REFRESH_TOKEN.into(), refresh);
            Some(Renewal::RefreshToken)
        }
        None => has_steps.then_some(Renewal::Action),
    };
    let (credential, access) = if let Some(by) = by {
        let lifetime = lifetime.or_assumed(None);
        item.set_lifetime(lifetime);
        (NewCredential::Renewing { by, lifetime }, Some(AccessToken::new(access, lifetime)))
    } else {
        item.secrets.insert(ACCESS_TOKEN.into(), access);
        (NewCredential::Fixed { kind: FixedKind::AccessToken, expires_at: lifetime.expires_at }, None)
    };
    let granted = Granted {
        credential,
        identity,
        scopes,
        requested_scopes,
        context,
        object_store_context_fields: Vec::new(),
        origins,
    };
    Staged { item, granted, access }
}
