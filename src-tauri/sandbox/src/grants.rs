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
}

/// An authorization code that waits for its exchange.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Code {
    pub(crate) subject: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) expires_at: i64,
    /// The family that its exchange began. A second exchange revokes it (RFC 6749 §4.1.2).
    pub(crate) used_by: Option<u64>,
}

/// All tokens of one sign-in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Family {
    pub(crate) subject: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) revoked: bool,
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
        let family = Family { subject: code.subject.clone(), scopes: code.scopes.clone(), revoked: false };
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
        self.access.retain(|_, old| old.expires_at > now);
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
    pub(crate) fn expire_all(&mut self, subject: Option<&str>) -> usize {
        let before = self.access.len();
        self.access.retain(|_, token| subject.is_some_and(|subject| subject != token.subject));
        before - self.access.len()
    }

    pub(crate) fn active_sign_ins(&self) -> usize {
        self.families.values().filter(|family| !family.revoked).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn signed_in() -> Grants {
        let mut grants = Grants::default();
        let code = Code {
            subject: "ada".into(),
            redirect_uri: "r".into(),
            challenge: "c".into(),
            scopes: vec![],
            expires_at: MINUTE,
            used_by: None,
        };
        grants.add_code("code".into(), code);
        let (family, _) = grants.use_code("code", "r", "c", 0).expect("exchanged");
        grants.add_refresh("first".into(), family);
        grants
    }

    fn use_twice(rotation: Rotation, after: i64) -> Result<Renewal, Refused> {
        let mut grants = signed_in();
        grants.use_refresh("first", rotation, MINUTE, 0).expect("the first use");
        grants.use_refresh("first", rotation, MINUTE, after)
    }

    #[test]
    fn each_rotation_handles_a_reused_refresh_token() {
        assert!(use_twice(Rotation::None, 9 * MINUTE).is_ok());
        assert!(use_twice(Rotation::Rotate, 1).is_err());
        assert!(use_twice(Rotation::Grace, MINUTE - 1).is_ok());
        assert!(use_twice(Rotation::Grace, MINUTE).is_err());
        assert!(use_twice(Rotation::Strict, 1).is_err());
    }

    #[test]
    fn strict_rotation_revokes_the_sign_in_on_reuse() {
        let mut grants = signed_in();
        let renewed = grants.use_refresh("first", Rotation::Strict, MINUTE, 0).expect("the first use");
        grants.add_refresh("second".into(), renewed.family);
        grants.use_refresh("first", Rotation::Strict, MINUTE, 1).expect_err("reuse");
        grants.use_refresh("second", Rotation::Strict, MINUTE, 2).expect_err("its family is revoked");
    }

    #[test]
    fn a_replayed_code_revokes_its_tokens() {
        let mut grants = signed_in();
        grants.use_code("code", "r", "c", 1).expect_err("replayed");
        grants.use_refresh("first", Rotation::None, MINUTE, 2).expect_err("revoked");
    }

    #[test]
    fn a_code_is_bound_to_its_request_and_expires_after_a_minute() {
        for (redirect, challenge, now) in [("other", "c", 0), ("r", "other", 0), ("r", "c", MINUTE)] {
            let mut grants = Grants::default();
            let code = Code {
                subject: "ada".into(),
                redirect_uri: "r".into(),
                challenge: "c".into(),
                scopes: vec![],
                expires_at: MINUTE,
                used_by: None,
            };
            grants.add_code("code".into(), code);
            grants.use_code("code", redirect, challenge, now).expect_err("refused");
        }
    }

    #[test]
    fn expiring_access_tokens_keeps_sign_ins() {
        let mut grants = signed_in();
        let token = AccessToken { family: Some(1), subject: "ada".into(), expires_at: 9 * MINUTE };
        grants.add_access("access".into(), token, 0);
        assert_eq!(grants.subject_of("access", 1).as_deref(), Some("ada"));
        grants.expire_all(None);
        assert_eq!(grants.subject_of("access", 1), None);
        grants.use_refresh("first", Rotation::None, MINUTE, 1).expect("the sign-in is valid");
    }

    #[test]
    fn revoking_ends_clients_and_their_tokens() {
        let client = || {
            let mut grants = signed_in();
            grants.add_client("secret".into(), "service".into());
            let token = AccessToken { family: None, subject: "service".into(), expires_at: MINUTE };
            grants.add_access("access".into(), token, 0);
            grants
        };
        for (subject, revoked, is_valid) in [(None, 2, false), (Some("service"), 1, false), (Some("ada"), 1, true)] {
            let mut grants = client();
            assert_eq!(grants.revoke_all(subject), revoked, "{subject:?}");
            assert_eq!(grants.knows_client("service", "secret"), is_valid, "{subject:?}");
            assert_eq!(grants.subject_of("access", 1).is_some(), is_valid, "{subject:?}");
        }
    }

    #[test]
    fn revoking_one_person_keeps_the_other() {
        let mut grants = signed_in();
        grants.add_api_key("key".into(), "grace".into());
        assert_eq!(grants.revoke_all(Some("ada")), 1);
        assert_eq!(grants.subject_of("key", 0).as_deref(), Some("grace"));
        grants.use_refresh("first", Rotation::None, MINUTE, 1).expect_err("revoked");
    }
}
