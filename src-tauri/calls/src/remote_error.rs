//! An error of the provider as Truto passes it on (contract section 0.4), and which answers count as one.

use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    expressions::{ExpressionError, Expressions, is_truthy},
    headers::keep_of_response,
};

/// The body of such an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RemoteError {
    #[serde(rename = "statusCode")]
    pub status_code: u16,
    /// The status text.
    pub error: String,
    /// What the provider says, if it says it where providers usually do.
    pub message: String,
    /// Always true. It tells the provider's errors from Relink's.
    pub truto_is_remote_error: bool,
    /// The provider's body: JSON, if it is JSON, else text.
    pub raw_response: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truto_error_insight: Option<ErrorInsight>,
}

/// What Relink knows about an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorInsight {
    /// Of a 403.
    pub forbidden_error: ForbiddenInsight,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForbiddenInsight {
    pub description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<MissingScopes>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingScopes {
    /// What the method needs and the account doesn't have.
    pub missing_scopes: Vec<String>,
}

/// The verdict of an `error_expression`: the answer is an error, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressedError {
    pub status: StatusCode,
    /// In place of what the provider's body says.
    pub message: Option<String>,
}

/// Where messages stand, in the contract's order.
const MESSAGE_PATHS: &[&str] = &["/message", "/error/message", "/error_description", "/error", "/detail"];

impl RemoteError {
    /// `body`: as the provider sent it, without its content coding.
    pub fn new(status: StatusCode, body: &[u8]) -> Self {
        let raw = serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into());
        Self {
            status_code: status.as_u16(),
            error: status.canonical_reason().unwrap_or("Error").to_owned(),
            message: message_in(&raw).unwrap_or_default(),
            truto_is_remote_error: true,
            raw_response: raw,
            truto_error_insight: None,
        }
    }

    /// The error that an `error_expression` makes of an answer.
    pub fn expressed(error: ExpressedError, body: &[u8]) -> Self {
        let remote = Self::new(error.status, body);
        Self { message: error.message.unwrap_or(remote.message), ..remote }
    }

    /// The same error; if it is a 403, with the scopes that the method needs beyond those that the account was granted.
    #[must_use]
    pub fn with_scopes<'s>(self, needed: &[String], granted: impl IntoIterator<Item = &'s str>) -> Self {
        if self.status_code != StatusCode::FORBIDDEN.as_u16() {
            return self;
        }
        let granted: Vec<&str> = granted.into_iter().collect();
        let missing: Vec<String> = needed.iter().filter(|scope| !granted.contains(&scope.as_str())).cloned().collect();
        let description = if missing.is_empty() {
            "The provider doesn't allow this call. The account may lack a permission at the provider, or a role."
        } else {
            "The account lacks scopes that this call needs. Reauthorize it with them."
        };
        let value = (!missing.is_empty()).then_some(MissingScopes { missing_scopes: missing });
        let forbidden_error = ForbiddenInsight { description: description.to_owned(), value };
        Self { truto_error_insight: Some(ErrorInsight { forbidden_error }), ..self }
    }
}

/// What the provider's headers become beside such a body: without those of the connection and of its own body.
pub fn headers_of_error(mut headers: HeaderMap) -> HeaderMap {
    keep_of_response(&mut headers);
    for name in [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_TYPE] {
        headers.remove(name);
    }
    headers
}

/// Evaluates a method's `error_expression` over an answer. `None`: it says nothing, so the status decides.
pub async fn expressed_error(
    expression: &str,
    status: StatusCode,
    headers: &HeaderMap,
    data: &Value,
    expressions: &impl Expressions,
) -> Result<Option<ExpressedError>, ExpressionError> {
    let headers = headers_for_expressions(headers);
    let response = json!({"status": status.as_u16(), "headers": headers, "data": data});
    let mut scope = response.clone();
    scope["response"] = response;
    let Some(found) = expressions.evaluate(expression, scope).await? else { return Ok(None) };
    if !is_truthy(&found) {
        return Ok(None);
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let said = found.get("status").or_else(|| found.get("statusCode")).and_then(Value::as_u64);
    let said = said.and_then(|status| StatusCode::from_u16(status.try_into().ok()?).ok());
    let is_error = |status: &StatusCode| status.is_client_error() || status.is_server_error();
    Ok(Some(ExpressedError {
        status: said.or(Some(status)).filter(is_error).unwrap_or(StatusCode::BAD_REQUEST),
        message: text(&found).or_else(|| found.get("message").and_then(text)),
    }))
}

/// Headers by their lowercase names, for expressions. Several of one name are joined, as in a list (RFC 9110 §5.3).
pub fn headers_for_expressions(headers: &HeaderMap) -> Map<String, Value> {
    let joined = |name: &http::HeaderName| {
        let values: Vec<_> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        (name.as_str().to_owned(), values.join(", ").into())
    };
    headers.keys().map(joined).collect()
}

fn message_in(body: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let of_list = || body.get("errors")?.as_array()?.iter().find_map(|error| text(error.get("message")?));
    MESSAGE_PATHS.iter().find_map(|path| text(body.pointer(path)?)).or_else(of_list)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use http::HeaderValue;

    use super::*;

    /// Gives what the expression says in JSON, or what the input has at a pointer.
    #[derive(Clone)]
    struct Literal;

    impl Expressions for Literal {
        async fn evaluate(&self, expression: &str, input: Value) -> Result<Option<Value>, ExpressionError> {
            Ok(match expression {
                "undefined" => None,
                pointer if pointer.starts_with('/') => input.pointer(pointer).cloned(),
                json => Some(serde_json::from_str(json).expect("JSON")),
            })
        }
    }

    #[test]
    fn the_message_is_found_where_providers_put_it() {
        for (body, message) in [
            (r#"{"message": " Insufficient scope ", "error": "x"}"#, "Insufficient scope"),
            (r#"{"error": {"message": "Bad key", "code": 7}}"#, "Bad key"),
            (r#"{"error": "invalid", "error_description": "The token expired"}"#, "The token expired"),
            (r#"{"error": "not_authed"}"#, "not_authed"),
            (r#"{"detail": "No such issue"}"#, "No such issue"),
            (r#"{"errors": [{"code": 1}, {"message": "Second"}, {"message": "Third"}]}"#, "Second"),
            (r#"{"message": "", "detail": "d"}"#, "d"),
            (r#"{"message": ["a"], "errors": "x"}"#, ""),
            (r#"["message"]"#, ""),
            ("Not found", ""),
            ("", ""),
        ] {
            assert_eq!(RemoteError::new(StatusCode::NOT_FOUND, body.as_bytes()).message, message, "{body}");
        }
    }

    #[test]
    fn the_body_is_trutos() {
        let remote = |status: u16, body: &[u8]| {
            let error = RemoteError::new(StatusCode::from_u16(status).expect("a status"), body);
            serde_json::to_value(error).expect("JSON")
        };
        assert_eq!(
            remote(422, br#"{"code": 7, "message": "Wrong"}"#),
            json!({
                "statusCode": 422, "error": "Unprocessable Entity", "message": "Wrong", "truto_is_remote_error": true,
                "raw_response": {"code": 7, "message": "Wrong"},
            })
        );
        assert_eq!(remote(500, b"<h1>\xff</h1>")["raw_response"], "<h1>\u{fffd}</h1>");
        assert_eq!(remote(502, b"")["raw_response"], "");
        assert_eq!(remote(599, b"")["error"], "Error");
    }

    #[test]
    fn only_a_403_says_which_scopes_are_missing() {
        let needed = ["crm.read".to_owned(), "crm.write".to_owned()];
        let with = |status: StatusCode, granted: &[&str]| {
            let error = RemoteError::new(status, b"{}").with_scopes(&needed, granted.iter().copied());
            serde_json::to_value(error.truto_error_insight).expect("JSON")
        };
        assert_eq!(
            with(StatusCode::FORBIDDEN, &["crm.read", "other"]),
            json!({"forbidden_error": {
                "description": "The account lacks scopes that this call needs. Reauthorize it with them.",
                "value": {"missing_scopes": ["crm.write"]},
            }})
        );
        let all = with(StatusCode::FORBIDDEN, &["crm.write", "crm.read"]);
        assert!(all["forbidden_error"]["description"].is_string() && all["forbidden_error"].get("value").is_none());
        assert_eq!(with(StatusCode::UNAUTHORIZED, &[]), Value::Null);
    }

    #[test]
    fn headers_of_the_connection_and_of_the_body_stay() {
        let mut headers = HeaderMap::new();
        for name in [
            "content-type",
            "content-length",
            "content-encoding",
            "set-cookie",
            "connection",
            "x-request-id",
            "retry-after",
        ] {
            headers.insert(name, HeaderValue::from_static("1"));
        }
        let mut left: Vec<_> = headers_of_error(headers).keys().map(ToString::to_string).collect();
        left.sort();
        assert_eq!(left, ["retry-after", "x-request-id"]);
    }

    fn expressed(expression: &str, status: u16) -> Option<(u16, Option<String>)> {
        let status = StatusCode::from_u16(status).expect("a status");
        let headers = HeaderMap::from_iter([("x-a".parse().expect("a name"), HeaderValue::from_static("1"))]);
        let data = json!({"ok": false, "error": "missing_scope"});
        let found = expressed_error(expression, status, &headers, &data, &Literal).now_or_never().expect("no wait");
        found.expect("a result").map(|error| (error.status.as_u16(), error.message))
    }

    #[test]
    fn an_expression_makes_any_answer_an_error() {
        let said = |status: u16, message: &str| Some((status, Some(message.to_owned())));
        for (expression, status, expected) in [
            ("undefined", 200, None),
            ("false", 200, None),
            ("\"\"", 200, None),
            ("{}", 200, None),
            ("[false]", 200, None),
            ("true", 200, Some((400, None))),
            ("true", 503, Some((503, None))),
            ("\"No\"", 200, said(400, "No")),
            ("{\"message\": \"No\"}", 404, said(404, "No")),
            ("{\"status\": 401, \"message\": \"No\"}", 200, said(401, "No")),
            ("{\"statusCode\": 429}", 200, Some((429, None))),
            ("{\"status\": 200, \"message\": \"No\"}", 200, said(400, "No")),
            ("{\"status\": 99999}", 200, Some((400, None))),
            ("/data/error", 200, said(400, "missing_scope")),
            ("/response/data/error", 200, said(400, "missing_scope")),
            ("/response/headers/x-a", 200, said(400, "1")),
            ("/headers/x-a", 200, said(400, "1")),
            ("/status", 200, Some((400, None))),
        ] {
            assert_eq!(expressed(expression, status), expected, "{expression}");
        }
        let error = ExpressedError { status: StatusCode::BAD_REQUEST, message: None };
        assert_eq!(RemoteError::expressed(error, br#"{"error": "missing_scope"}"#).message, "missing_scope");
    }
}
