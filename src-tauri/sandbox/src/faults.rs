//! What goes wrong on purpose: the next answers of an endpoint.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// A way for an answer to go wrong, or to be odd.
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
    /// No answer at all.
    Silence,
    /// The right answer, a byte at a time.
    SlowDrip,
    /// The right answer, broken off.
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
    /// 400 with a code that nobody knows.
    #[serde(rename = "unknown_error_400")]
    UnknownError400,
    /// `invalid_grant` in words that repeat what was sent: the code or refresh token, the verifier and the client's secret.
    Echo,
    /// A success with one scope fewer than asked for.
    FewerScopes,
}

impl FaultKind {
    /// Whether this endpoint's answers can go wrong in this way: some ways change what only some answers hold.
    pub(crate) const fn fits(self, on: On) -> bool {
        match self {
            Self::NoRefreshToken | Self::StringExpiresIn | Self::NoExpiresIn | Self::Echo | Self::FewerScopes => {
                matches!(on, On::Token)
            }
            Self::SlowDrip | Self::TruncatedJson => matches!(on, On::Token | On::Api),
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

/// The endpoint whose answers go wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum On {
    /// The token endpoint.
    #[default]
    Token,
    /// The protected API.
    Api,
    /// The revocation endpoint.
    Revoke,
}

impl On {
    /// As the log has it.
    pub(crate) const fn endpoint(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Api => "api",
            Self::Revoke => "revoke",
        }
    }

    /// Why a fault doesn't fit here.
    pub(crate) const fn has_nothing_for(self) -> &'static str {
        match self {
            Self::Token => "The token endpoint's answers can't go wrong in this way.",
            Self::Api => {
                "The API's answers hold no tokens: no_refresh_token, string_expires_in, no_expires_in, echo and fewer_scopes are for token."
            }
            Self::Revoke => {
                "The revocation endpoint's right answer is empty: nothing in it can be changed, dripped or broken off.                  Such faults are for token, slow_drip and truncated_json for api too."
            }
        }
    }
}

/// A fault that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) retry_after_secs: u32,
}

#[derive(Debug, Clone, Copy)]
struct Planned {
    fault: Fault,
    on: On,
    skip: u32,
    count: u32,
}

/// What is planned, in order.
#[derive(Debug, Default)]
pub(crate) struct Faults(VecDeque<Planned>);

impl Faults {
    /// Plans `count` of them after `skip` good answers.
    pub(crate) fn plan(&mut self, fault: Fault, on: On, skip: u32, count: u32) {
        self.0.push_back(Planned { fault, on, skip, count });
    }

    /// The fault of this answer, if it has one.
    pub(crate) fn take(&mut self, on: On) -> Option<Fault> {
        let at = self.0.iter().position(|planned| planned.on == on)?;
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

    /// How many answers will go wrong.
    pub(crate) fn left(&self) -> u32 {
        self.0.iter().map(|planned| planned.count).sum()
    }

    /// Everything goes well again.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_order_after_what_is_skipped_each_at_its_endpoint() {
        let fault = |kind| Fault { kind, retry_after_secs: 0 };
        let mut faults = Faults::default();
        faults.plan(fault(FaultKind::Status500), On::Token, 1, 2);
        faults.plan(fault(FaultKind::Html200), On::Api, 0, 1);
        let kinds = |faults: &mut Faults, on| faults.take(on).map(|fault| fault.kind);
        assert_eq!(kinds(&mut faults, On::Token), None);
        assert_eq!(kinds(&mut faults, On::Api), Some(FaultKind::Html200));
        assert_eq!(kinds(&mut faults, On::Token), Some(FaultKind::Status500));
        assert_eq!(kinds(&mut faults, On::Token), Some(FaultKind::Status500));
        assert_eq!(kinds(&mut faults, On::Token), None);
    }
}
