//! The probe: a call that shows whether a credential works, and what its response must say for that.

use serde_json::Value;

use super::{
    address::Address,
    error::DefinitionError,
    header::{HeaderName, HeaderTemplate},
    identity::JsonPath,
    node::Node,
    relink::{headers, removed_headers},
};
use crate::{failure::ProviderError, template::TextTemplate};

/// A GET that succeeds only with a working credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    pub url: Address,
    /// In addition to the headers of every call.
    pub headers: Vec<HeaderTemplate>,
    /// Headers of every call that this one doesn't have.
    pub without: Vec<HeaderName>,
    /// What a success contains, if its status doesn't say enough.
    pub success: Option<SuccessCondition>,
}

/// `{"path": "ok", "equals": true}`: a response without this value is an error, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuccessCondition {
    path: JsonPath,
    /// A string, a number, or true or false.
    equals: Value,
}

/// A response to the probe, after its body was decoded.
#[derive(Debug, Clone, Copy)]
pub struct ProbeResponse<'a> {
    pub status: u16,
    /// The body, if it is JSON.
    pub json: Option<&'a Value>,
    pub is_html: bool,
    /// What the provider says about an error.
    pub said: &'a ProviderError,
}

/// What a response to the probe means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// The credential works.
    Success,
    /// The provider refuses the credential.
    Refused,
    /// The provider denies the call: 403.
    Forbidden,
    /// A success status, but a web page in place of the API's response.
    WebPage,
    /// A success status, but the response reports an error or lacks what it must contain.
    ErrorInResponse,
    /// Any other status.
    OtherStatus,
}

/// Error codes that refuse a credential, where the definition says how a success looks: Slack's, and RFC 6750 §3.1.
const REFUSAL_CODES: &[&str] =
    &["invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "invalid_token"];

impl Probe {
    pub(super) fn decode(
        node: &Node<'_>,
        base_url: &Address,
        template: &dyn Fn(&Node<'_>) -> Result<TextTemplate, DefinitionError>,
    ) -> Result<Self, DefinitionError> {
        let object = node.object()?;
        // Any other method could change something at the provider with every check.
        object.map("method", |node| node.one_of(&[("GET", ())]))?;
        let path = object.need("path", "\"/user\"")?;
        let url = base_url.append(path.text()?, &path)?;
        let headers = object.map("headers", |node| headers(&node, template))?.unwrap_or_default();
        let without = object.map("headers", |node| removed_headers(&node))?.unwrap_or_default();
        let success = object.map("success", |node| SuccessCondition::decode(&node))?;
        Ok(Self { url, headers, without, success })
    }

    /// What a response means. `terminal_codes`: the error codes that the definition lists as terminal.
    pub fn judge(&self, response: &ProbeResponse<'_>, terminal_codes: &[String]) -> ProbeOutcome {
        match response.status {
            401 => ProbeOutcome::Refused,
            403 => ProbeOutcome::Forbidden,
            200..=299 if self.is_success(response) => ProbeOutcome::Success,
            200..=299 | 400..=428 | 430..=499 if self.is_refusal(response.said, terminal_codes) => {
                ProbeOutcome::Refused
            }
            200..=299 if response.is_html => ProbeOutcome::WebPage,
            200..=299 => ProbeOutcome::ErrorInResponse,
            _ => ProbeOutcome::OtherStatus,
        }
    }

    fn is_success(&self, response: &ProbeResponse<'_>) -> bool {
        match &self.success {
            Some(condition) => response.json.is_some_and(|body| condition.is_met(body)),
            None => !response.is_html && !response.json.is_some_and(|body| reports_error(body, response.said)),
        }
    }

    /// Only codes that the definition lists count, and well-known ones where it says how a success looks: a cause that the
    /// provider didn't give must not be assumed.
    fn is_refusal(&self, said: &ProviderError, terminal_codes: &[String]) -> bool {
        let Some(code) = said.code.as_deref() else { return false };
        terminal_codes.iter().any(|known| known.eq_ignore_ascii_case(code))
            || self.success.is_some() && REFUSAL_CODES.iter().any(|known| known.eq_ignore_ascii_case(code))
    }
}

/// Whether a body reports an error although its status is a success:
/// - `"ok": false` or `"success": false`, with a text or errors that say why (Slack, Pipedrive, Cloudflare),
/// - errors and no data (GraphQL),
/// - an `error` that isn't empty (JSON-RPC, Google).
fn reports_error(body: &Value, said: &ProviderError) -> bool {
    let is_filled = |value: &Value| match value {
        Value::Null | Value::Number(_) => false,
        Value::Bool(flag) => *flag,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    };
    let has = |key: &str| body.get(key).is_some_and(is_filled);
    let has_failed = ["ok", "success"].iter().any(|key| body.get(*key) == Some(&Value::Bool(false)));
    let says_why = *said != ProviderError::default() || has("errors");
    let has_data = match body.get("data") {
        None | Some(Value::Null) => false,
        Some(Value::Object(fields)) => fields.values().any(|value| !value.is_null()),
        Some(_) => true,
    };
    let has_errors = body.get("errors").is_some_and(|errors| errors.is_array() && is_filled(errors));
    has("error") || has_failed && says_why || has_errors && !has_data
}

impl SuccessCondition {
    fn decode(node: &Node<'_>) -> Result<Self, DefinitionError> {
        let object = node.object()?;
        let path = object.need("path", "\"ok\"")?.parse(JsonPath::parse)?;
        let equals = object.get("equals").ok_or_else(|| object.fail("\"equals\" is missing; add one, such as true"))?;
        Ok(Self { path, equals: equals.scalar()?.clone() })
    }

    fn is_met(&self, body: &Value) -> bool {
        self.path.find(body) == Some(&self.equals)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn probe(success: Option<(&str, Value)>) -> Probe {
        Probe {
            url: crate::integration::WebUrl::parse("https://api.example/me").expect("a URL").into(),
            headers: Vec::new(),
            without: Vec::new(),
            success: success
                .map(|(path, equals)| SuccessCondition { path: JsonPath::parse(path).expect("a path"), equals }),
        }
    }

    fn judge(probe: &Probe, status: u16, json: Option<&Value>, is_html: bool) -> ProbeOutcome {
        let said = json.map(|body| ProviderError::read(body, None)).unwrap_or_default();
        let response = ProbeResponse { status, json, is_html, said: &said };
        probe.judge(&response, &["BAD_KEY".to_owned()])
    }

    #[test]
    fn a_success_status_is_no_success_if_the_body_reports_an_error() {
        use ProbeOutcome::{ErrorInResponse, Refused, Success};
        for (body, outcome) in [
            (json!({"ok": false, "error": "invalid_auth"}), ErrorInResponse),
            (json!({"ok": false, "error": ""}), Success),
            (json!({"ok": false}), Success),
            (json!({"ok": false, "error": "BAD_KEY"}), Refused),
            (json!({"success": false, "message": "unauthorized access"}), ErrorInResponse),
            (json!({"success": false, "errors": [{"code": 10000}]}), ErrorInResponse),
            (json!({"ok": true, "error": null}), Success),
            (json!({"errors": [{"message": "Not authenticated"}], "data": null}), ErrorInResponse),
            (json!({"errors": [{"message": "Not authenticated"}]}), ErrorInResponse),
            (json!({"errors": ["Not authenticated"], "data": {"viewer": null}}), ErrorInResponse),
            (json!({"errors": [{"message": "deprecated"}], "data": {"viewer": {"id": 1}}}), Success),
            (json!({"errors": [], "data": null}), Success),
            (json!({"errors": {}, "data": null}), Success),
            (json!({"error": {"code": -32000, "message": "no"}}), ErrorInResponse),
            (json!({"error": "invalid_token"}), ErrorInResponse),
            (json!({"error": true}), ErrorInResponse),
            (json!({"error": {}}), Success),
            (json!({"error": false}), Success),
            (json!({"error": 0, "id": 1}), Success),
            (json!({"id": 1, "status": "error"}), Success),
            (json!([]), Success),
            (json!("ok"), Success),
            (json!(null), Success),
        ] {
            assert_eq!(judge(&probe(None), 200, Some(&body), false), outcome, "{body}");
        }
    }

    #[test]
    fn bodies_that_are_not_json_succeed_only_without_a_condition_and_never_as_a_page() {
        for status in [200, 202, 204] {
            assert_eq!(judge(&probe(None), status, None, false), ProbeOutcome::Success, "{status}");
            assert_eq!(judge(&probe(None), status, None, true), ProbeOutcome::WebPage, "{status}");
            let condition = probe(Some(("ok", json!(true))));
            assert_eq!(judge(&condition, status, None, false), ProbeOutcome::ErrorInResponse, "{status}");
        }
    }

    #[test]
    fn a_condition_decides_alone_whether_a_success_status_is_one() {
        use ProbeOutcome::{ErrorInResponse, Refused, Success};
        for (path, equals, body, outcome) in [
            ("ok", json!(true), json!({"ok": true, "error": "a warning"}), Success),
            ("ok", json!(true), json!({"ok": false, "error": "invalid_auth"}), Refused),
            ("ok", json!(true), json!({"ok": false, "error": "Token_Revoked"}), Refused),
            ("ok", json!(true), json!({"ok": false, "error": "ratelimited"}), ErrorInResponse),
            ("ok", json!(true), json!({"ok": "true"}), ErrorInResponse),
            ("ok", json!(true), json!({}), ErrorInResponse),
            ("meta.code", json!(200), json!({"meta": {"code": 200}}), Success),
            ("meta.code", json!(200), json!({"meta": {"code": "200"}}), ErrorInResponse),
            ("meta.code", json!(200), json!({"meta": {"code": 401}}), ErrorInResponse),
            ("0.state", json!("on"), json!([{"state": "on"}]), Success),
            ("state", json!("on"), json!(["on"]), ErrorInResponse),
        ] {
            let probe = probe(Some((path, equals)));
            assert_eq!(judge(&probe, 200, Some(&body), false), outcome, "{path}: {body}");
        }
    }

    #[test]
    fn other_statuses_decide_except_for_codes_that_the_definition_lists() {
        let (known, unknown) = (json!({"error": "bad_key"}), json!({"error": "invalid_auth"}));
        for (status, with_known, otherwise) in [
            (301, ProbeOutcome::OtherStatus, ProbeOutcome::OtherStatus),
            (400, ProbeOutcome::Refused, ProbeOutcome::OtherStatus),
            (401, ProbeOutcome::Refused, ProbeOutcome::Refused),
            (403, ProbeOutcome::Forbidden, ProbeOutcome::Forbidden),
            (404, ProbeOutcome::Refused, ProbeOutcome::OtherStatus),
            (429, ProbeOutcome::OtherStatus, ProbeOutcome::OtherStatus),
            (500, ProbeOutcome::OtherStatus, ProbeOutcome::OtherStatus),
        ] {
            assert_eq!(judge(&probe(None), status, Some(&known), false), with_known, "{status}");
            assert_eq!(judge(&probe(None), status, Some(&unknown), false), otherwise, "{status}");
        }
    }
}
