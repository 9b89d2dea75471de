//! API tokens: opaque, shown once, kept as hashes.

use relink_domain::{ApiTokenId, Secret, Timestamp, event::EventKind};
use serde_json::json;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::{
    Engine, Error,
    engine::{USED_WITHIN_MILLIS, hash_of, held, random_token},
    error::Result,
    store::{
        api_tokens::{self, ApiToken},
        outbox,
    },
};

/// What is looked at on each request.
#[derive(Debug)]
pub(crate) struct KnownToken {
    hash: [u8; 32],
    id: ApiTokenId,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

impl KnownToken {
    fn of(hash: [u8; 32], token: &ApiToken) -> Self {
        Self { hash, id: token.id, expires_at: token.expires_at, last_used_at: token.last_used_at }
    }
}

impl Engine {
    /// Reads the tokens, once: from then on, what is known changes with the store, in the store's own order.
    pub(crate) async fn load_api_tokens(&self) -> Result<()> {
        let all = self.0.store.read(api_tokens::all).await?;
        *held(&self.0.api_tokens) = all.into_iter().map(|(hash, token)| KnownToken::of(hash, &token)).collect();
        Ok(())
    }

    /// Makes an API token. The token is shown here and never again.
    pub async fn create_api_token(&self, name: String, expires_at: Option<Timestamp>) -> Result<(ApiToken, Secret)> {
        let name = name.trim().to_owned();
        if name.is_empty() || name.chars().count() > 100 || name.contains(char::is_control) {
            let message = "A token name must have 1 to 100 characters, on one line.";
            return Err(Error::invalid_field("name_invalid", "name", message));
        }
        let now = self.now();
        if expires_at.is_some_and(|at| at <= now) {
            return Err(Error::invalid_field(
                "expires_at_past",
                "expires_at",
                "The token's expiration must be in the future.",
            ));
        }
        let secret = random_token()?;
        let token = ApiToken {
            id: ApiTokenId::from_uuid(Uuid::now_v7()),
            name,
            created_at: now,
            expires_at,
            last_used_at: None,
        };
        let (hash, record, engine) = (hash_of(secret.expose()), token.clone(), self.clone());
        self.0
            .store
            .write(move |tx| {
                api_tokens::insert(tx, &hash, &record)?;
                let payload = json!({ "id": record.id, "name": record.name, "created_at": record.created_at });
                outbox::enqueue_event(tx, EventKind::ApiTokenCreated, Some(&record.id.to_string()), &payload, now)?;
                // Before the commit: after it, somebody may revoke the token, and that must be the last word. One that is not
                // committed is known to nobody.
                held(&engine.0.api_tokens).push(KnownToken::of(hash, &record));
                Ok(())
            })
            .await?;
        Ok((token, secret))
    }

    /// All API tokens' records.
    pub async fn api_tokens(&self) -> Result<Vec<ApiToken>> {
        Ok(self.0.store.read(api_tokens::all).await?.into_iter().map(|(_, token)| token).collect())
    }

    /// One API token's record.
    pub async fn api_token(&self, id: ApiTokenId) -> Result<ApiToken> {
        self.0.store.read(move |c| api_tokens::get(c, id)).await?.ok_or_else(|| Error::not_found("API token", &id))
    }

    /// Revokes an API token, at once.
    pub async fn revoke_api_token(&self, id: ApiTokenId) -> Result<()> {
        let (now, engine) = (self.now(), self.clone());
        let found = self
            .0
            .store
            .write(move |tx| {
                let found = api_tokens::delete(tx, id)?;
                if found {
                    outbox::enqueue_event(
                        tx,
                        EventKind::ApiTokenDeleted,
                        Some(&id.to_string()),
                        &json!({ "id": id }),
                        now,
                    )?;
                }
                // In here, so that it happens even if the caller goes away.
                held(&engine.0.api_tokens).retain(|known| known.id != id);
                Ok(found)
            })
            .await?;
        if found { Ok(()) } else { Err(Error::not_found("API token", &id)) }
    }

    /// Whose API token this is, if it is one. Every known hash is compared, each in constant time. Its use is noted beside
    /// the request, never in its way.
    pub fn authenticate(&self, token: &str) -> Option<ApiTokenId> {
        let hash = hash_of(token);
        let now = self.now();
        let mut found = None;
        let mut used = None;
        for known in held(&self.0.api_tokens).iter_mut() {
            if bool::from(known.hash.ct_eq(&hash)) && known.expires_at.is_none_or(|at| now < at) {
                found = Some(known.id);
                if known.last_used_at.is_none_or(|last| now.millis_since(last).abs() >= USED_WITHIN_MILLIS) {
                    known.last_used_at = Some(now);
                    used = Some(known.id);
                }
            }
        }
        if let Some(id) = used {
            let engine = self.clone();
            self.spawn_until_stop(async move {
                if let Err(error) = engine.0.store.write(move |tx| api_tokens::mark_used(tx, id, now)).await {
                    tracing::warn!(token = %id, "its use could not be noted: {error}");
                }
            });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Poll};

    use crate::testing::{START, Started};

    #[tokio::test]
    async fn a_revoked_token_stays_revoked_however_far_another_is_made_meanwhile() {
        let it = Started::new().await;
        for steps in 0..10 {
            let (doomed, secret) = it.engine.create_api_token("doomed".into(), None).await.expect("made");
            let mut making = std::pin::pin!(it.engine.create_api_token("beside it".into(), None));
            let mut made = Poll::Pending;
            for _ in 0..steps {
                if made.is_pending() {
                    made = poll_fn(|context| Poll::Ready(making.as_mut().poll(context))).await;
                }
                // The writer answers in turn: what the creation asked for has been answered after this.
                it.engine.0.store.writer_is_idle().await.expect("open");
            }
            it.engine.revoke_api_token(doomed.id).await.expect("revoked");
            let made = match made {
                Poll::Ready(made) => made,
                Poll::Pending => making.await,
            };
            assert_eq!(it.engine.authenticate(secret.expose()), None, "after {steps} steps");
            let (token, secret) = made.expect("made");
            assert_eq!(it.engine.authenticate(secret.expose()), Some(token.id));
        }
    }

    #[tokio::test]
    async fn a_tokens_last_use_is_noted_once_a_minute() {
        let it = Started::new().await;
        let (token, secret) = it.engine.create_api_token("agent".into(), None).await.expect("made");
        let mut changes = it.engine.0.store.changes();
        for secs in [0, 30, 29] {
            it.clock.advance_secs(secs);
            assert_eq!(it.engine.authenticate(secret.expose()), Some(token.id));
        }
        assert!(changes.next().await.expect("the store is open").api_tokens);
        assert_eq!(it.engine.api_token(token.id).await.expect("there").last_used_at, Some(START));
        it.clock.advance_secs(1);
        assert_eq!(it.engine.authenticate(secret.expose()), Some(token.id));
        assert!(changes.next().await.expect("the store is open").api_tokens);
        assert_eq!(it.engine.api_token(token.id).await.expect("there").last_used_at, Some(START.plus_secs(60)));
    }
}
