//! Faults: how the next responses of an endpoint deviate from normal ones.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// How a response deviates from the normal one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// 500.
    #[serde(rename = "status_500")]
    Status500,
    /// 503.
    #[serde(rename = "status_503")]
    Status503,
    /// 429 with `Retry-After`.
    TooManyRequests,
    /// The connection is reset before the request is processed.
    ResetBefore,
    /// The request is processed, then the connection is reset.
    ResetAfter,
    /// No response at all.
    Silence,
    /// The normal response, one byte at a time.
    SlowDrip,
    /// The normal response, cut off in the middle.
    TruncatedJson,
    /// A web page with status 200, as a captive portal sends.
    #[serde(rename = "html_200")]
    Html200,
    /// A success without a refresh token.
    NoRefreshToken,
    /// `expires_in` as a string.
    StringExpiresIn,
    /// No `expires_in`.
    NoExpiresIn,
    /// `invalid_grant` with status 200.
    #[serde(rename = "error_200")]
    Error200,
    /// `invalid_client`.
    InvalidClient,
    /// `invalid_grant`.
    InvalidGrant,
    /// 400 with an unknown error code.
    #[serde(rename = "unknown_error_400")]
    UnknownError400,
    /// `invalid_grant` with a description that echoes the code or refresh token, the verifier and the client secret.
    Echo,
    /// A success with one scope fewer than requested.
    FewerScopes,
}

impl FaultKind {
    /// Whether this fault applies to this endpoint. Some faults change a field that only some responses contain.
    pub(crate) const fn applies_to(self, endpoint: Endpoint) -> bool {
        match self {
            Self::NoRefreshToken | Self::StringExpiresIn | Self::NoExpiresIn | Self::Echo | Self::FewerScopes => {
                matches!(endpoint, Endpoint::Token)
            }
            Self::SlowDrip | Self::TruncatedJson => matches!(endpoint, Endpoint::Token | Endpoint::Api),
            Self::Status500
            | Self::Status503
            | Self::TooManyRequests
            | Self::ResetBefore
            | Self::ResetAfter
            | Self::Silence
            | Self::Html200
            | Self::Error200
            | Self::InvalidClient
            | Self::InvalidGrant
            | Self::UnknownError400 => true,
        }
    }
}

/// An endpoint that can have faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Endpoint {
    /// The token endpoint.
    #[default]
    Token,
    /// The protected API.
    Api,
    /// The revocation endpoint.
    Revoke,
}

impl Endpoint {
    /// The name in the log.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Api => "api",
            Self::Revoke => "revoke",
        }
    }

    /// The message for a fault that doesn't apply to this endpoint.
    pub(crate) const fn mismatch_message(self) -> &'static str {
        match self {
            Self::Token => "The token endpoint can't have this fault.",
            Self::Api => {
                "The API's responses contain no tokens: no_refresh_token, string_expires_in, no_expires_in, echo and fewer_scopes apply to token only."
            }
            Self::Revoke => {
                "The revocation endpoint's normal response is empty, so no fault can change, slow down or cut off its body. Such faults apply to token; slow_drip and truncated_json also apply to api."
            }
        }
    }
}

/// A fault of one response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) retry_after_secs: u32,
}

#[derive(Debug, Clone, Copy)]
struct Planned {
    fault: Fault,
    endpoint: Endpoint,
    skip: u32,
    count: u32,
}

/// The planned faults, in order.
#[derive(Debug, Default)]
pub(crate) struct Faults(VecDeque<Planned>);

impl Faults {
    /// Plans `count` faults after `skip` normal responses.
    pub(crate) fn add(&mut self, fault: Fault, endpoint: Endpoint, skip: u32, count: u32) {
        self.0.push_back(Planned { fault, endpoint, skip, count });
    }

    /// The fault of the next response, if it has one.
    pub(crate) fn take(&mut self, endpoint: Endpoint) -> Option<Fault> {
        let at = self.0.iter().position(|planned| planned.endpoint == endpoint)?;
        let planned = self.0.get_mut(at)?;
        if planned.skip > 0 {
            planned.skip -= 1;
            return None;
        }
        let fault = planned.fault;
        planned.count = planned.count.saturating_sub(1);
        if planned.count == 0 {
            self.0.remove(at);
        }
        Some(fault)
    }

    pub(crate) fn left(&self) -> u32 {
        self.0.iter().map(|planned| planned.count).sum()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_order_after_the_skipped_responses_of_their_endpoint() {
        let fault = |kind| Fault { kind, retry_after_secs: 0 };
        let mut faults = Faults::default();
        faults.add(fault(FaultKind::Status500), Endpoint::Token, 1, 2);
        faults.add(fault(FaultKind::Html200), Endpoint::Api, 0, 1);
        let kinds = |faults: &mut Faults, endpoint| faults.take(endpoint).map(|fault| fault.kind);
        assert_eq!(kinds(&mut faults, Endpoint::Token), None);
        assert_eq!(kinds(&mut faults, Endpoint::Api), Some(FaultKind::Html200));
        assert_eq!(kinds(&mut faults, Endpoint::Token), Some(FaultKind::Status500));
        assert_eq!(kinds(&mut faults, Endpoint::Token), Some(FaultKind::Status500));
        assert_eq!(kinds(&mut faults, Endpoint::Token), None);
    }
}
