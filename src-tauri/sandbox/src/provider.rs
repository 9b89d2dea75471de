//! The provider: what all its endpoints share.

use std::{
    fmt::Write as _,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    control::Settings,
    faults::{Fault, Faults, On},
    grants::{AccessToken, Grants},
    journal::Journal,
    state_file,
};

/// The public client that is registered here.
pub const CLIENT_ID: &str = "relink-sandbox";
/// The client id under which client credentials are made.
pub const SERVICE_CLIENT_ID: &str = "relink-sandbox-service";
/// What can be asked for.
pub(crate) const SCOPES: [(&str, &str); 3] =
    [("items:read", "Read items"), ("items:write", "Write items"), ("profile", "See who you are")];

/// Somebody who can sign in.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// `sub`.
    pub subject: &'static str,
    /// What the consent page's choice is called.
    pub key: &'static str,
    /// The name.
    pub name: &'static str,
    /// The address.
    pub email: &'static str,
}

/// The two people who can sign in.
pub const PEOPLE: [Person; 2] = [
    Person { subject: "sandbox-ada", key: "ada", name: "Ada Lovelace", email: "ada@example.com" },
    Person { subject: "sandbox-grace", key: "grace", name: "Grace Hopper", email: "grace@example.com" },
];

/// The provider.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) base_url: String,
    control_hash: [u8; 32],
    state: Option<PathBuf>,
    memory: Mutex<Memory>,
}

/// What the provider remembers.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) settings: Settings,
    pub(crate) grants: Grants,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    /// Consent pages that were shown and not answered yet: their ids, hashed, and the request they stand for.
    pub(crate) consents: std::collections::BTreeMap<String, crate::authorize::Request>,
}

impl Provider {
    pub(crate) fn new(base_url: String, control_key: &str, state: Option<PathBuf>) -> Self {
        let mut memory = Memory::default();
        if let Some(stored) = state.as_deref().and_then(state_file::read) {
            memory.grants = stored.grants;
            memory.settings = stored.settings;
        }
        Self {
            base_url,
            control_hash: Sha256::digest(control_key.as_bytes()).into(),
            state,
            memory: Mutex::new(memory),
        }
    }

    /// The memory, for a moment. A panic while it was held can't have left it half-changed in a way that matters here.
    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is the control key; compared in constant time.
    pub(crate) fn is_control_key(&self, key: &str) -> bool {
        let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        hash.ct_eq(&self.control_hash).into()
    }

    /// The provider's own time, in milliseconds: it may be off.
    #[expect(clippy::disallowed_methods, reason = "the Sandbox stands alone and has a clock of its own")]
    pub(crate) fn now(&self) -> i64 {
        // A state file may say anything.
        let ahead = self.memory().settings.clock_skew_secs.saturating_mul(1000);
        jiff::Timestamp::now().as_millisecond().saturating_add(ahead)
    }

    /// Notes a request.
    pub(crate) fn note(
        &self,
        endpoint: &'static str,
        grant_type: Option<&str>,
        outcome: &str,
        subject: Option<String>,
    ) {
        let at = jiff::Timestamp::from_millisecond(self.now()).map(|at| format!("{at:.3}")).unwrap_or_default();
        self.memory().journal.note(at, endpoint, grant_type, outcome, subject);
    }

    /// The fault of this answer, if it has one.
    pub(crate) fn fault(&self, on: On) -> Option<Fault> {
        self.memory().faults.take(on)
    }

    /// Makes an access token.
    pub(crate) fn access_token(&self, family: Option<u64>, subject: &str) -> Option<(String, i64)> {
        let token = random()?;
        let now = self.now();
        let mut memory = self.memory();
        let lifetime = memory.settings.token_lifetime_secs;
        let expires_at = now.saturating_add(lifetime.saturating_mul(1000));
        memory.grants.add_access(hash(&token), AccessToken { family, subject: subject.to_owned(), expires_at }, now);
        Some((token, lifetime))
    }

    /// Writes the state file, if there is one.
    pub(crate) fn save(&self) {
        if let Some(path) = &self.state {
            let memory = self.memory();
            if let Err(error) = state_file::write(path, &memory.settings, &memory.grants) {
                tracing::warn!("the Sandbox's state can't be written: {error}");
            }
        }
    }
}

/// SHA-256, in hexadecimal.
pub(crate) fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// SHA-256, as RFC 7636 §4.2 writes a challenge.
pub(crate) fn challenge_of(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// 256 random bits.
pub(crate) fn random() -> Option<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
