//! The engine's accounts, for calls.

use std::sync::Arc;

use axum::http::HeaderMap;
use relink_calls::{Account, Accounts, Answered};
use relink_domain::{AccountId, Secret, caller::Caller, destination::Consent};
use relink_engine::{Engine, Error, PreparedAccount};
use url::Url;

/// The accounts of the engine. Clones share the same state.
#[derive(Debug, Clone)]
pub(crate) struct EngineAccounts(pub(crate) Engine);

#[derive(Debug, Clone)]
pub(crate) struct Prepared(Arc<PreparedAccount>);

impl Account for Prepared {
    fn base_url(&self) -> &Url {
        self.0.base_url()
    }

    fn consent(&self) -> Consent {
        self.0.consent()
    }

    fn headers(&self) -> &HeaderMap {
        self.0.headers()
    }

    fn query(&self) -> &[(String, Secret)] {
        self.0.query()
    }

    fn is_renewable(&self) -> bool {
        self.0.is_renewable()
    }
}

impl Accounts for EngineAccounts {
    type Account = Prepared;
    type Error = Error;

    async fn prepared(&self, caller: &Caller, id: AccountId) -> Result<Prepared, Error> {
        self.0.refresher().prepared(caller, id).await.map(Prepared)
    }

    async fn renewed(&self, caller: &Caller, refused: &Prepared) -> Result<Prepared, Error> {
        self.0.refresher().renewed(caller, &refused.0).await.map(Prepared)
    }

    fn answered(&self, caller: &Caller, account: &Prepared, answer: Answered<'_>) {
        let refresher = self.0.refresher();
        match answer {
            Answered::Accepted => refresher.call_accepted(caller, &account.0),
            Answered::Unauthorized(said) => refresher.call_refused(caller, &account.0, said.headers, said.body),
            Answered::Forbidden(said) => refresher.call_forbidden(caller, &account.0, said.headers, said.body),
        }
    }
}
