//! The state that all endpoints of the provider share.

use std::{
    fmt::Write as _,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    faults::{Endpoint, Fault, Faults},
    grants::{AccessToken, AuthorizationRequest, Grants},
    memory::Memory,
    request_log::RequestLog,
    scenario::Scenario,
    settings::Settings,
    state_file,
};

#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) base_url: String,
    /// The provider that is played, if it isn't the Sandbox itself.
    pub(crate) scenario: Option<Arc<Scenario>>,
    control_hash: [u8; 32],
    state_file: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) grants: Grants,
    pub(crate) faults: Faults,
    pub(crate) log: RequestLog,
    pub(crate) memory: Memory,
    /// Requests whose consent page is open, by the hash of the page's one-time id.
    pub(crate) consents: std::collections::BTreeMap<String, AuthorizationRequest>,
}

impl State {
    /// As it is at the first start.
    pub(crate) fn initial(scenario: Option<&Scenario>) -> Self {
        let settings = scenario.map_or_else(Settings::default, Settings::of);
        Self { settings, ..Self::default() }
    }
}

impl Provider {
    pub(crate) fn new(
        base_url: String,
        control_key: &str,
        state_file: Option<PathBuf>,
        scenario: Option<Arc<Scenario>>,
    ) -> Self {
        let mut state = State::initial(scenario.as_deref());
        if let Some(stored) = state_file.as_deref().and_then(state_file::read) {
            state.grants = stored.grants;
            state.settings = stored.settings;
        }
        Self {
            base_url,
            scenario,
            control_hash: Sha256::digest(control_key.as_bytes()).into(),
            state_file,
            state: Mutex::new(state),
        }
    }

    /// Locks the state. A panic while it was locked can't leave it inconsistent.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares with the control key in constant time.
    pub(crate) fn is_control_key(&self, key: &str) -> bool {
        let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        hash.ct_eq(&self.control_hash).into()
    }

    /// The provider's time in milliseconds, off by its clock skew.
    #[expect(clippy::disallowed_methods, reason = "the Sandbox is independent of Relink's clock")]
    pub(crate) fn now(&self) -> i64 {
        // The state file may contain any value.
        let ahead = self.state().settings.clock_skew_secs.saturating_mul(1000);
        jiff::Timestamp::now().as_millisecond().saturating_add(ahead)
    }

    /// Records a request in the log.
    pub(crate) fn record(
        &self,
        endpoint: &'static str,
        grant_type: Option<&str>,
        outcome: &str,
        subject: Option<String>,
    ) {
        let at = jiff::Timestamp::from_millisecond(self.now()).map(|at| format!("{at:.3}")).unwrap_or_default();
        self.state().log.record(at, endpoint, grant_type, outcome, subject);
    }

    /// The fault of this response, if any.
    pub(crate) fn fault(&self, on: Endpoint) -> Option<Fault> {
        self.state().faults.take(on)
    }

    /// Waits as long as the settings say.
    pub(crate) async fn delay(&self) {
        let delay = self.state().settings.delay_millis;
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }

    /// Issues an access token: the token and its lifetime in seconds.
    pub(crate) fn access_token(&self, prefix: &str, family: Option<u64>, subject: &str) -> Option<(String, i64)> {
        let token = format!("{prefix}{}", random()?);
        let now = self.now();
        let mut state = self.state();
        let lifetime = state.settings.token_lifetime_secs;
        let expires_at = now.saturating_add(lifetime.saturating_mul(1000));
        state.grants.add_access(hash(&token), AccessToken { family, subject: subject.to_owned(), expires_at }, now);
        Some((token, lifetime))
    }

    /// Writes the state file, if there is one.
    pub(crate) fn save(&self) {
        if let Some(path) = &self.state_file {
            let state = self.state();
            if let Err(error) = state_file::write(path, &state.settings, &state.grants) {
                tracing::warn!("the Sandbox's state can't be written: {error}");
            }
        }
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The S256 code challenge of a verifier (RFC 7636 §4.2).
pub(crate) fn challenge_of(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// 256 random bits as text. `None`: the system's random number generator failed.
pub(crate) fn random() -> Option<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
