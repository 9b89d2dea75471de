//! API tokens, as the window lists, creates and revokes them.

use relink_contract::window::ApiToken;
use relink_domain::{
    ApiTokenId,
    caller::{Caller, Grant, TokenLevel},
    token_limits::TokenLimits,
};

use crate::{App, Result, error_view};

const DAY_SECS: i64 = 24 * 60 * 60;

impl App {
    pub async fn api_tokens(&self) -> Result<Vec<ApiToken>> {
        Ok(self
            .0
            .engine
            .access()
            .api_tokens(&Caller::Person)
            .await
            .map_err(error_view)?
            .into_iter()
            .map(Into::into)
            .collect())
    }

    /// Creates a token that expires after this many days, or never, and copies it to the clipboard.
    pub async fn create_api_token(
        &self,
        name: String,
        level: TokenLevel,
        limits: TokenLimits,
        days: Option<u32>,
    ) -> Result<ApiToken> {
        let expires_at = days.map(|days| self.0.engine.now().plus_secs(i64::from(days) * DAY_SECS));
        let access = self.0.engine.access();
        let (created, secret) = access
            .create_api_token(&Caller::Person, name, Grant { level, limits }, expires_at)
            .await
            .map_err(error_view)?;
        let undo = self.revoke_api_token(created.id);
        self.copy_or_undo(&secret, "The API token was not created", undo).await?;
        Ok(created.into())
    }

    pub async fn revoke_api_token(&self, id: ApiTokenId) -> Result<()> {
        self.0.engine.access().revoke_api_token(&Caller::Person, id).await.map_err(error_view)
    }
}
