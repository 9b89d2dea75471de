//! API tokens, as the window shows and makes them.

use relink_domain::{ApiTokenId, Secret};

use crate::{App, Result, error_view, types::ApiToken};

const DAY_SECS: i64 = 24 * 60 * 60;

impl App {
    /// All API tokens.
    pub async fn api_tokens(&self) -> Result<Vec<ApiToken>> {
        Ok(self.0.engine.api_tokens().await.map_err(error_view)?.into_iter().map(token).collect())
    }

    /// Makes an API token. The token itself is for the clipboard, this once.
    pub async fn create_api_token(&self, name: String, days: Option<u32>) -> Result<(ApiToken, Secret)> {
        let expires_at = days.map(|days| self.0.engine.now().plus_secs(i64::from(days) * DAY_SECS));
        let (made, secret) = self.0.engine.create_api_token(name, expires_at).await.map_err(error_view)?;
        Ok((token(made), secret))
    }

    /// Revokes an API token: programs with it are shut out at once.
    pub async fn revoke_api_token(&self, id: ApiTokenId) -> Result<()> {
        self.0.engine.revoke_api_token(id).await.map_err(error_view)
    }
}

fn token(token: relink_engine::ApiToken) -> ApiToken {
    ApiToken {
        id: token.id,
        name: token.name,
        created_at: token.created_at,
        expires_at: token.expires_at,
        last_used_at: token.last_used_at,
    }
}
