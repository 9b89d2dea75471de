//! API tokens: opaque, shown once, kept as hashes.

use relink_domain::{ApiTokenId, Secret, Timestamp, event::EventKind};
use serde_json::json;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::{
    Engine, Error,
    engine::{hash_of, held, random_token},
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
}

impl Engine {
    pub(crate) async fn load_api_tokens(&self) -> Result<()> {
        let all = self.0.store.read(api_tokens::all).await?;
        *held(&self.0.api_tokens) = all
            .into_iter()
            .map(|(hash, token)| KnownToken { hash, id: token.id, expires_at: token.expires_at })
            .collect();
        Ok(())
    }

    /// Makes an API token. The token is shown here and never again.
    pub async fn create_api_token(&self, name: String, expires_at: Option<Timestamp>) -> Result<(ApiToken, Secret)> {
        let name = name.trim().to_owned();
        if name.is_empty() || name.chars().count() > 100 || name.contains(char::is_control) {
            let message = "A token's name has 1 to 100 characters, on one line.";
            return Err(Error::invalid_field("name_invalid", "name", message));
        }
        let now = self.now();
        if expires_at.is_some_and(|at| at <= now) {
            return Err(Error::invalid_field(
                "expires_at_past",
                "expires_at",
                "The token's end must lie in the future.",
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
        let (hash, record) = (hash_of(secret.expose()), token.clone());
        self.0
            .store
            .write(move |tx| {
                api_tokens::insert(tx, &hash, &record)?;
                let payload = json!({ "id": record.id, "name": record.name, "created_at": record.created_at });
                outbox::tell(tx, EventKind::ApiTokenCreated, Some(&record.id.to_string()), &payload, now).map(drop)
            })
            .await?;
        self.load_api_tokens().await?;
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
        let now = self.now();
        let found = self
            .0
            .store
            .write(move |tx| {
                let found = api_tokens::delete(tx, id)?;
                if found {
                    outbox::tell(tx, EventKind::ApiTokenDeleted, Some(&id.to_string()), &json!({ "id": id }), now)?;
                }
                Ok(found)
            })
            .await?;
        self.load_api_tokens().await?;
        if found { Ok(()) } else { Err(Error::not_found("API token", &id)) }
    }

    /// Whose API token this is, if it is one. Every known hash is compared, each in constant time.
    pub fn authenticate(&self, token: &str) -> Option<ApiTokenId> {
        let hash = hash_of(token);
        let now = self.now();
        let mut found = None;
        for known in held(&self.0.api_tokens).iter() {
            if bool::from(known.hash.ct_eq(&hash)) && known.expires_at.is_none_or(|at| now < at) {
                found = Some(known.id);
            }
        }
        found
    }
}
