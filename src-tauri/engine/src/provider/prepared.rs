//! Accounts that are ready for calls of programs.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use http::HeaderMap;
use relink_domain::{
    AccountId, Secret, Timestamp, account::Account, destination::Consent, failure::ProviderError,
    provider_text::SecretFilter,
};
use url::Url;

use super::{BoundProvider, CallCredentials, Provider, call::unresolved};
use crate::{
    error::{Error, Result},
    oauth::{self, decode},
};

/// Another refusal of the same kind within that time changes nothing, so it isn't reported (contract section 6).
const REPORTED_AGAIN_MILLIS: i64 = 60_000;

/// Everything that a call needs of an account, in memory until the account changes. Its headers contain the credential.
#[derive(Debug)]
pub struct PreparedAccount {
    id: AccountId,
    generation: u64,
    provider: Arc<Provider>,
    base_url: Url,
    headers: HeaderMap,
    query: Vec<(String, Secret)>,
    /// The access token in the headers, if it can be renewed.
    renewable: Option<Secret>,
    filter: SecretFilter,
    /// Whether an accepted call ends a trouble of the account, or what a 403 said.
    waits_for_success: bool,
    /// When a call was last known to be answered with 401 and with 403.
    refused_at: Option<Timestamp>,
    forbidden_at: Option<Timestamp>,
    /// The kinds of answers that were reported. Each changes the account, so there will be another preparation.
    reported: AtomicU8,
}

impl PreparedAccount {
    /// `renewable`: whether the access token can be renewed.
    pub(crate) fn new(
        account: &Account,
        provider: &BoundProvider,
        credentials: &CallCredentials<'_>,
        renewable: Option<Secret>,
    ) -> Result<Self> {
        let base_url = provider.definition.base_url().ok_or_else(|| {
            let message =
                format!("The definition of {} has no base_url, so there is nowhere to call.", provider.label());
            Error::conflict("no_base_url", message)
        })?;
        let trouble = account.state.trouble();
        let forbidden = account.profile.last_forbidden_error.as_ref();
        Ok(Self {
            id: account.id(),
            generation: account.state.credential().generation(),
            base_url: base_url.resolve(credentials.context).map_err(|error| unresolved(&error))?.as_url().clone(),
            headers: provider.headers(&[], &[], credentials)?,
            query: provider.query(credentials)?,
            renewable,
            filter: credentials.filter(),
            waits_for_success: account.waits_for_accepted_call(),
            refused_at: trouble.and_then(|trouble| trouble.announced_at),
            forbidden_at: forbidden.map(|seen| seen.at),
            reported: AtomicU8::new(0),
            provider: provider.shared(),
        })
    }

    pub const fn id(&self) -> AccountId {
        self.id
    }

    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// Where the provider's API is. Calls go to paths below it.
    pub const fn base_url(&self) -> &Url {
        &self.base_url
    }

    pub fn consent(&self) -> Consent {
        self.provider.consent()
    }

    /// The headers that the definition adds to a call, and the one that carries the credential. Each is marked as sensitive.
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The parameters that the definition adds to the query. A key may be among them.
    pub fn query(&self) -> &[(String, Secret)] {
        &self.query
    }

    pub const fn is_renewable(&self) -> bool {
        self.renewable.is_some()
    }

    pub(crate) const fn access_token(&self) -> Option<&Secret> {
        self.renewable.as_ref()
    }

    /// Whether its integration's definition is still this one.
    pub(crate) fn is_of(&self, provider: &Arc<Provider>) -> bool {
        Arc::ptr_eq(&self.provider, provider)
    }

    pub(crate) const fn provider(&self) -> &Arc<Provider> {
        &self.provider
    }

    /// Whether an accepted call now is to be reported. One answer of each kind is, and then the account is prepared anew; a 403
    /// is kept for a minute, however often other calls are accepted.
    pub(crate) fn reports_success(&self, now: Timestamp) -> bool {
        self.waits_for_success && !is_recent(self.forbidden_at, now) && self.reports(Kind::Accepted)
    }

    /// The same for a 401.
    pub(crate) fn reports_refusal(&self, now: Timestamp) -> bool {
        !is_recent(self.refused_at, now) && self.reports(Kind::Refused)
    }

    /// The same for a 403.
    pub(crate) fn reports_forbidden(&self, now: Timestamp) -> bool {
        !is_recent(self.forbidden_at, now) && self.reports(Kind::Forbidden)
    }

    fn reports(&self, kind: Kind) -> bool {
        let bit = 1 << kind as u8;
        self.reported.fetch_or(bit, Ordering::SeqCst) & bit == 0
    }

    /// A text of the provider, with its lines and without the account's secrets.
    pub fn without_secrets(&self, text: &str) -> String {
        self.filter.clean_whole(text)
    }

    /// What the provider said with a refusal, without secrets.
    pub(crate) fn said(&self, headers: &HeaderMap, body: &[u8]) -> ProviderError {
        let decode::Decoded { text, .. } = decode::decode(headers, body);
        let in_body = serde_json::from_str(&text).ok().map(|body| {
            let code = self.provider.definition.refresh().error_code_path.as_ref().and_then(|path| path.read(&body));
            ProviderError::read(&body, code)
        });
        let said = in_body.filter(|said| *said != ProviderError::default());
        said.unwrap_or_else(|| oauth::challenge(headers)).cleaned(&self.filter)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Accepted,
    Refused,
    Forbidden,
}

fn is_recent(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| (0..REPORTED_AGAIN_MILLIS).contains(&now.millis_since(at)))
}
