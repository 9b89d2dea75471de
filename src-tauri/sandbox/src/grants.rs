//! Codes, tokens, and the token family of each sign-in: pure rules.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// SHA-256 of a secret, in hexadecimal.
pub(crate) type Hash = String;

/// What happens to a refresh token when it is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// It stays valid, and no new one is issued.
    None,
    /// A new one is issued; the old one is refused from then on.
    Rotate,
    /// A new one is issued; the old one is accepted for a grace period.
    #[default]
    Grace,
    /// A new one is issued; using the old one again revokes the whole sign-in (RFC 9700 §4.14.2).
    Strict,
}

/// A validated authorization request, before the person has decided.
#[derive(Debug, Clone)]
pub(crate) struct AuthorizationRequest {
    pub(crate) redirect_uri: String,
    pub(crate) state: String,
    pub(crate) challenge: String,
    pub(crate) scopes: Vec<String>,
    /// All parameters of the request.
    pub(crate) params: BTreeMap<String, String>,
}

/// An authorization code that waits for its exchange.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Code {
    pub(crate) subject: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) expires_at: i64,
    /// Whether its tokens can be refreshed.
    #[serde(default = "yes")]
    pub(crate) with_refresh: bool,
    /// The family that its exchange began. A second exchange revokes it (RFC 6749 §4.1.2).
    pub(crate) used_by: Option<u64>,
}

/// All tokens of one sign-in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Family {
    pub(crate) subject: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) revoked: bool,
    #[serde(default = "yes")]
    pub(crate) with_refresh: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct RefreshToken {
    family: u64,
    rotated_at: Option<i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AccessToken {
    pub(crate) family: Option<u64>,
    pub(crate) subject: String,
    pub(crate) expires_at: i64,
}

/// What an access token is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    Valid { subject: String, scopes: Vec<String>, family: Option<u64> },
    Expired,
    Revoked,
    Unknown,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Grants {
    codes: BTreeMap<Hash, Code>,
    families: BTreeMap<u64, Family>,
    refresh: BTreeMap<Hash, RefreshToken>,
    access: BTreeMap<Hash, AccessToken>,
    api_keys: BTreeMap<Hash, String>,
    clients: BTreeMap<Hash, String>,
    next_family: u64,
}

/// An `invalid_grant` error with this description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) &'static str);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Renewal {
    pub(crate) family: u64,
    pub(crate) subject: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) rotates: bool,
}

impl Grants {
    pub(crate) fn add_code(&mut self, hash: Hash, code: Code) {
        let now = code.expires_at;
        // Expired codes are kept for an hour, so that a replay is recognized.
        self.codes.retain(|_, old| now - old.expires_at < 3_600_000);
        self.codes.insert(hash, code);
    }

    /// Uses a code. A second use revokes what the first one issued.
    pub(crate) fn use_code(
        &mut self,
        hash: &str,
        redirect_uri: &str,
        challenge: &str,
        now: i64,
    ) -> Result<(u64, Family), Refused> {
        let code = self.codes.get_mut(hash).ok_or(Refused("the code is unknown"))?;
        if let Some(family) = code.used_by {
            if let Some(family) = self.families.get_mut(&family) {
                family.revoked = true;
            }
            return Err(Refused("the code was used already; its tokens are revoked"));
        }
        if now >= code.expires_at {
            return Err(Refused("the code has expired"));
        }
        if code.redirect_uri != redirect_uri {
            return Err(Refused("the redirect_uri differs from the one in the authorization request"));
        }
        if code.challenge != challenge {
            return Err(Refused("the code_verifier doesn't match the code_challenge"));
        }
        self.next_family += 1;
        let id = self.next_family;
        code.used_by = Some(id);
        let Code { subject, scopes, with_refresh, .. } = code.clone();
        let family = Family { subject, scopes, revoked: false, with_refresh };
        self.families.insert(id, family.clone());
        Ok((id, family))
    }

    /// Uses a refresh token (RFC 6749 §6).
    pub(crate) fn use_refresh(
        &mut self,
        hash: &str,
        rotation: Rotation,
        grace_millis: i64,
        now: i64,
    ) -> Result<Renewal, Refused> {
        let token = self.refresh.get_mut(hash).ok_or(Refused("the refresh token is unknown"))?;
        let family = self.families.get_mut(&token.family).ok_or(Refused("the sign-in is gone"))?;
        if family.revoked {
            return Err(Refused("the sign-in was revoked"));
        }
        if let Some(rotated_at) = token.rotated_at {
            match rotation {
                Rotation::None => {}
                Rotation::Rotate => return Err(Refused("the refresh token was replaced by a newer one")),
                Rotation::Grace if now - rotated_at < grace_millis => {}
                Rotation::Grace => return Err(Refused("the refresh token was replaced, and its grace period is over")),
                Rotation::Strict => {
                    family.revoked = true;
                    return Err(Refused("the refresh token was used twice: the whole sign-in is revoked"));
                }
            }
        }
        let rotates = rotation != Rotation::None;
        if rotates && token.rotated_at.is_none() {
            token.rotated_at = Some(now);
        }
        Ok(Renewal { family: token.family, subject: family.subject.clone(), scopes: family.scopes.clone(), rotates })
    }

    pub(crate) fn add_refresh(&mut self, hash: Hash, family: u64) {
        self.refresh.insert(hash, RefreshToken { family, rotated_at: None });
    }

    pub(crate) fn add_access(&mut self, hash: Hash, token: AccessToken, now: i64) {
        // Expired ones are kept for an hour, so that they are recognized.
        self.access.retain(|_, old| now.saturating_sub(old.expires_at) < 3_600_000);
        self.access.insert(hash, token);
    }

    pub(crate) fn add_api_key(&mut self, hash: Hash, subject: String) {
        self.api_keys.insert(hash, subject);
    }

    pub(crate) fn add_client(&mut self, secret_hash: Hash, client_id: String) {
        self.clients.insert(secret_hash, client_id);
    }

    pub(crate) fn knows_client(&self, client_id: &str, secret_hash: &str) -> bool {
        self.clients.get(secret_hash).is_some_and(|known| known == client_id)
    }

    /// The subject of an access token or API key, if it is valid now.
    pub(crate) fn subject_of(&self, hash: &str, now: i64) -> Option<String> {
        if let Some(subject) = self.api_keys.get(hash) {
            return Some(subject.clone());
        }
        let token = self.access.get(hash).filter(|token| now < token.expires_at)?;
        let revoked = token.family.is_some_and(|id| self.families.get(&id).is_none_or(|family| family.revoked));
        (!revoked).then(|| token.subject.clone())
    }

    /// What an access token is worth. `survives`: whether it outlives the revocation of its sign-in.
    pub(crate) fn access(&self, hash: &str, now: i64, survives: bool) -> Access {
        let Some(token) = self.access.get(hash) else { return Access::Unknown };
        let family = token.family.and_then(|id| self.families.get(&id));
        if !survives && family.is_some_and(|family| family.revoked) {
            return Access::Revoked;
        }
        if now >= token.expires_at {
            return Access::Expired;
        }
        let scopes = family.map(|family| family.scopes.clone()).unwrap_or_default();
        Access::Valid { subject: token.subject.clone(), scopes, family: token.family }
    }

    /// Whether a refresh token's sign-in was revoked.
    pub(crate) fn is_revoked(&self, hash: &str) -> bool {
        let family = self.refresh.get(hash).and_then(|token| self.families.get(&token.family));
        family.is_some_and(|family| family.revoked)
    }

    /// Whether this person has a sign-in.
    pub(crate) fn has_sign_in(&self, subject: &str) -> bool {
        self.families.values().any(|family| !family.revoked && family.subject == subject)
    }

    /// Lets a sign-in's access tokens end at this time, if they don't end before.
    pub(crate) fn shorten(&mut self, family: u64, until: i64) {
        for token in self.access.values_mut().filter(|token| token.family == Some(family)) {
            token.expires_at = token.expires_at.min(until);
        }
    }

    /// Revokes the sign-in of the token with this hash, of whichever kind it is.
    pub(crate) fn revoke_sign_in_of(&mut self, hash: &str) {
        let of_refresh = self.refresh.get(hash).map(|token| token.family);
        let family = of_refresh.or_else(|| self.access.get(hash)?.family);
        if let Some(family) = family.and_then(|id| self.families.get_mut(&id)) {
            family.revoked = true;
        }
    }

    /// Revokes the token with this hash (RFC 7009 §2.1). Revoking a refresh token revokes its whole sign-in.
    pub(crate) fn revoke_token(&mut self, hash: &str) {
        if let Some(family) = self.refresh.get(hash).map(|token| token.family)
            && let Some(family) = self.families.get_mut(&family)
        {
            family.revoked = true;
        }
        self.access.remove(hash);
    }

    /// Revokes sign-ins, API keys, clients and the tokens that clients were given: all, or those of one subject.
    pub(crate) fn revoke_all(&mut self, subject: Option<&str>) -> usize {
        let matches = |owner: &str| subject.is_none_or(|subject| subject == owner);
        let mut count = 0;
        for family in self.families.values_mut().filter(|family| !family.revoked && matches(&family.subject)) {
            family.revoked = true;
            count += 1;
        }
        let before = self.api_keys.len() + self.clients.len();
        self.api_keys.retain(|_, owner| !matches(owner));
        self.clients.retain(|_, client_id| !matches(client_id));
        // Tokens of a sign-in are refused because their family is revoked.
        self.access.retain(|_, token| token.family.is_some() || !matches(&token.subject));
        count + before - self.api_keys.len() - self.clients.len()
    }

    /// Expires all access tokens, or those of one subject. Refresh tokens stay valid.
    pub(crate) fn expire_all(&mut self, subject: Option<&str>, now: i64) -> usize {
        let is_meant =
            |token: &&mut AccessToken| token.expires_at > now && subject.is_none_or(|subject| subject == token.subject);
        self.access.values_mut().filter(is_meant).map(|token| token.expires_at = now).count()
    }

    pub(crate) fn active_sign_ins(&self) -> usize {
        self.families.values().filter(|family| !family.revoked).count()
    }
}

#[cfg(test)]
#[path = "grants_tests.rs"]
mod tests;
