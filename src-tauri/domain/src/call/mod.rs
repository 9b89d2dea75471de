//! Calls that programs made through Relink, as they are recorded.
//!
//! A record says that a call was made, not what was in it: of the query only the names of its parameters are kept, because
//! any value may be a key, and no header is.

mod latency;
mod usage;

use serde::{Deserialize, Serialize};

pub use latency::Latency;
pub use usage::{Day, Usage};

use crate::{ApiTokenId, Timestamp, caller::Caller, provider_text};

/// The error of a call whose caller closed the connection before the response was complete.
pub const CALLER_LEFT: &str = "caller_left";
/// The error of a call whose response broke off.
pub const RESPONSE_BROKE_OFF: &str = "response_broke_off";

/// The maximum length of a recorded path with its query, in characters.
const MAX_PATH: usize = 500;
/// What stands for a value that isn't recorded.
const ELIDED: &str = "…";

/// The route by which a call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(ts_rs::TS, utoipa::ToSchema))]
pub enum CallRoute {
    /// `/via/{account}/…`
    Via,
    /// `/proxy/{resource}…`
    Proxy,
    /// `/custom/…`
    Custom,
    /// `/unified/{model}/{resource}…`
    Unified,
}

impl CallRoute {
    pub const ALL: [Self; 4] = [Self::Via, Self::Proxy, Self::Custom, Self::Unified];

    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Via => "via",
            Self::Proxy => "proxy",
            Self::Custom => "custom",
            Self::Unified => "unified",
        }
    }
}

/// Who made a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Program {
    /// `None`: it has none, as the person in the window or with the command line, or Relink itself.
    pub api_token_id: Option<ApiTokenId>,
    /// The token's name when the call was made.
    pub name: String,
}

impl Program {
    /// Whether it is the same one, by its token, or by its name where it has none.
    pub fn is(&self, other: &Self) -> bool {
        match (self.api_token_id, other.api_token_id) {
            (None, None) => self.name == other.name,
            (one, another) => one == another,
        }
    }

    /// What identifies it: its token, or its name where it has none. Empty for the person.
    pub fn key(&self) -> String {
        match self.api_token_id {
            Some(id) => id.to_string(),
            None if self.name == Caller::Person.to_string() => String::new(),
            None => self.name.clone(),
        }
    }
}

impl From<&Caller> for Program {
    fn from(caller: &Caller) -> Self {
        match caller {
            Caller::ApiToken { id, name, .. } => Self { api_token_id: Some(*id), name: name.clone() },
            other => Self { api_token_id: None, name: other.to_string() },
        }
    }
}

/// A call that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// When it began.
    pub at: Timestamp,
    pub program: Program,
    pub route: CallRoute,
    pub method: String,
    /// The path below the route, with the names of the query's parameters ([`shown_path`]).
    pub path: String,
    /// `None` if the caller left before there was a response.
    pub status: Option<u16>,
    /// From the beginning to the response's headers, in microseconds.
    pub headers_micros: Option<u64>,
    /// From the beginning to the end of the response's body, in microseconds.
    pub total_micros: u64,
    /// Of the request's body, as far as it was sent.
    pub sent_bytes: u64,
    /// Of the response's body, as far as the caller took it.
    pub received_bytes: u64,
    /// Why there is no complete response of the provider: an error code of Relink's, [`CALLER_LEFT`] or
    /// [`RESPONSE_BROKE_OFF`].
    pub error: Option<String>,
}

impl Call {
    /// Whether it counts as an error: a status of 400 and more, or no complete response. A caller that leaves early, as
    /// followers of a stream do, is none.
    pub fn failed(&self) -> bool {
        self.status.is_some_and(|status| status >= 400) || self.error.as_deref().is_some_and(|it| it != CALLER_LEFT)
    }
}

/// A path as it is recorded: with the names of the query's parameters, without their values.
pub fn shown_path(path: &str, query: Option<&str>) -> String {
    let is_visible = [Some(path), query].into_iter().flatten().all(|text| text.bytes().all(|it| it.is_ascii_graphic()));
    let mut shown = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    for (number, pair) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        shown.push(if number == 0 { '?' } else { '&' });
        // Without `=` the whole pair may be a value.
        match pair.split_once('=') {
            Some((name, _)) => {
                shown.push_str(name);
                shown.push('=');
                shown.push_str(ELIDED);
            }
            None => shown.push_str(ELIDED),
        }
    }
    // The usual case: what is elided is visible, too.
    if is_visible && shown.len() <= MAX_PATH { shown } else { provider_text::single_line(&shown, MAX_PATH) }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::caller::TokenLevel;

    #[test]
    fn no_value_of_a_query_is_recorded() {
        for (path, query, shown) in [
            ("", None, "/"),
            ("/v1/users", None, "/v1/users"),
            ("contacts/1", None, "/contacts/1"),
            ("/v1/users", Some("page=2&api_key=canary"), "/v1/users?page=…&api_key=…"),
            ("/v1/users", Some("canary"), "/v1/users?…"),
            ("/v1/users", Some("a=canary=b"), "/v1/users?a=…"),
            ("/v1/users", Some(""), "/v1/users?…"),
            ("/v1/a%2Fb", Some("a[]=canary&b"), "/v1/a%2Fb?a[]=…&…"),
        ] {
            assert_eq!(shown_path(path, query), shown, "{path} {query:?}");
        }
        assert_eq!(shown_path(&"x".repeat(900), None).chars().count(), MAX_PATH);
    }

    #[test]
    fn the_program_of_a_call_is_the_token_and_nobody_else_has_one() {
        let id = ApiTokenId::from_uuid(Uuid::nil());
        let agent = Caller::api_token(id, "my-agent", TokenLevel::Program);
        assert_eq!(Program::from(&agent), Program { api_token_id: Some(id), name: "my-agent".to_owned() });
        assert_eq!(Program::from(&Caller::Person), Program { api_token_id: None, name: "you".to_owned() });
    }

    #[test]
    fn an_error_is_a_refusal_or_no_complete_response() {
        let call = |status, error: Option<&str>| Call {
            at: Timestamp::from_millis(0),
            program: Program::from(&Caller::Person),
            route: CallRoute::Via,
            method: "GET".to_owned(),
            path: "/".to_owned(),
            status,
            headers_micros: None,
            total_micros: 0,
            sent_bytes: 0,
            received_bytes: 0,
            error: error.map(str::to_owned),
        };
        for (status, error, failed) in [
            (Some(200), None, false),
            (Some(304), None, false),
            (Some(404), None, true),
            (Some(502), Some("unreachable"), true),
            (Some(200), Some(RESPONSE_BROKE_OFF), true),
            (Some(200), Some(CALLER_LEFT), false),
            (None, Some(CALLER_LEFT), false),
            (Some(500), Some(CALLER_LEFT), true),
        ] {
            assert_eq!(call(status, error).failed(), failed, "{status:?} {error:?}");
        }
    }

    #[test]
    fn a_route_is_written_as_it_is_named() {
        for route in CallRoute::ALL {
            assert_eq!(serde_json::to_value(route).expect("JSON"), route.as_str());
        }
    }
}
