//! The table of causes.

use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;

/// Who can fix a cause: it decides whether Relink retries and who is notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Final: the person must sign in again.
    Terminal,
    /// The integration's client is wrong, not the account.
    Configuration,
    /// It may go away: retried with growing delays.
    Transient,
    /// A refusal that Relink doesn't know: transient until it has lasted (see [`crate::account::Trouble::verdict`]).
    Unknown,
}

/// A failure explained to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What happened, on one line.
    pub title: String,
    /// What it means.
    pub message: String,
    /// What to do.
    pub hint: String,
}

pub(super) fn fill(text: &str, provider: &str) -> String {
    text.replace("{provider}", provider)
}

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $severity:ident, $ambiguous:literal,
        $title:literal, $message:literal, $hint:literal $(then $last:literal)?;)+) => {
        /// A cause of failure. `{provider}` in its texts becomes the integration's label. A hint after `then` applies once
        /// Relink has stopped retrying.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Cause {
            $($(#[$doc])* #[serde(rename = $code)] $name,)+
        }

        impl Cause {
            /// All causes, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The stable code, as in `last_error_details.code`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }

            /// Whether the provider may have processed the request although no usable response came. The response may
            /// then have carried a new refresh token that is lost.
            pub const fn is_ambiguous(self) -> bool {
                match self { $(Self::$name => $ambiguous,)+ }
            }

            /// What happened, on one line.
            pub fn title(self, provider: &str) -> String {
                fill(match self { $(Self::$name => $title,)+ }, provider)
            }

            /// What it means.
            pub fn message(self, provider: &str) -> String {
                fill(match self { $(Self::$name => $message,)+ }, provider)
            }

            /// What happened, what it means and what to do. The verdict decides whether the hint may promise a retry.
            pub fn explain(self, provider: &str, verdict: Verdict) -> Explanation {
                let hint = match self {
                    $(Self::$name => {
                        $(if verdict == Verdict::NeedsPerson { $last } else)? { $hint }
                    })+
                };
                Explanation { title: self.title(provider), message: self.message(provider), hint: fill(hint, provider) }
            }
        }
    };
}

causes! {
    /// RFC 6749 §5.2 `invalid_grant`: revoked, expired or already used.
    InvalidGrant = "invalid_grant", Terminal, false,
        "{provider} no longer accepts this sign-in",
        "Access was revoked or expired at {provider}. Nothing that uses this account works until you sign in again.",
        "Reauthorize the connection.";
    /// RFC 6749 §5.2 `unauthorized_client`.
    UnauthorizedClient = "unauthorized_client", Terminal, false,
        "{provider} doesn't let this app refresh sign-ins",
        "{provider} says that this client may not use refresh tokens.",
        "Check the client's settings at {provider}, then reauthorize the connection.";
    /// An error code that the integration's definition lists as terminal.
    RefusedByProvider = "refused_by_provider", Terminal, false,
        "{provider} refused this sign-in",
        "{provider} gave an error that only signing in again can fix.",
        "Reauthorize the connection.";
    /// OpenID Connect Core 1.0 §3.1.2.6 `interaction_required`, `login_required`, `account_selection_required` and
    /// `consent_required`.
    InteractionRequired = "interaction_required", Terminal, false,
        "{provider} wants you to sign in again",
        "{provider} issues no new token until you have answered its questions in the browser. Nothing that uses this account works until then.",
        "Reauthorize the connection.";
    /// The response that carried the new refresh token never arrived, and the old token is no longer accepted.
    LostResponse = "lost_response", Terminal, false,
        "A response from {provider} was lost",
        "A refresh was interrupted after {provider} had replaced the token, and {provider} no longer accepts the old one.",
        "Reauthorize the connection.";
    /// RFC 6749 §5.2 `invalid_client`.
    InvalidClient = "invalid_client", Configuration, false,
        "{provider} rejected this app's client",
        "The integration's client ID or client secret is wrong, or was replaced at {provider}.",
        "Set the integration's client ID and secret again, then choose Refresh now.";
    /// RFC 6749 §5.2 `invalid_client`, where the client is the account's own (RFC 6749 §4.4).
    ClientRefused = "client_refused", Terminal, false,
        "{provider} no longer accepts this client",
        "This account's client ID or client secret was revoked or replaced at {provider}. Nothing that uses this account works until you enter the current ones.",
        "Reauthorize the connection.";
    /// The host name could not be resolved.
    Dns = "dns", Transient, false,
        "{provider} can't be found",
        "The address of {provider}'s server could not be looked up. The network or its DNS server may be down.",
        "No action needed. Relink will retry.";
    /// The host resolves to an address that Relink calls only with the person's consent, or never.
    PrivateAddress = "private_address", Transient, false,
        "{provider} is at a private address",
        "{provider}'s server resolves to an address on this network or to a reserved one. Relink calls an address on this network only if the integration allows it (\"allow_local\" in config.relink), and a reserved one never.",
        "Check the network and its DNS server: a VPN or a filter can cause this. Relink will retry.";
    /// The URL starts with `http://`, but the host is not this machine.
    Unencrypted = "unencrypted", Transient, false,
        "{provider} can't be called without encryption",
        "The address of {provider}'s server starts with http://, but leads to another machine. Relink sends credentials without encryption only within this machine, so it sent nothing.",
        "Use an address with https:// in the integration. Relink will retry.";
    /// No connection could be made.
    Unreachable = "unreachable", Transient, false,
        "{provider} can't be reached",
        "No connection to {provider}'s server could be made.",
        "No action needed. Relink will retry.";
    /// The TLS connection could not be made.
    Tls = "tls", Transient, false,
        "No secure connection to {provider}",
        "{provider}'s certificate could not be verified. A proxy, a hotel network or a wrong clock can cause this.",
        "Check the network and this machine's clock. Relink will retry.";
    /// No response within the deadline.
    Timeout = "timeout", Transient, true,
        "{provider} didn't respond in time",
        "The request was sent, but no response came.",
        "No action needed. Relink will retry.";
    /// The connection broke before the response was complete.
    Reset = "connection_reset", Transient, true,
        "The connection to {provider} broke",
        "The request was sent, but the connection ended before the response was complete.",
        "No action needed. Relink will retry.";
    /// 429.
    RateLimited = "rate_limited", Transient, false,
        "{provider} is limiting requests",
        "{provider} accepts no more requests for the moment.",
        "No action needed. Relink will retry when {provider} allows it.";
    /// 408, or a 5xx that is not [`Cause::BadGateway`].
    ServerError = "server_error", Transient, false,
        "{provider} is having problems",
        "{provider}'s server responded with an error.",
        "No action needed. Relink will retry.";
    /// 502 or 504: a gateway in front of the provider got no usable response from it.
    BadGateway = "bad_gateway", Transient, true,
        "{provider} is having problems",
        "A gateway in front of {provider}'s server got no usable response from it.",
        "No action needed. Relink will retry.";
    /// A web page with a success status, or a redirect to another host: a captive portal, or a proxy.
    NotJson = "not_json", Transient, true,
        "Something else responded instead of {provider}",
        "A web page came instead of {provider}'s response. The network's own sign-in page (hotel, train) can cause this.",
        "Open a browser and check whether the network asks you to sign in. Relink will retry.";
    /// RFC 6749 appendices A.12 and A.17: a token consists of visible ASCII characters.
    MalformedToken = "malformed_token", Transient, true,
        "{provider} returned a token that can't be used",
        "The token contains characters that a token can't have, or is longer than 32,768 characters. It was not kept.",
        "Report it to {provider} if it keeps failing. Relink will retry.";
    /// JSON that is cut off or lacks what it must contain.
    Garbled = "garbled_answer", Transient, true,
        "{provider}'s response can't be read",
        "The response was cut off or lacks the access token.",
        "No action needed. Relink will retry.";
    /// A redirect to the same host. Credentials are sent only to the address in the definition.
    Redirected = "redirected", Unknown, false,
        "{provider}'s token address has moved",
        "{provider} responded with a redirect. Relink doesn't follow it, because it sends credentials only to the address that the integration names.",
        "Correct the token address in the integration. Relink will retry for an hour."
        then "Correct the token address in the integration, then choose Refresh now.";
    /// A refusal without an error code, or with one that neither a standard nor the definition names.
    UnknownRefusal = "unknown_refusal", Unknown, false,
        "{provider} refused the request",
        "{provider} gave an error that Relink doesn't know.",
        "Relink will retry for an hour. If it keeps failing, reauthorize the connection."
        then "Reauthorize the connection.";
    /// The steps of the integration's action `refresh_token` failed in another way than by a refusal, or left no access token
    /// (contract section 4.8).
    RefreshStepFailed = "refresh_step_failed", Unknown, false,
        "The steps that renew {provider}'s token don't work",
        "The integration renews this account's token with steps of its own (the action refresh_token), and they gave no new one.",
        "Look at what the step says, and correct the action in the integration. Relink will retry for an hour."
        then "Correct the action refresh_token in the integration, then choose Refresh now.";
    /// A call was answered with 403: the sign-in works, but not for this call.
    Forbidden = "forbidden", Transient, false,
        "{provider} forbids this call",
        "A call was answered with 403 Forbidden: the sign-in works, but isn't allowed to do this.",
        "Check at {provider} what this sign-in may do, or reauthorize the connection as somebody who may do more.";
    /// A call succeeded, but its response lacks the identity that the definition names.
    IdentityMissing = "identity_missing", Transient, false,
        "{provider} didn't say who is signed in",
        "A call succeeded, but its response lacks the identity that the integration names, so Relink can't tell whose account it is.",
        "Compare the integration's \"identity\" with {provider}'s documentation, and check what this sign-in may read.";
    /// A call succeeded as somebody else than the person who signed in.
    AnotherIdentity = "another_identity", Terminal, false,
        "{provider} answers as somebody else",
        "A call with this account's credential succeeded, but for another person than the one who signed in.",
        "Find out at {provider} whose credential this is. To use that person's, reauthorize the connection and replace the sign-in.";
    /// A success status, but the response reports an error or lacks what the definition requires.
    ErrorInResponse = "error_in_response", Transient, false,
        "{provider} responded with an error",
        "A call was answered with a success status, but its response reports an error or lacks what the integration requires, so Relink can't tell whether the account works.",
        "Look at what {provider} says. If it stays that way, reauthorize the connection.";
    /// A call was refused because of the credential, and there is nothing to refresh.
    Rejected = "rejected", Terminal, false,
        "{provider} no longer accepts this credential",
        "A call was refused because of its credential: the key or token may have been revoked or have expired.",
        "Reauthorize the connection.";
    /// A call was refused because of the credential, and again after a refresh.
    RejectedAfterRefresh = "rejected_after_refresh", Terminal, false,
        "{provider} issues new tokens but doesn't accept them",
        "The token was refreshed, and the call was refused because of its credential again.",
        "Reauthorize the connection.";
    /// The stored definition of the integration can't be loaded.
    IntegrationUnusable = "integration_unusable", Configuration, false,
        "The integration {provider} can't be used",
        "Relink can't load its definition any more. It neither refreshes nor checks the account until the definition is repaired.",
        "Add the integration again from a corrected file, or delete the account and uninstall the integration.";
    /// An address of the integration is at another origin than when the account's credentials were given.
    OriginChanged = "origin_changed", Terminal, false,
        "{provider}'s address changed",
        "The integration's addresses aren't those any more that this account was connected at. Relink has sent nothing to the new ones.",
        "If you trust the new address, reauthorize the connection.";
    /// A step of the integration's action `post_install` failed (contract section 4.8).
    PostInstallFailed = "post_install_error", Terminal, false,
        "A setup step for {provider} failed",
        "The sign-in was saved, but a step that the integration runs after it failed.",
        "Look at what the step says. When that is solved, run the steps again.";
    /// The integration's action `validation` failed, or said no (contract section 4.8).
    ValidationFailed = "validation_error", Terminal, false,
        "{provider}'s check of this connection failed",
        "The sign-in was saved, but the check that the integration makes after it didn't pass.",
        "Look at what the check says. When that is solved, run the steps again, or reauthorize the connection.";
    /// The account's item is gone from the keychain.
    CredentialMissing = "credential_missing", Terminal, false,
        "The sign-in is gone from the keychain",
        "This account's item was removed from the keychain on this machine.",
        "Reauthorize the connection.";
    /// The account's item is in the keychain, but is not what Relink wrote.
    CredentialDamaged = "credential_damaged", Terminal, false,
        "The sign-in in the keychain can't be read",
        "This account's item in the keychain was changed, or was written by a newer version of Relink.",
        "Update Relink, or reauthorize the connection.";
}
