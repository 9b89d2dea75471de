//! Why a unified call has no answer.

use http::{HeaderMap, StatusCode};
use relink_domain::unified::Requirements;
use serde_json::{Map, Value, json};

use crate::{evaluation::MappingFailed, proxy::ProxyError};

#[derive(Debug)]
pub enum Failure<E> {
    /// The provider's error, as the caller gets it.
    Remote(RemoteFailure),
    Mapping(MappingFailed),
    /// What the mapping's schemas require and the caller didn't send.
    Missing {
        query: Vec<String>,
        body: Vec<String>,
        conditional: Insight,
    },
    /// The mapping gives no record where one was asked for.
    NoRecord,
    /// Relink's own.
    Local(E),
}

/// The provider's error.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteFailure {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

/// What Relink knows of an error, by kind (contract section 0.4).
pub type Insight = Map<String, Value>;

impl<E> From<MappingFailed> for Failure<E> {
    fn from(error: MappingFailed) -> Self {
        Self::Mapping(error)
    }
}

impl<E> From<ProxyError<E>> for Failure<E> {
    fn from(error: ProxyError<E>) -> Self {
        match error {
            ProxyError::Remote { status, headers, body } => Self::Remote(RemoteFailure { status, headers, body }),
            ProxyError::Local(error) => Self::Local(error),
        }
    }
}

/// The rules under which something is required. They are sent whenever there are some.
pub(crate) fn conditional(query: &Requirements, body: &Requirements) -> Insight {
    let mut insight = Insight::new();
    for (kind, what, rules) in [
        ("conditionally_required_query_parameters", "query parameters", &query.conditional),
        ("conditionally_required_body_fields", "fields of the body", &body.conditional),
    ] {
        if !rules.is_empty() {
            let description = format!("Under these conditions, the integration requires these {what}.");
            insight.insert(kind.to_owned(), json!({"description": description, "value": rules}));
        }
    }
    insight
}

/// The body of a 400 for what is missing.
pub fn missing_body(query: &[String], body: &[String], conditional: Insight) -> Value {
    let mut insight = Insight::new();
    let mut said = Vec::new();
    for (kind, what, names) in [
        ("missing_required_query_parameters", "query parameters", query),
        ("missing_required_body_fields", "fields of the body", body),
    ] {
        if !names.is_empty() {
            let message = format!("These {what} are missing: {}.", names.join(", "));
            insight.insert(kind.to_owned(), json!({"description": message, "value": names}));
            said.push(message);
        }
    }
    insight.extend(conditional);
    let failures = query.iter().chain(body).map(|name| json!({"path": name, "message": format!("{name} is missing")}));
    json!({
        "statusCode": 400,
        "error": "Bad Request",
        "message": said.join(" "),
        "details": {"failures": failures.collect::<Vec<_>>()},
        "code": "required_missing",
        "truto_error_insight": insight,
    })
}

impl RemoteFailure {
    /// Adds what is known of the error.
    pub(crate) fn with_insight(mut self, conditional: Insight) -> Self {
        let Value::Object(body) = &mut self.body else { return self };
        let status = self.status;
        let known = body.entry("truto_error_insight").or_insert_with(|| Map::new().into());
        if let Value::Object(insight) = known {
            let described = |text: String| json!({"description": text});
            if status == StatusCode::TOO_MANY_REQUESTS.as_u16() {
                let text = "The provider limits how often it may be called. Wait as long as Retry-After says.";
                insight.insert("rate_limit_error".to_owned(), described(text.to_owned()));
            }
            insight
                .insert("remote_error".to_owned(), described(format!("The provider answered with status {status}.")));
            insight.extend(conditional);
        }
        self
    }

    /// Puts what an `error_mapping` gives over the error.
    pub(crate) fn mapped(mut self, mapped: Value) -> Self {
        let over = match mapped {
            Value::Object(over) => over,
            Value::String(message) => Map::from_iter([("message".to_owned(), message.into())]),
            _ => return self,
        };
        let Value::Object(body) = &mut self.body else { return self };
        for (name, value) in over {
            match name.as_str() {
                "status" | "statusCode" => {
                    let status = value.as_u64().and_then(|status| StatusCode::from_u16(status.try_into().ok()?).ok());
                    // An error stays one.
                    let Some(status) = status.filter(|it| it.is_client_error() || it.is_server_error()) else {
                        continue;
                    };
                    self.status = status.as_u16();
                    body.insert("statusCode".to_owned(), self.status.into());
                    body.insert("error".to_owned(), status.canonical_reason().unwrap_or("Error").into());
                }
                "truto_is_remote_error" | "truto_error_insight" | "raw_response" => {}
                _ => drop(body.insert(name, value)),
            }
        }
        self
    }
}
