//! How a flow fails, as its page or a program sees it. It contains no secrets.

use relink_contract::connect::{FlowError, FlowErrorType};
use relink_domain::{
    AccountId,
    account::ConnectStep,
    failure::{Advice, Cause, Failure, Occasion, ProviderError, Severity, provider_words},
    integration::Field,
};

use crate::error::Error;

#[derive(Debug, Clone)]
pub(super) struct FlowFailure {
    pub(super) shown: FlowError,
    /// Whether the cause is the provider or the network. Then an event reports it.
    pub(super) at_provider: bool,
    /// What caused it, if that was no refusal of the credentials.
    cause: Option<Box<Error>>,
}

const EXPIRED: &str = "sign_in_expired";

impl FlowFailure {
    fn new(code: &str, title: String, message: String, hint: &str, error_type: FlowErrorType) -> Self {
        let (code, hint) = (code.to_owned(), hint.to_owned());
        let shown = FlowError {
            code,
            title,
            message,
            hint,
            copy: None,
            provider_code: None,
            provider_message: None,
            error_type,
            field: None,
            integrated_account_id: None,
        };
        Self { shown, at_provider: true, cause: None }
    }

    /// Adds what the provider said, and the advice for it in place of the general one. `redirect_uri`: the flow's.
    fn said(mut self, failure: &Failure, label: &str, redirect_uri: Option<&str>) -> Self {
        self.shown.provider_code.clone_from(&failure.provider_code);
        self.shown.provider_message.clone_from(&failure.provider_message);
        if let Some(Advice { hint, copy }) = failure.advice(label, Occasion::Flow { redirect_uri }) {
            (self.shown.hint, self.shown.copy) = (hint, copy);
        }
        self
    }

    /// Sets the form field with the error.
    fn about(mut self, field: Option<String>) -> Self {
        self.shown.field = field;
        self
    }

    /// The provider didn't redirect back in time.
    pub(super) fn expired() -> Self {
        let failure = Self::new(
            EXPIRED,
            "The sign-in took too long".into(),
            "The provider didn't return within ten minutes. Nothing was changed.".into(),
            "Start over. The link still works.",
            FlowErrorType::ConnectionError,
        );
        Self { at_provider: false, ..failure }
    }

    pub(super) fn is_expired(&self) -> bool {
        self.shown.code == EXPIRED
    }

    /// The integration was removed meanwhile.
    pub(super) fn integration_removed(label: &str) -> Self {
        let failure = Self::new(
            "integration_removed",
            format!("{label} was removed from Relink"),
            format!("It was removed during the sign-in. {NOTHING_KEPT}"),
            "Install it again in Relink, then start over.",
            FlowErrorType::ValidationError,
        );
        Self { at_provider: false, ..failure }
    }

    /// Another page was opened with the address of the page that began the flow.
    pub(super) fn withdrawn() -> Self {
        let failure = Self::new(
            "opening_used",
            "This page was closed for safety".into(),
            "The address that opened it was opened a second time. Nothing was changed.".into(),
            "Open the link again.",
            FlowErrorType::ValidationError,
        );
        Self { at_provider: false, ..failure }
    }

    /// The person to whom the sign-in returned didn't begin it.
    pub(super) fn declined(label: &str) -> Self {
        let failure = Self::new(
            "sign_in_declined",
            "The sign-in was declined".into(),
            format!(
                "Whoever signed in to {label} didn't confirm that it was for this connection. Nothing was changed."
            ),
            "If it was you, start over, and confirm it.",
            FlowErrorType::ValidationError,
        );
        Self { at_provider: false, ..failure }
    }

    /// An authorization error response (RFC 6749 §4.1.2.1).
    pub(super) fn refused_at_provider(
        code: &str,
        description: Option<&str>,
        label: &str,
        redirect_uri: Option<&str>,
    ) -> Self {
        let words = ProviderError { code: Some(code.to_owned()), message: description.map(str::to_owned) };
        let failure = Failure::new(Cause::UnknownRefusal).said(&words);
        let is_known = failure.advice(label, Occasion::Flow { redirect_uri }).is_some();
        let (title, message, hint) = match code {
            // The provider may have denied it itself (RFC 6749 §4.1.2.1).
            "access_denied" if is_known => (
                format!("{label} denied access"),
                format!("{label} reports that access was denied. Nothing was changed."),
                "Start over.",
            ),
            "access_denied" => (
                "You didn't allow access".to_owned(),
                format!("{label} reports that access was denied. Nothing was changed."),
                "Start over if that was a mistake.",
            ),
            "invalid_scope" => (
                format!("{label} doesn't offer the requested scopes"),
                "At least one scope of the integration isn't available to this OAuth client.".to_owned(),
                "Check the integration's scopes and what its OAuth client may request.",
            ),
            _ => (
                format!("{label} rejected the sign-in"),
                "Nothing was changed.".to_owned(),
                "Start over. If it keeps happening, check the OAuth client's settings at the provider.",
            ),
        };
        Self::new(code, title, message, hint, FlowErrorType::ConnectionError).said(&failure, label, redirect_uri)
    }

    /// A failure of the exchange, the test request or the network.
    pub(super) fn of_failure(failure: &Failure, label: &str, redirect_uri: Option<&str>) -> Self {
        let hint = match failure.cause {
            Cause::InvalidGrant => "Start over, and finish within ten minutes.",
            cause => match cause.severity() {
                Severity::Transient | Severity::Unknown => "Start over in a moment. The link still works.",
                Severity::Configuration => "Enter the integration's client ID and secret again, then start over.",
                Severity::Terminal => "Start over. The link still works.",
            },
        };
        let (title, message) = match failure.cause {
            Cause::InvalidGrant => (
                format!("{label} didn't accept the sign-in code"),
                match failure.provider_message {
                    Some(_) => "Nothing was changed.".to_owned(),
                    None => "The code may have expired or was used already. Nothing was changed.".to_owned(),
                },
            ),
            Cause::Rejected => (
                format!("{label} doesn't accept this credential"),
                format!("A test request was refused{}. {NOTHING_KEPT}", with_status(failure)),
            ),
            cause => (cause.title(label), cause.message(label)),
        };
        let mut error = Self::new(failure.cause.code(), title, message, hint, FlowErrorType::ConnectionError);
        if failure.cause.severity() == Severity::Transient {
            error.cause = Some(Box::new(Error::provider(failure.clone(), label, None)));
        }
        error.said(failure, label, redirect_uri)
    }

    /// The provider doesn't accept the entered credential.
    /// `fields`: those that the request contained.
    pub(super) fn key_rejected(failure: &Failure, label: &str, fields: &[&Field]) -> Self {
        let hint = match fields {
            [] | [_] => "Check that you copied all of it and that it belongs to the right account.".to_owned(),
            several => {
                format!("Check {}: that you copied all of them and that they belong together.", labels(several))
            }
        };
        // The secret one is more likely to be wrong, and can't be seen.
        let blamed = fields.iter().find(|field| field.secret).or(fields.first());
        Self::new(
            "rejected",
            format!("{label} doesn't accept this key"),
            format!("A test request was refused{}. {NOTHING_KEPT}", with_status(failure)),
            &hint,
            FlowErrorType::ValidationError,
        )
        .said(failure, label, None)
        .about(blamed.map(|field| field.name.clone()))
    }

    /// Fields that may be left empty were, but calls can't be signed without them.
    pub(super) fn fields_missing(label: &str, fields: &[&Field]) -> Self {
        let failure = Self::new(
            "field_missing",
            format!("{} {} missing", labels(fields), if fields.len() == 1 { "is" } else { "are" }),
            format!("Calls to {label} can't be signed without that. {NOTHING_KEPT}"),
            ENTER_AND_RETRY,
            FlowErrorType::ValidationError,
        );
        Self { at_provider: false, ..failure }.about(fields.first().map(|field| field.name.clone()))
    }

    /// The provider doesn't accept calls without the fields that were left empty.
    pub(super) fn unsigned_rejected(failure: &Failure, label: &str, fields: &[&Field]) -> Self {
        Self::new(
            "field_missing",
            format!("{label} doesn't accept calls without {}", labels(fields)),
            format!("A test request was refused{}. {NOTHING_KEPT}", with_status(failure)),
            ENTER_AND_RETRY,
            FlowErrorType::ValidationError,
        )
        .said(failure, label, None)
        .about(fields.first().map(|field| field.name.clone()))
    }

    /// The provider doesn't accept the entered client id and secret.
    pub(super) fn client_rejected(failure: &Failure, label: &str) -> Self {
        Self::new(
            Cause::InvalidClient.code(),
            format!("{label} doesn't accept this client ID and secret"),
            format!("The provider returned no token for them. {NOTHING_KEPT}"),
            "Check that you copied all of both and that they belong together.",
            FlowErrorType::ValidationError,
        )
        .said(failure, label, None)
        .about(Some("client_secret".to_owned()))
    }

    /// The new sign-in has no identity.
    pub(super) fn identity_unknown(label: &str, before: Option<&str>) -> Self {
        let message = match before {
            Some(before) => {
                format!(
                    "Relink can't tell whether it was {before}, who this account belongs to. The old sign-in stays."
                )
            }
            None => format!("Relink couldn't tell the account from another person's later. {NOTHING_KEPT}"),
        };
        Self::new(
            "identity_unknown",
            format!("{label} didn't say who signed in"),
            message,
            "Start over and allow everything that Relink asks for. A link with its own scopes must also request the identity \
             (for example, openid).",
            FlowErrorType::ValidationError,
        )
    }

    /// The account can be refreshed, but the new sign-in can't.
    pub(super) fn not_lasting(label: &str) -> Self {
        Self::new(
            "refresh_token_missing",
            format!("{label} returned a sign-in that doesn't last"),
            "It has no refresh token and would soon expire, but this account needs one that Relink can refresh. The old \
             sign-in stays."
                .to_owned(),
            "In your account settings at the provider, remove this app's access, then start over. A first sign-in includes \
             a refresh token.",
            FlowErrorType::ValidationError,
        )
    }

    /// The probe was answered with 403.
    pub(super) fn forbidden(failure: &Failure, label: &str) -> Self {
        Self::new(
            "forbidden",
            format!("{label} doesn't permit this sign-in"),
            format!(
                "A test request was answered with 403 Forbidden: a permission or a scope is missing. {NOTHING_KEPT}"
            ),
            "Give the account or the key the permissions it needs, then start over.",
            FlowErrorType::ValidationError,
        )
        .said(failure, label, None)
    }

    /// The account had scopes that the new sign-in lacks.
    pub(super) fn scopes_missing(label: &str, missing: &[String]) -> Self {
        Self::new(
            "scopes_missing",
            "Some access was not granted".into(),
            format!(
                "{label} granted less than this account had: {} is missing. The old sign-in stays.",
                missing.join(", ")
            ),
            "Start over and allow everything that Relink asks for.",
            FlowErrorType::ValidationError,
        )
    }

    /// The sign-in was saved, but the account isn't active after its steps. The account itself says so.
    pub(super) fn of_steps(error: &Error, account: AccountId) -> Self {
        let mut failure = Self::of_error(error);
        failure.shown.error_type = match error {
            Error::Step { failed: Some(ConnectStep::PostInstall), .. } => FlowErrorType::PostInstallError,
            Error::Step { failed: Some(ConnectStep::Validation), .. } => FlowErrorType::ValidationError,
            _ => FlowErrorType::ConnectionError,
        };
        failure.shown.integrated_account_id = Some(account);
        Self { at_provider: false, ..failure }
    }

    /// Truto's kind of it. What was refused is a `validation_error` only of an account that exists (contract section 2.1): its own, or
    /// the one that the flow reauthorizes.
    pub(super) fn error_type(&self, reauthorized: Option<AccountId>) -> FlowErrorType {
        let account = self.shown.integrated_account_id.or(reauthorized);
        match (self.shown.error_type, account) {
            (FlowErrorType::ValidationError, None) => FlowErrorType::ConnectionError,
            (error_type, _) => error_type,
        }
    }

    /// Whether there is an account that says the same.
    pub(super) const fn is_of_account(&self) -> bool {
        self.shown.integrated_account_id.is_some()
    }

    /// Any error of the engine.
    pub(super) fn of_error(error: &Error) -> Self {
        let hint = error.hint().unwrap_or_else(|| "Start over.".into());
        let failure = Self::new(error.code(), error.title(), error.to_string(), &hint, FlowErrorType::ConnectionError);
        let at_provider = matches!(error, Error::Provider { .. });
        Self { at_provider, cause: Some(Box::new(error.clone())), ..failure }
    }

    /// As a program sees it that gave the credentials.
    pub(super) fn into_error(self) -> Error {
        if let Some(cause) = self.cause {
            return *cause;
        }
        // The hint is for the page.
        let FlowError { title, message, provider_code, provider_message, field, .. } = self.shown;
        let said = provider_words(provider_code.as_deref(), provider_message.as_deref());
        let said = said.map(|said| format!(" The provider said: {said}.")).unwrap_or_default();
        let field = field.map(|field| format!("context.{field}"));
        Error::Invalid { code: "credentials_refused", field, message: format!("{title}. {message}{said}") }
    }
}

const ENTER_AND_RETRY: &str = "Fill in the form completely, then try again.";
const NOTHING_KEPT: &str = "Nothing was saved.";

fn labels(fields: &[&Field]) -> String {
    fields.iter().map(|field| field.label.as_str()).collect::<Vec<_>>().join(" and ")
}

fn with_status(failure: &Failure) -> String {
    match failure.http_status {
        Some(401) => " with 401 Unauthorized".to_owned(),
        Some(status) => format!(" in a response with status {status}"),
        None => String::new(),
    }
}
