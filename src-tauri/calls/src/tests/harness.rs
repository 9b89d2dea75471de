//! Accounts whose engine is a few counters.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use relink_domain::{
    AccountId, Secret,
    caller::Caller,
    destination::Consent,
    integration::{Definition, ExpiredWhen, HeaderError, PathTemplate, SigningExpression, UrlPath, resources},
    template::{FillError, Filled, Placeholder, Root, Template},
};
use url::Url;
use uuid::Uuid;

use crate::{Account, AccountUrl, Accounts, Answered, Awaited, BaseError, Body, Calls, CursorKey, Incoming, Upstream};

pub(super) use super::{
    caller::{Call, call, get},
    provider::{Got, Provider, text},
};

/// Where Relink has the account.
pub(super) const RELINKS_URL: AccountUrl<'static> = &|| "http://relink/via/acme".to_owned();

/// A response that has arrived whole.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Arrived {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One account at a provider, and the calls through to it.
pub(super) struct World {
    pub(super) accounts: FakeAccounts,
    calls: Calls<FakeAccounts>,
}

impl World {
    /// An account at a provider with this origin.
    pub(super) fn at(origin: &str) -> Self {
        Self::of(origin, false, Consent::Local, &[])
    }

    /// An account whose access token can't be renewed.
    pub(super) fn new(provider: &Provider, below: &str) -> Self {
        Self::with(provider, below, false, Consent::Local, &[])
    }

    pub(super) fn renewable(provider: &Provider) -> Self {
        Self::with(provider, "", true, Consent::Local, &[])
    }

    /// An account whose access token can be renewed, at a provider whose answers mean "expired" like this.
    pub(super) fn expiring(provider: &Provider, expired_when: &[ExpiredWhen]) -> Self {
        Self::with(provider, "", true, Consent::Local, expired_when)
    }

    pub(super) fn without_consent(provider: &Provider) -> Self {
        Self::with(provider, "", false, Consent::Public, &[])
    }

    fn with(
        provider: &Provider,
        below: &str,
        is_renewable: bool,
        consent: Consent,
        expired_when: &[ExpiredWhen],
    ) -> Self {
        Self::of(&format!("{}{below}", provider.origin), is_renewable, consent, expired_when)
    }

    fn of(base: &str, is_renewable: bool, consent: Consent, expired_when: &[ExpiredWhen]) -> Self {
        let base = base.parse().expect("a URL");
        let accounts = FakeAccounts(Arc::new(Inner {
            base: Mutex::new(base),
            is_renewable,
            consent,
            expired_when: expired_when.into(),
            is_accepted: false.into(),
            tokens: AtomicUsize::new(1),
            fails_to_renew: false.into(),
            waiting: AtomicUsize::new(0),
            reauthorized: tokio::sync::Notify::new(),
            reported: Mutex::default(),
        }));
        Self { calls: Calls::new(accounts.clone(), Upstream::on_this_runtime()), accounts }
    }

    /// Gives the response while its body arrives.
    pub(super) async fn begin(&self, call: Call) -> Result<Response<Body>, String> {
        let Call { method, path, query, headers, body } = call;
        let incoming = Incoming { method, path: &path, query: query.as_deref(), headers, body, prefix: RELINKS_URL };
        let id = AccountId::from_uuid(Uuid::nil());
        self.calls.pass_through(&Caller::Person, id, incoming).await.map_err(|error| error.to_string())
    }

    /// A call that may wait for the person for a minute.
    pub(super) async fn wait(&self, call: Call) -> Result<Arrived, String> {
        let Call { method, path, query, headers, body } = call;
        let incoming = Incoming { method, path: &path, query: query.as_deref(), headers, body, prefix: RELINKS_URL };
        let (id, minute) = (AccountId::from_uuid(Uuid::nil()), std::time::Duration::from_mins(1));
        let response = self.calls.pass_through_or_wait(&Caller::Person, id, incoming, minute).await;
        let (parts, body) = response.map_err(|error| error.to_string())?.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok(Arrived { status: parts.status, headers: parts.headers, body })
    }

    pub(super) async fn call(&self, call: Call) -> Result<Arrived, String> {
        let (parts, body) = self.begin(call).await?.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok(Arrived { status: parts.status, headers: parts.headers, body })
    }

    pub(super) fn reported(&self) -> Vec<String> {
        self.accounts.0.reported.lock().expect("not poisoned").clone()
    }
}

#[derive(Clone)]
pub(super) struct FakeAccounts(pub(super) Arc<Inner>);

pub(super) struct Inner {
    base: Mutex<Url>,
    is_renewable: bool,
    consent: Consent,
    expired_when: Arc<[ExpiredWhen]>,
    /// Whether a call with the current access token was accepted.
    is_accepted: AtomicBool,
    /// The number of the current access token.
    pub(super) tokens: AtomicUsize,
    pub(super) fails_to_renew: AtomicBool,
    waiting: AtomicUsize,
    reauthorized: tokio::sync::Notify,
    reported: Mutex<Vec<String>>,
}

#[derive(Clone)]
pub(super) struct FakeAccount {
    number: usize,
    base: Url,
    headers: HeaderMap,
    is_renewable: bool,
    follows_refusal: bool,
    expired_when: Arc<[ExpiredWhen]>,
    consent: Consent,
}

impl Account for FakeAccount {
    fn base_url(&self) -> Option<&Url> {
        Some(&self.base)
    }

    fn consent(&self) -> Consent {
        self.consent
    }

    fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    fn query(&self) -> &[(String, Secret)] {
        &[]
    }

    fn is_renewable(&self) -> bool {
        self.is_renewable
    }

    fn follows_refusal(&self) -> bool {
        self.follows_refusal
    }

    fn expired_when(&self) -> &[ExpiredWhen] {
        &self.expired_when
    }

    fn scopes(&self) -> &[String] {
        unreachable!("{NO_METHOD}")
    }

    fn definition(&self) -> &Definition {
        unreachable!("{NO_METHOD}")
    }

    fn is_sandbox(&self) -> bool {
        false
    }

    fn base_of(&self, _: &resources::Method) -> Result<Url, BaseError> {
        unreachable!("{NO_METHOD}")
    }

    fn fill(&self, _: &Template, _: &[(&str, Root<'_>)]) -> Result<Filled, FillError> {
        unreachable!("{NO_METHOD}")
    }

    fn names_secret(&self, _: &Placeholder) -> bool {
        unreachable!("{NO_METHOD}")
    }

    fn secrets(&self) -> impl Iterator<Item = &Secret> {
        std::iter::empty()
    }

    fn fill_path(&self, _: &PathTemplate, _: &[(&str, Root<'_>)]) -> Result<UrlPath, FillError> {
        unreachable!("{NO_METHOD}")
    }

    fn signing<'a>(&'a self, _: Option<&'a resources::Method>) -> Option<&'a SigningExpression> {
        None
    }

    fn headers_of(&self, _: &resources::Method, _: &[(&str, Root<'_>)]) -> Result<HeaderMap, HeaderError> {
        unreachable!("{NO_METHOD}")
    }
}

const NO_METHOD: &str = "a pass-through calls no method";

impl Inner {
    /// The provider is another server now.
    pub(super) fn base_at(&self, provider: &Provider) {
        *self.base.lock().expect("not poisoned") = provider.origin.parse().expect("a URL");
    }
}

impl FakeAccounts {
    fn current(&self) -> FakeAccount {
        let number = self.0.tokens.load(Ordering::SeqCst);
        let value = format!("Bearer at-{number}").parse().expect("a header");
        FakeAccount {
            number,
            base: self.0.base.lock().expect("not poisoned").clone(),
            headers: HeaderMap::from_iter([(http::header::AUTHORIZATION, value)]),
            is_renewable: self.0.is_renewable,
            // The first one came of a sign-in.
            follows_refusal: number > 1 && !self.0.is_accepted.load(Ordering::SeqCst),
            expired_when: Arc::clone(&self.0.expired_when),
            consent: self.0.consent,
        }
    }
}

/// A call that waits. It may leave at any time.
struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Awaited for FakeAccounts {
    fn needs_person(error: &&'static str) -> bool {
        *error == "the refresh failed"
    }

    async fn works_again(&self, _: &Caller, _: AccountId, _: Option<&FakeAccount>) -> Result<(), &'static str> {
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        let _waits = Waits(&self.0.waiting);
        self.0.reauthorized.notified().await;
        Ok(())
    }
}

impl FakeAccounts {
    /// Waits until so many calls wait, in whatever way they end later.
    pub(super) async fn until_waiting(&self, count: usize) {
        while self.0.waiting.load(Ordering::SeqCst) != count {
            tokio::task::yield_now().await;
        }
    }

    /// The person signs in again: the provider accepts the access token with this number.
    pub(super) fn reauthorize(&self, number: usize) {
        self.0.tokens.store(number, Ordering::SeqCst);
        self.0.fails_to_renew.store(false, Ordering::SeqCst);
        self.0.reauthorized.notify_waiters();
    }
}

impl Accounts for FakeAccounts {
    type Account = FakeAccount;
    type Error = &'static str;

    fn cursor_key(&self) -> CursorKey {
        CursorKey([7; 32])
    }

    fn now(&self) -> relink_domain::Timestamp {
        relink_domain::Timestamp::from_millis(1_700_000_000_000)
    }

    async fn prepared(&self, _: &Caller, _: AccountId) -> Result<FakeAccount, &'static str> {
        Ok(self.current())
    }

    async fn renewed(&self, _: &Caller, refused: &FakeAccount) -> Result<FakeAccount, &'static str> {
        if self.0.fails_to_renew.load(Ordering::SeqCst) {
            return Err("the refresh failed");
        }
        let next = refused.number + 1;
        if self.0.tokens.compare_exchange(refused.number, next, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            self.0.is_accepted.store(false, Ordering::SeqCst);
        }
        Ok(self.current())
    }

    fn answered(&self, _: &Caller, account: &FakeAccount, answer: Answered<'_>) {
        let what = match answer {
            Answered::Accepted => {
                self.0.is_accepted.store(true, Ordering::SeqCst);
                "accepted".to_owned()
            }
            Answered::Unauthorized(said) => {
                let status = if said.status == 401 { String::new() } else { format!(" ({})", said.status) };
                format!("unauthorized{status}, {}", String::from_utf8_lossy(&said.body))
            }
            Answered::Forbidden(said) => format!("forbidden, {}", String::from_utf8_lossy(&said.body)),
        };
        self.0.reported.lock().expect("not poisoned").push(format!("{what} with at-{}", account.number));
    }
}
