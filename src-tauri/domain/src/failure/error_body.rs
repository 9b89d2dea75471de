//! Reading the error code and message in a provider's JSON response.

use serde_json::Value;

use super::{MAX_CODE_CHARS, MAX_MESSAGE_CHARS, token_error::is_known_code};
use crate::provider_text::SecretFilter;

/// What a response says about an error, in the provider's words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderError {
    pub code: Option<String>,
    pub message: Option<String>,
}

/// Where error codes stand, the first one found counts: RFC 6749 §5.2; Google (`error.status`), Microsoft Graph, Okta
/// (`errorCode`), JSON:API and GraphQL (`errors`), `HubSpot` (`status`).
const CODE_PATHS: &[&[&str]] = &[
    &["error"],
    &["error", "code"],
    &["error", "status"],
    &["errorCode"],
    &["errors", "0", "code"],
    &["errors", "0", "extensions", "code"],
    &["code"],
    &["status"],
];

/// Where error messages stand, likewise: RFC 6749 §5.2; `HubSpot`, Google, JSON:API (`errors`), Okta (`errorSummary`), RFC 9457.
const MESSAGE_PATHS: &[&[&str]] = &[
    &["error_description"],
    &["message"],
    &["error", "message"],
    &["error", "error_description"],
    &["errors", "0", "detail"],
    &["errors", "0", "message"],
    &["errors", "0"],
    &["errorSummary"],
    &["error_message"],
    &["detail"],
    &["title"],
];

/// Where a second, more precise code stands: Google, Microsoft.
const SUBCODE_PATHS: &[&[&str]] = &[&["error_subtype"], &["suberror"]];

impl ProviderError {
    /// Reads a response. `code`: what stands where the definition says that the code stands (`refresh.error_code_path`).
    pub fn read(body: &Value, code: Option<String>) -> Self {
        let message = match (first_text(body, MESSAGE_PATHS), first_text(body, SUBCODE_PATHS)) {
            (Some(message), Some(subcode)) if !message.contains(&subcode) => Some(format!("{message} ({subcode})")),
            (Some(message), _) => Some(message),
            (None, subcode) => subcode,
        };
        Self { code: code.or_else(|| first_text(body, CODE_PATHS)), message }
    }

    /// The same, fit to be kept: bounded, and without secrets. A code that a standard defines stays as it is.
    #[must_use]
    pub fn cleaned(self, filter: &SecretFilter) -> Self {
        let code = |code: String| if is_known_code(&code) { code } else { filter.clean(&code, MAX_CODE_CHARS) };
        let message = |message: String| filter.clean(&message, MAX_MESSAGE_CHARS);
        Self {
            code: self.code.map(code).filter(|code| !code.is_empty()),
            message: self.message.map(message).filter(|message| !message.is_empty()),
        }
    }
}

fn first_text(body: &Value, paths: &[&[&str]]) -> Option<String> {
    paths.iter().find_map(|path| {
        let found = path.iter().try_fold(body, |value, step| match value {
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            value => value.get(step),
        })?;
        found.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_code_and_the_message_are_found_where_providers_put_them() {
        for (body, code, message) in [
            (json!({"error": "invalid_grant", "error_description": "expired"}), Some("invalid_grant"), Some("expired")),
            (json!({"error": "invalid_grant", "message": "expired"}), Some("invalid_grant"), Some("expired")),
            (json!({"message": "Unauthorized"}), None, Some("Unauthorized")),
            (json!({"status": "BAD_REFRESH_TOKEN", "message": "gone"}), Some("BAD_REFRESH_TOKEN"), Some("gone")),
            (
                json!({"error": {"code": 403, "message": "API key not valid.", "status": "PERMISSION_DENIED"}}),
                Some("PERMISSION_DENIED"),
                Some("API key not valid."),
            ),
            (
                json!({"error": {"code": "InvalidAuthenticationToken", "message": "expired"}}),
                Some("InvalidAuthenticationToken"),
                Some("expired"),
            ),
            (json!({"errors": [{"detail": "No such client", "status": "401"}]}), None, Some("No such client")),
            (json!({"errors": [{"message": "Bad credentials"}]}), None, Some("Bad credentials")),
            (
                json!({"errorCode": "E0000011", "errorSummary": "Invalid token provided"}),
                Some("E0000011"),
                Some("Invalid token provided"),
            ),
            (json!({"code": "token_expired", "message": ""}), Some("token_expired"), None),
            (
                json!({"error": "invalid_grant", "error_description": "reauth related error", "error_subtype": "invalid_rapt"}),
                Some("invalid_grant"),
                Some("reauth related error (invalid_rapt)"),
            ),
            (
                json!({"error": "invalid_grant", "error_description": "(invalid_rapt)", "error_subtype": "invalid_rapt"}),
                Some("invalid_grant"),
                Some("(invalid_rapt)"),
            ),
            (json!({"error": "invalid_grant", "suberror": "bad_token"}), Some("invalid_grant"), Some("bad_token")),
            (json!({"title": "Unauthorized", "detail": "The key was revoked"}), None, Some("The key was revoked")),
            (
                json!({"errors": [{"message": "Not allowed", "extensions": {"code": "UNAUTHENTICATED"}}]}),
                Some("UNAUTHENTICATED"),
                Some("Not allowed"),
            ),
            (json!({"errors": ["Bad key"]}), None, Some("Bad key")),
            (json!({"error": true, "status": 401, "message": ["a"]}), None, None),
            (json!({"errors": []}), None, None),
            (json!({"errors": "x", "error": null}), None, None),
            (json!([]), None, None),
        ] {
            let read = ProviderError::read(&body, None);
            assert_eq!((read.code.as_deref(), read.message.as_deref()), (code, message), "{body}");
        }
    }

    #[test]
    fn known_codes_stay_and_everything_else_is_cleaned() {
        let secret = crate::Secret::new("canary-client-secret-0001");
        let filter = SecretFilter::new([&secret]);
        let cleaned = |code: &str, message: &str| {
            let said = ProviderError { code: Some(code.into()), message: Some(message.into()) }.cleaned(&filter);
            (said.code.unwrap_or_default(), said.message.unwrap_or_default())
        };
        let pair = |code: &str, message: &str| (code.to_owned(), message.to_owned());
        let bad = "bad canary-client-secret-0001";
        assert_eq!(cleaned("invalid_grant", bad), pair("invalid_grant", "bad (hidden)"));
        assert_eq!(cleaned("INVALID_GRANT", " "), pair("INVALID_GRANT", ""));
        assert_eq!(cleaned("canary-client-secret-0001", "x"), pair("(hidden)", "x"));
        let (code, message) = cleaned(&"c".repeat(999), &"m".repeat(999));
        assert_eq!((code.len(), message.len()), (MAX_CODE_CHARS, MAX_MESSAGE_CHARS));
        let named_like_a_code = crate::Secret::new("invalid_grant");
        let said = ProviderError { code: Some("invalid_grant".into()), message: None };
        assert_eq!(said.clone().cleaned(&SecretFilter::new([&named_like_a_code])), said);
        assert_eq!(said.clone().cleaned(&SecretFilter::of_everything()), said);
    }

    #[test]
    fn a_definition_can_say_where_the_code_stands() {
        let read = |code: Option<&str>| ProviderError::read(&json!({"error": "failed"}), code.map(str::to_owned)).code;
        assert_eq!(read(Some("revoked")).as_deref(), Some("revoked"));
        assert_eq!(read(None).as_deref(), Some("failed"), "without one there, the usual places");
    }
}
