//! The body of every error response.

use relink_domain::{Timestamp, account::Verdict};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Truto's error, followed by Relink's additional fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    #[serde(rename = "statusCode")]
    pub status_code: u16,
    /// The status text.
    pub error: String,
    /// What happened, and what it means.
    pub message: String,
    /// A stable code, for programs.
    pub code: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Explanation)]
    pub explanation: Option<Explanation>,
    /// The field with the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The same in Truto's form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ProviderRefusal)]
    pub refusal: Option<ProviderRefusal>,
}

/// An error of the provider, in Truto's form (contract section 0.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemoteErrorBody {
    #[serde(rename = "statusCode")]
    pub status_code: u16,
    /// The status text.
    pub error: String,
    /// What the provider said. It may be empty.
    pub message: String,
    pub truto_is_remote_error: bool,
    /// The provider's body: JSON, or else a text.
    pub raw_response: Value,
    /// For a 403, why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub truto_error_insight: Option<Value>,
}

/// The texts of an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// What happened, in one line.
    #[schema(required = false)]
    pub title: String,
    /// What to do.
    #[schema(required = false)]
    pub hint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Details {
    pub failures: Vec<FieldFailure>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldFailure {
    pub path: String,
    pub message: String,
}

/// The provider's part in an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProviderRefusal {
    /// Always true. It distinguishes the provider's refusal from one of Relink.
    #[serde(default)]
    #[schema(required = false)]
    pub truto_is_remote_error: bool,
    /// The body of the provider's response, without secrets: JSON, if it is JSON, else text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub raw_response: Option<Value>,
    /// When Relink retries automatically.
    #[schema(required = false)]
    pub next_try: Option<Timestamp>,
    /// What the account needs.
    #[schema(required = false)]
    pub verdict: Verdict,
    #[schema(required = false)]
    pub provider: ProviderResponse,
}

/// The provider's response, as far as there was one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProviderResponse {
    #[schema(required)]
    pub http_status: Option<u16>,
    /// The provider's error code (RFC 6749 §5.2 `error`).
    #[schema(required)]
    pub code: Option<String>,
    /// The provider's error message (RFC 6749 §5.2 `error_description`).
    #[schema(required)]
    pub message: Option<String>,
}

impl ErrorBody {
    pub fn new(status_code: u16, error: &str, code: &str, message: &str) -> Self {
        Self {
            status_code,
            error: error.to_owned(),
            message: message.to_owned(),
            code: code.to_owned(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_in_the_documented_order_and_only_where_they_apply() {
        let plain = ErrorBody::new(404, "Not Found", "not_found", "There is no account x");
        let text = r#"{"statusCode":404,"error":"Not Found","message":"There is no account x","code":"not_found"}"#;
        assert_eq!(serde_json::to_string(&plain).expect("written"), text);
        assert_eq!(serde_json::from_str::<ErrorBody>(text).expect("read"), plain);

        let full = ErrorBody {
            explanation: Some(Explanation { title: "No".into(), hint: None }),
            field: Some("name".into()),
            details: Some(Details { failures: vec![FieldFailure { path: "name".into(), message: "too long".into() }] }),
            refusal: Some(ProviderRefusal {
                truto_is_remote_error: true,
                raw_response: Some("no".into()),
                next_try: None,
                verdict: Verdict::NeedsPerson,
                provider: ProviderResponse { http_status: Some(400), code: None, message: None },
            }),
            ..plain
        };
        let text = serde_json::to_string(&full).expect("written");
        assert!(
            text.ends_with(
                r#""code":"not_found","title":"No","hint":null,"field":"name","details":{"failures":[{"path":"name","message":"too long"}]},"truto_is_remote_error":true,"raw_response":"no","next_try":null,"verdict":"needs_person","provider":{"http_status":400,"code":null,"message":null}}"#
            ),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<ErrorBody>(&text).expect("read"), full);
    }
}
