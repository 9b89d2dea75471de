//! API tokens, and the authentication of callers. Tokens are opaque, shown once and stored as hashes.

mod account_tokens;
mod mcp_tokens;
mod of_accounts;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};

use relink_contract::{event::Gone, token::ApiTokenCreated};
use relink_domain::{
    ApiTokenId, Secret, Timestamp,
    caller::{Caller, Grant, TokenLevel},
    event::EventKind,
    name,
    token_limits::{MAX_LIMITED_TO, TokenLimits},
};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::{
    access_tokens::LAST_USE_RESOLUTION_MILLIS,
    clock::Clock,
    error::{Error, Result},
    random::{hash_of, random_token},
    store::{
        self, Store, accounts,
        api_tokens::{self, ApiToken},
        integrations, mcp_tokens as mcp_rows,
        outbox::{self, Payload},
    },
    sync::lock,
    tasks::Tasks,
};
pub(crate) use of_accounts::TokensOfAccounts;

/// The length of an API token and of the run's token, in characters.
const LENGTH: usize = 43;
/// The maximum length of an API token's name, in characters.
const MAX_NAME: usize = 100;

#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
    pub(crate) of_accounts: TokensOfAccounts,
}

/// API tokens. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uses: Dependencies,
    /// All API tokens. They change with each commit, in the order of the store's transactions.
    known: Mutex<Vec<KnownToken>>,
    /// The hash of the run's own token.
    run_token: Mutex<Option<[u8; 32]>>,
}

/// The part of an API token that is needed on each request.
#[derive(Debug)]
struct KnownToken {
    hash: [u8; 32],
    id: ApiTokenId,
    name: String,
    level: TokenLevel,
    limits: Arc<TokenLimits>,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

impl KnownToken {
    fn new(hash: [u8; 32], token: &ApiToken) -> Self {
        let ApiToken { id, name, level, limits, expires_at, last_used_at, created_at: _ } = token.clone();
        Self { hash, id, name, level, limits: limits.into(), expires_at, last_used_at }
    }

    fn is_valid(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }
}

impl Access {
    pub(crate) async fn open(uses: Dependencies) -> Result<Self> {
        let (all, servers) = uses.store.read(|c| Ok((api_tokens::all(c)?, mcp_rows::all(c)?))).await?;
        let known = all.into_iter().map(|(hash, token)| KnownToken::new(hash, &token)).collect();
        uses.of_accounts.mcp_tokens().extend(servers);
        Ok(Self(Arc::new(Inner { uses, known: Mutex::new(known), run_token: Mutex::default() })))
    }

    /// Creates an API token. The token itself is returned only here.
    pub async fn create_api_token(
        &self,
        caller: &Caller,
        name: String,
        grant: impl Into<Grant>,
        expires_at: Option<Timestamp>,
    ) -> Result<(ApiToken, Secret)> {
        let Grant { level, limits } = grant.into();
        let Some(name) = name::one_line(&name, MAX_NAME).map(str::to_owned) else {
            let message = format!("A token name must have 1 to {MAX_NAME} characters, on one line.");
            return Err(Error::invalid_field("name_invalid", "name", message));
        };
        let now = self.0.uses.clock.now();
        if expires_at.is_some_and(|at| at <= now) {
            let message = "The token's expiration must be in the future.";
            return Err(Error::invalid_field("expires_at_past", "expires_at", message));
        }
        check_size(&limits)?;
        let secret = random_token()?;
        let id = ApiTokenId::from_uuid(Uuid::now_v7());
        let token = ApiToken { id, name, level, limits, created_at: now, expires_at, last_used_at: None };
        let payload = Payload::of(&ApiTokenCreated { id, name: token.name.clone(), created_at: now })?;
        let (hash, record, access) = (hash_of(secret.expose()), token.clone(), self.clone());
        let write = move |tx: &rusqlite::Transaction<'_>| {
            if let Some(unknown) = unknown_limit(tx, &record.limits)? {
                return Ok(Err(unknown));
            }
            api_tokens::insert(tx, &hash, &record)?;
            outbox::enqueue_event(tx, EventKind::ApiTokenCreated, Some(&id.to_string()), &payload, now)?;
            Ok(Ok(record))
        };
        // Runs with the commit, before any later one, so that a later revocation of the token prevails.
        let publish = move |made: &Result<ApiToken>| {
            if let Ok(record) = made {
                lock(&access.0.known).push(KnownToken::new(hash, record));
            }
        };
        self.0.uses.store.write_then(write, publish).await??;
        tracing::info!(token = %id, ?caller, "API token made");
        Ok((token, secret))
    }

    pub async fn api_tokens(&self, _caller: &Caller) -> Result<Vec<ApiToken>> {
        Ok(self.0.uses.store.read(api_tokens::all).await?.into_iter().map(|(_, token)| token).collect())
    }

    pub async fn api_token(&self, _caller: &Caller, id: ApiTokenId) -> Result<ApiToken> {
        let token = self.0.uses.store.read(move |c| api_tokens::get(c, id)).await?;
        token.ok_or_else(|| Error::not_found("API token", &id))
    }

    /// Revokes an API token, with immediate effect.
    pub async fn revoke_api_token(&self, caller: &Caller, id: ApiTokenId) -> Result<()> {
        let (now, access) = (self.0.uses.clock.now(), self.clone());
        let payload = Payload::of(&Gone { id })?;
        let write = move |tx: &rusqlite::Transaction<'_>| {
            let found = api_tokens::delete(tx, id)?;
            if found {
                outbox::enqueue_event(tx, EventKind::ApiTokenDeleted, Some(&id.to_string()), &payload, now)?;
            }
            Ok(found)
        };
        // Runs with the commit, even if the caller is cancelled.
        let forget = move |_: &bool| {
            lock(&access.0.known).retain(|known| known.id != id);
            access.0.uses.of_accounts.mcp_tokens().retain(|_, server| server.made_by != Some(id));
        };
        let found = self.0.uses.store.write_then(write, forget).await?;
        if !found {
            return Err(Error::not_found("API token", &id));
        }
        tracing::info!(token = %id, ?caller, "API token revoked");
        Ok(())
    }

    /// Creates the token of this run, in place of the previous one. Whoever can read it where it is stored counts as
    /// the person.
    pub fn new_run_token(&self, _caller: &Caller) -> Result<Secret> {
        let token = random_token()?;
        *lock(&self.0.run_token) = Some(hash_of(token.expose()));
        Ok(token)
    }

    /// The caller that an API token, an account token or this run's token authenticates; `None` for any other. Every known hash of the
    /// first and the last is compared, each in constant time. A text of another length is no token, and isn't hashed. The use of an API token is recorded in the background.
    pub fn authenticate(&self, token: &str) -> Option<Caller> {
        match token.len() {
            account_tokens::LENGTH => self.account_of(token),
            LENGTH => self.program_or_person(token),
            _ => None,
        }
    }

    fn program_or_person(&self, token: &str) -> Option<Caller> {
        let hash = hash_of(token);
        if lock(&self.0.run_token).is_some_and(|known| known.ct_eq(&hash).into()) {
            return Some(Caller::Person);
        }
        let now = self.0.uses.clock.now();
        let mut caller = None;
        let mut used = None;
        for known in lock(&self.0.known).iter_mut() {
            if bool::from(known.hash.ct_eq(&hash)) && known.is_valid(now) {
                let (name, limits) = (known.name.clone(), Arc::clone(&known.limits));
                caller = Some(Caller::ApiToken { id: known.id, name, level: known.level, limits });
                if known.last_used_at.is_none_or(|last| now.millis_since(last).abs() >= LAST_USE_RESOLUTION_MILLIS) {
                    known.last_used_at = Some(now);
                    used = Some(known.id);
                }
            }
        }
        if let Some(id) = used {
            let store = self.0.uses.store.clone();
            self.0.uses.tasks.spawn_until_stop(async move {
                if let Err(error) = store.write(move |tx| api_tokens::mark_used(tx, id, now)).await {
                    tracing::warn!(token = %id, "its last use could not be recorded: {error}");
                }
            });
        }
        caller
    }

    /// Whether an authenticated caller would be authenticated again: its token wasn't revoked and hasn't expired. An account token ends
    /// with the API token that made it.
    pub fn is_still_valid(&self, caller: &Caller) -> bool {
        let now = self.0.uses.clock.now();
        let api_token = match caller {
            Caller::AccountToken { grant, .. } if grant.expires_at <= now => return false,
            Caller::AccountToken { grant, .. } => grant.made_by,
            Caller::McpToken { id, .. } => return self.is_valid_mcp(*id, now),
            caller => api_tokens::id_of(caller),
        };
        api_token.is_none_or(|id| self.is_valid_api_token(id, now))
    }

    fn is_valid_api_token(&self, id: ApiTokenId, now: Timestamp) -> bool {
        lock(&self.0.known).iter().any(|known| known.id == id && known.is_valid(now))
    }
}

/// A limit that names nothing, or too much, is refused.
fn check_size(limits: &TokenLimits) -> Result<()> {
    for (field, length) in [
        ("accounts", limits.accounts.as_ref().map(Vec::len)),
        ("integrations", limits.integrations.as_ref().map(Vec::len)),
    ] {
        if length.is_some_and(|length| !(1..=MAX_LIMITED_TO).contains(&length)) {
            let message =
                format!("A token can be limited to 1 to {MAX_LIMITED_TO} {field}. Leave {field} out for all.");
            return Err(Error::invalid_field("limit_invalid", field, message));
        }
    }
    Ok(())
}

/// An account or an integration that a limit names and that doesn't exist.
fn unknown_limit(tx: &rusqlite::Transaction<'_>, limits: &TokenLimits) -> store::Result<Option<Error>> {
    for id in limits.accounts.iter().flatten() {
        if accounts::get(tx, *id)?.is_none() {
            let message = format!("There is no account {id}.");
            return Ok(Some(Error::invalid_field("limit_invalid", "accounts", message)));
        }
    }
    for name in limits.integrations.iter().flatten() {
        if integrations::installed_named(tx, name)?.is_none() {
            let message = format!("The integration {name} isn't installed.");
            return Ok(Some(Error::invalid_field("limit_invalid", "integrations", message)));
        }
    }
    Ok(None)
}
