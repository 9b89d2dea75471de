//! API tokens, and the authentication of callers. Tokens are opaque, shown once and stored as hashes.

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
        integrations,
        outbox::{self, Payload},
    },
    sync::lock,
    tasks::Tasks,
};

/// The maximum length of an API token's name, in characters.
const MAX_NAME: usize = 100;

#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
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
        let all = uses.store.read(api_tokens::all).await?;
        let known = all.into_iter().map(|(hash, token)| KnownToken::new(hash, &token)).collect();
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
        let forget = move |_: &bool| lock(&access.0.known).retain(|known| known.id != id);
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

    /// The caller that an API token or this run's token authenticates; `None` for any other. Every known hash is
    /// compared, each in constant time. The use of an API token is recorded in the background.
    pub fn authenticate(&self, token: &str) -> Option<Caller> {
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

    /// Whether an authenticated caller would be authenticated again: its API token wasn't revoked and hasn't expired.
    pub fn is_still_valid(&self, caller: &Caller) -> bool {
        let Some(id) = api_tokens::id_of(caller) else { return true };
        let now = self.0.uses.clock.now();
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

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Poll};

    use super::*;
    use crate::testing::START;

    const CALLER: Caller = Caller::Person;

    async fn access() -> (Access, Clock) {
        let clock = Clock::set_to(START);
        let store = Store::in_memory().expect("opens");
        let access = Access::open(Dependencies { store, clock: clock.clone(), tasks: Tasks::default() }).await;
        (access.expect("opens"), clock)
    }

    fn id_of(caller: Option<&Caller>) -> Option<ApiTokenId> {
        match caller {
            Some(Caller::ApiToken { id, .. }) => Some(*id),
            _ => None,
        }
    }

    #[tokio::test]
    async fn a_revoked_token_stays_revoked_while_another_is_being_made() {
        let (access, _) = access().await;
        for steps in 0..10 {
            let (doomed, secret) =
                access.create_api_token(&CALLER, "doomed".into(), TokenLevel::Program, None).await.expect("made");
            let mut making =
                std::pin::pin!(access.create_api_token(&CALLER, "beside it".into(), TokenLevel::Program, None));
            let mut made = Poll::Pending;
            for _ in 0..steps {
                if made.is_pending() {
                    made = poll_fn(|context| Poll::Ready(making.as_mut().poll(context))).await;
                }
                // The store answers in turn: what the creation asked is answered now.
                access.0.uses.store.write(|_| Ok(())).await.expect("answered");
            }
            access.revoke_api_token(&CALLER, doomed.id).await.expect("revoked");
            let made = match made {
                Poll::Ready(made) => made,
                Poll::Pending => making.await,
            };
            assert_eq!(access.authenticate(secret.expose()), None, "after {steps} steps");
            let (token, secret) = made.expect("made");
            assert_eq!(id_of(access.authenticate(secret.expose()).as_ref()), Some(token.id));
        }
    }

    /// From now on a transaction that changes an API token fails when it is committed.
    async fn refuse_commits(access: &Access) {
        let refused = "CREATE TABLE known (id INTEGER PRIMARY KEY);
             CREATE TABLE unknown (id INTEGER REFERENCES known (id) DEFERRABLE INITIALLY DEFERRED);
             CREATE TRIGGER made AFTER INSERT ON api_token BEGIN INSERT INTO unknown VALUES (1); END;
             CREATE TRIGGER revoked AFTER DELETE ON api_token BEGIN INSERT INTO unknown VALUES (1); END;";
        access.0.uses.store.write(|tx| Ok(tx.execute_batch(refused)?)).await.expect("set up");
    }

    #[tokio::test]
    async fn a_token_whose_creation_or_revocation_is_not_committed_stays_as_it_was() {
        let (access, _) = access().await;
        let (token, secret) =
            access.create_api_token(&CALLER, "agent".into(), TokenLevel::Program, None).await.expect("made");
        refuse_commits(&access).await;
        access.create_api_token(&CALLER, "lost".into(), TokenLevel::Program, None).await.expect_err("not committed");
        assert_eq!(lock(&access.0.known).len(), 1, "nothing is known of a token that doesn't exist");
        access.revoke_api_token(&CALLER, token.id).await.expect_err("not committed");
        assert_eq!(id_of(access.authenticate(secret.expose()).as_ref()), Some(token.id), "it was not revoked");
    }

    #[tokio::test]
    async fn the_token_of_the_run_belongs_to_the_person() {
        let (access, _) = access().await;
        let first = access.new_run_token(&Caller::Internal).expect("random");
        assert_eq!(access.authenticate(first.expose()), Some(Caller::Person));
        let second = access.new_run_token(&Caller::Internal).expect("random");
        assert_eq!(access.authenticate(first.expose()), None);
        assert_eq!(access.authenticate(second.expose()), Some(Caller::Person));
    }

    #[tokio::test]
    async fn the_caller_of_a_token_has_its_name() {
        let (access, clock) = access().await;
        let (token, secret) = access
            .create_api_token(&CALLER, "my-agent".into(), TokenLevel::Full, Some(START.plus_secs(60)))
            .await
            .expect("made");
        let caller = access.authenticate(secret.expose()).expect("known");
        assert_eq!(caller, Caller::api_token(token.id, "my-agent", TokenLevel::Full));
        assert!(access.is_still_valid(&caller));
        clock.advance_secs(60);
        assert_eq!(access.authenticate(secret.expose()), None, "it has expired");
        assert!(!access.is_still_valid(&caller), "a request in flight learns of it too");
    }

    #[tokio::test]
    async fn a_token_keeps_its_limits_and_is_limited_only_to_what_exists() {
        let (access, _) = access().await;
        let read_only = TokenLimits { read_only: true, ..TokenLimits::default() };
        let grant = Grant { level: TokenLevel::Full, limits: read_only.clone() };
        let (token, secret) = access.create_api_token(&CALLER, "reader".into(), grant, None).await.expect("made");
        assert_eq!(token.limits, read_only);
        let caller = access.authenticate(secret.expose()).expect("known");
        assert_eq!(caller.limits(), Some(&read_only));
        let store = access.0.uses.store.clone();
        let reopened = Access::open(Dependencies { store, clock: Clock::set_to(START), tasks: Tasks::default() }).await;
        let again = reopened.expect("opens").authenticate(secret.expose());
        assert_eq!(again.expect("known").limits(), Some(&read_only), "after a restart as well");
        let id = relink_domain::AccountId::from_uuid(Uuid::nil());
        for (limits, field) in [
            (TokenLimits { accounts: Some(vec![]), ..TokenLimits::default() }, "accounts"),
            (TokenLimits { accounts: Some(vec![id; 101]), ..TokenLimits::default() }, "accounts"),
            (TokenLimits { accounts: Some(vec![id]), ..TokenLimits::default() }, "accounts"),
            (TokenLimits { integrations: Some(vec!["acme".into()]), ..TokenLimits::default() }, "integrations"),
        ] {
            let grant = Grant { level: TokenLevel::Program, limits };
            let refused = access.create_api_token(&CALLER, "agent".into(), grant, None).await.expect_err("refused");
            assert!(matches!(&refused, Error::Invalid { field: Some(at), .. } if at == field), "{refused}");
        }
        assert_eq!(lock(&access.0.known).len(), 1, "a token that wasn't made isn't known");
    }

    #[tokio::test]
    async fn a_tokens_last_use_is_recorded_once_a_minute() {
        let (access, clock) = access().await;
        let (token, secret) =
            access.create_api_token(&CALLER, "agent".into(), TokenLevel::Program, None).await.expect("made");
        let recorded = async |secs| {
            clock.advance_secs(secs);
            assert_eq!(id_of(access.authenticate(secret.expose()).as_ref()), Some(token.id));
            access.0.uses.tasks.settle().await;
            access.api_token(&CALLER, token.id).await.expect("there").last_used_at
        };
        assert_eq!(recorded(0).await, Some(START));
        assert_eq!(recorded(30).await, Some(START));
        assert_eq!(recorded(29).await, Some(START));
        assert_eq!(recorded(1).await, Some(START.plus_secs(60)));
    }
}
