//! A token endpoint's answer, in standard form, or sorted.

use relink_domain::{
    Secret, Timestamp,
    failure::{Cause, Failure, TokenErrorResponse, classify_token_error},
    provider_text,
};
use serde_json::Value;

use super::Endpoint;
use crate::outbound::HttpResponse;

/// What of a token request must not come back in the provider's words.
pub(super) fn secrets_in(request: &oauth2::HttpRequest, endpoint: &Endpoint) -> Vec<Secret> {
    let in_body = url::form_urlencoded::parse(request.body())
        .filter(|(name, _)| matches!(name.as_ref(), "code" | "code_verifier" | "refresh_token" | "client_secret"))
        .map(|(_, value)| Secret::new(value.into_owned()));
    in_body.chain(endpoint.client_secret.clone()).collect()
}

/// The body of a success, in standard form, or the failure that the answer is.
///
/// Seen in the wild: errors with status 200; `expires_in` as a string; `scope` as a list; no `token_type`; a web page with
/// status 200 where a network wants a sign-in; JSON that breaks off.
pub(super) fn success_body(
    answer: &HttpResponse,
    endpoint: &Endpoint,
    sent: &[Secret],
    now: Timestamp,
) -> Result<Vec<u8>, Failure> {
    let status = answer.status.as_u16();
    let parsed: Result<Value, _> = serde_json::from_slice(&answer.body);
    let fields = match parsed {
        Ok(Value::Object(fields)) => Some(fields),
        // It began as JSON and broke off: the answer was lost on the way, which is not a web page in its place.
        Err(error) if error.is_eof() && answer.status.is_success() && !answer.body.is_empty() => {
            return Err(Failure::new(Cause::Garbled).status(status));
        }
        Ok(_) | Err(_) => None,
    };
    let text =
        |name: &str| fields.as_ref().and_then(|fields| fields.get(name)).and_then(Value::as_str).map(str::to_owned);
    let has_token = text("access_token").is_some_and(|token| !token.is_empty());
    if !answer.status.is_success() || !has_token {
        let error = TokenErrorResponse {
            error: text("error").filter(|text| !provider_text::contains_secret(text, sent)),
            description: text("error_description").filter(|text| !provider_text::contains_secret(text, sent)),
            is_json: fields.is_some(),
            retry_after_secs: answer.retry_after_secs(now),
        };
        return Err(classify_token_error(status, &error, &endpoint.own_codes));
    }
    let mut fields = fields.unwrap_or_default();
    if !fields.get("token_type").is_some_and(Value::is_string) {
        fields.insert("token_type".into(), "bearer".into());
    }
    let lifetime = fields.get("expires_in").and_then(lifetime_secs);
    fields.insert("expires_in".into(), lifetime.map_or(Value::Null, Value::from));
    match fields.get("scope") {
        Some(Value::Array(scopes)) => {
            let scopes: Vec<_> = scopes.iter().filter_map(Value::as_str).collect();
            fields.insert("scope".into(), scopes.join(" ").into());
        }
        Some(Value::String(scopes)) if scopes.contains(',') => {
            // GitHub's list: separated by commas, not by spaces.
            fields.insert("scope".into(), scopes.replace(',', " ").into());
        }
        Some(Value::String(_)) | None => {}
        Some(_) => {
            fields.remove("scope");
        }
    }
    for optional in ["refresh_token", "id_token"] {
        if fields.get(optional).and_then(Value::as_str).is_none_or(str::is_empty) {
            fields.remove(optional);
        }
    }
    Ok(Value::Object(fields).to_string().into_bytes())
}

/// A lifetime in seconds, in whichever form providers write it. A life that is over before it began says nothing.
fn lifetime_secs(value: &Value) -> Option<u64> {
    let secs = match value {
        Value::String(text) => text.trim().parse().ok()?,
        other => other.as_f64()?,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a lifetime, within these bounds")]
    (1.0..1e12).contains(&secs).then_some(secs as u64)
}

#[cfg(test)]
mod tests {
    use relink_domain::{
        failure::ProviderErrorCodes,
        integration::{BodyFormat, ClientAuth},
    };
    use url::Url;

    use super::*;
    use crate::network::Consent;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn answer(status: u16, body: &str) -> HttpResponse {
        HttpResponse {
            status: http::StatusCode::from_u16(status).expect("a status"),
            headers: http::HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    fn evened(status: u16, body: &str) -> Result<Value, Cause> {
        let endpoint = Endpoint {
            url: Url::parse("https://as.example/token").expect("an address"),
            client_id: "us".into(),
            client_secret: None,
            authentication: ClientAuth::None,
            body_format: BodyFormat::Form,
            consent: Consent::Public,
            own_codes: ProviderErrorCodes { terminal: vec!["bad_refresh_token".into()], client: vec![] },
            default_expires_in: None,
            scope_separator: " ".into(),
        };
        success_body(&answer(status, body), &endpoint, &[], NOW)
            .map(|body| serde_json::from_slice(&body).expect("JSON"))
            .map_err(|failure| failure.cause)
    }

    #[test]
    fn differences_between_providers_are_normalized() {
        let body = r#"{"access_token":"t","expires_in":"3600","scope":["a","b"],"refresh_token":""}"#;
        let evened = evened(200, body).expect("a success");
        assert_eq!(
            evened,
            serde_json::json!({"access_token": "t", "expires_in": 3600, "scope": "a b", "token_type": "bearer"})
        );
    }

    #[test]
    fn failures_are_classified() {
        for (status, body, cause) in [
            (200, r#"{"error":"bad_refresh_token"}"#, Cause::RefusedByProvider),
            (200, "<html>Welcome to the hotel</html>", Cause::NotJson),
            (200, r#"{"access_token":"t","expires"#, Cause::Garbled),
            (200, "{}", Cause::Garbled),
            (200, "", Cause::NotJson),
            (400, r#"{"error":"invalid_grant"}"#, Cause::InvalidGrant),
            (500, "oops", Cause::ServerError),
        ] {
            assert_eq!(evened(status, body), Err(cause), "{status} {body}");
        }
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let with = |value: &str| {
            let mut answer = answer(429, "{}");
            answer.headers.insert(http::header::RETRY_AFTER, value.parse().expect("a header"));
            answer.retry_after_secs(NOW)
        };
        assert_eq!(with("120"), Some(120));
        assert_eq!(with("Tue, 14 Nov 2023 22:14:20 GMT"), Some(60));
        assert_eq!(with("soon"), None);
    }
}
