//! Tokens that an integration's own steps leave (contract section 4.8).

use relink_domain::{
    Secret, Timestamp,
    failure::{Cause, Failure},
    schedule::TokenLifetime,
};
use serde_json::{Map, Value};

use super::{Tokens, answer::is_token, lifetime};

impl Tokens {
    /// The tokens of an object like a token endpoint's answer (RFC 6749 §5.1). `None`: there is no access token.
    pub(crate) fn of_steps(
        found: &Map<String, Value>,
        default_expires_in: Option<u32>,
        is_refreshed_daily: bool,
        now: Timestamp,
    ) -> Result<Option<Self>, Failure> {
        let Some(access) = text_in(found, "access_token") else { return Ok(None) };
        let refresh = text_in(found, "refresh_token");
        if ![Some(access), refresh].into_iter().flatten().all(is_token) {
            return Err(Failure::new(Cause::MalformedToken));
        }
        let expires_at = lifetime::expiry(&Value::Object(found.clone()), access, now)
            .or_else(|| Some(now.plus_secs(default_expires_in?.into())));
        let lifetime = TokenLifetime { is_refreshed_daily, ..TokenLifetime::new(now, expires_at) };
        let (access, refresh) = (Secret::new(access), refresh.map(Secret::new));
        Ok(Some(Self { access, refresh, id: None, lifetime, scopes: None, kept: Map::new() }))
    }
}

/// The refresh token of such an object, if it can be one.
pub(crate) fn refresh_token_of_steps(found: &Map<String, Value>) -> Option<Secret> {
    text_in(found, "refresh_token").filter(|text| is_token(text)).map(Secret::new)
}

fn text_in<'v>(found: &'v Map<String, Value>, name: &str) -> Option<&'v str> {
    found.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}
