use relink_domain::{
    AccountId, Timestamp,
    account::{
        self as domain, AuthenticationMethod, Credential, Fixed, FixedKind, Renewal, Renewing, SeenFailure, Status,
        Verdict,
    },
    failure::Explanation,
    health::Condition,
};
use serde::Serialize;
use ts_rs::TS;

use crate::account::{self, AccountError, AccountRow, CheckOutcome, Waiting};

/// An account, as shown in the list and on its page.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, as keys of the window's format")]
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Account {
    pub id: AccountId,
    /// The account's display name.
    pub name: String,
    /// Its integration's name, which is unique.
    pub integration: String,
    pub integration_label: String,
    /// The integration's color, in CSS syntax.
    pub color: Option<String>,
    pub tenant_id: String,
    /// The user that is signed in at the provider.
    pub identity: Option<String>,
    pub status: Status,
    pub method: AuthenticationMethod,
    /// The authentication method's label.
    pub method_label: String,
    pub scopes: Vec<String>,
    /// Whether programs can only read with it.
    pub is_sandbox: bool,
    /// Whether it is an account of Relink's own Sandbox, which the Sandbox's controls act on.
    pub is_of_own_sandbox: bool,
    /// What the account needs; `null` while it works.
    pub verdict: Option<Verdict>,
    /// Since when it has failed; `null` while it works.
    pub trouble_since: Option<Timestamp>,
    /// What is wrong; `null` while it works. An account that works for another person has one, too.
    pub problem: Option<Problem>,
    /// When Relink retries automatically.
    pub next_try: Option<Timestamp>,
    /// Set while the provider has asked Relink to wait: this account, or all accounts at its host.
    pub waiting: Option<Waiting>,
    /// Until when reminders about it are silenced.
    pub remind_at: Option<Timestamp>,
    /// When the access token was issued.
    pub refreshed_at: Option<Timestamp>,
    /// When the access token expires.
    pub expires_at: Option<Timestamp>,
    /// Whether `expires_at` is an assumption, because the provider doesn't say when the token expires.
    pub expiry_is_assumed: bool,
    /// When Relink acts automatically the next time.
    pub next_action_at: Option<Timestamp>,
    /// Whether its key was never tried, because the integration defines no test request.
    pub is_unchecked: bool,
    /// When a program last used it.
    pub last_used_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// The details of an account that aren't part of it.
#[derive(Debug, Clone, Copy)]
pub struct AccountContext<'a> {
    pub common: account::AccountContext<'a>,
    /// The integration's color, in CSS syntax.
    pub color: Option<&'a str>,
    /// Whether the integration is Relink's own Sandbox.
    pub is_of_own_sandbox: bool,
    /// Until when reminders about the account are silenced.
    pub remind_at: Option<Timestamp>,
}

impl Account {
    pub fn new(account: &domain::Account, context: &AccountContext<'_>) -> Self {
        let row = AccountRow::new(account, &context.common);
        let trouble = account.state.trouble();
        let last_error = match row.status {
            Status::Active => account.profile.answers_as_another.as_ref(),
            _ => account.shown_error(),
        };
        let refreshed_at = match account.state.credential() {
            Credential::Renewing(renewing) => Some(renewing.lifetime.issued_at),
            Credential::Fixed(_) => None,
        };
        Self {
            id: row.id,
            name: row.name,
            integration: row.integration,
            problem: last_error.map(|seen| Problem::new(account, seen, &row.integration_label)),
            integration_label: row.integration_label,
            color: context.color.map(str::to_owned),
            tenant_id: row.tenant_id,
            identity: row.identity,
            status: row.status,
            method: row.authentication_method,
            method_label: method_label(account.state.credential()).to_owned(),
            scopes: row.scopes,
            is_sandbox: row.is_sandbox,
            is_of_own_sandbox: context.is_of_own_sandbox,
            verdict: row.verdict,
            trouble_since: trouble.map(|trouble| trouble.since),
            next_try: row.next_try,
            waiting: row.waiting,
            remind_at: context.remind_at.filter(|_| trouble.is_some()),
            refreshed_at: refreshed_at.filter(|_| row.status != Status::Connecting),
            expires_at: row.expires_at,
            expiry_is_assumed: row.expiry_is_assumed,
            next_action_at: row.next_action_at,
            is_unchecked: row.is_unchecked,
            last_used_at: row.last_used_at,
            created_at: row.created_at,
        }
    }
}

const fn method_label(credential: &Credential) -> &'static str {
    match credential {
        Credential::Renewing(Renewing { by: Renewal::RefreshToken, .. }) => "OAuth 2.0, refresh token",
        Credential::Renewing(Renewing { by: Renewal::Action, .. }) => {
            "OAuth 2.0, renewed by the integration's own steps"
        }
        Credential::Renewing(Renewing { by: Renewal::ClientCredentials, .. }) => "OAuth 2.0, client credentials",
        Credential::Fixed(Fixed { kind: FixedKind::AccessToken, .. }) => "OAuth 2.0, no refresh token",
        Credential::Fixed(Fixed { kind: FixedKind::ApiKey, .. }) => "API key",
    }
}

/// What is wrong with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Problem {
    /// A stable code, for programs and tests.
    pub code: String,
    /// What happened, in one line.
    pub title: String,
    /// What it means.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// The HTTP status of the provider's response.
    pub http_status: Option<u16>,
    pub provider_code: Option<String>,
    /// The provider's error message.
    pub provider_message: Option<String>,
    pub occurred_at: Timestamp,
}

impl Problem {
    /// `provider`: the label of the account's integration.
    fn new(account: &domain::Account, seen: &SeenFailure, provider: &str) -> Self {
        let Explanation { title, message, hint } = account.explain(seen, provider);
        let error = AccountError::new(account, seen, provider);
        Self {
            code: error.code,
            title,
            message,
            hint,
            http_status: error.http_status,
            provider_code: error.provider_code,
            provider_message: error.provider_message,
            occurred_at: error.occurred_at,
        }
    }
}

/// The health of an account over the last days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Health {
    /// Slots of two hours, oldest first. The last one ends now.
    pub slots: Vec<Condition>,
    /// A summary in one sentence.
    pub sentence: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct CheckResult {
    pub outcome: CheckOutcome,
    /// The account after the check.
    pub account: Account,
}
