//! Token endpoint responses. The `oauth2` crate parses each once, as a [`TokenAnswer`].

use std::time::Duration;

use oauth2::{
    AccessToken, ErrorResponse, RefreshToken, RequestTokenError, Scope, TokenResponse, basic::BasicTokenType,
};
use relink_domain::{
    Secret, Timestamp,
    failure::{Cause, Failure, TokenErrorResponse, classify_token_error},
    provider_text,
    schedule::TokenLifetime,
};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::{Endpoint, Tokens};
use crate::outbound::{HttpResponse, RequestFailed};

/// The secrets of a token request, which must not appear in the provider's error texts.
pub(super) fn secrets_in(request: &oauth2::HttpRequest, endpoint: &Endpoint) -> Vec<Secret> {
    let in_body = url::form_urlencoded::parse(request.body())
        .filter(|(name, _)| matches!(name.as_ref(), "code" | "code_verifier" | "refresh_token" | "client_secret"))
        .map(|(_, value)| Secret::new(value.into_owned()));
    in_body.chain(endpoint.client_secret.clone()).collect()
}

/// A response without its body.
#[derive(Debug)]
pub(super) struct Received {
    status: http::StatusCode,
    retry_after_secs: Option<u32>,
    /// The request's secrets, which must not appear in the provider's error texts.
    sent: Vec<Secret>,
}

impl Received {
    /// Splits a response. The `oauth2` crate gets only the body, as a success, so that it parses every response alike:
    /// some providers send errors with status 200.
    pub(super) fn take(answer: HttpResponse, sent: Vec<Secret>, now: Timestamp) -> (Self, oauth2::HttpResponse) {
        let received = Self { status: answer.status, retry_after_secs: answer.retry_after_secs(now), sent };
        (received, http::Response::new(answer.body))
    }

    fn failure(&self, answer: Option<TokenAnswer>, endpoint: &Endpoint) -> Failure {
        let harmless = |text: &String| !provider_text::contains_secret(text, &self.sent);
        let is_json = answer.is_some();
        let (error, description) = answer.map(|answer| (answer.error, answer.error_description)).unwrap_or_default();
        let error = TokenErrorResponse {
            error: error.filter(harmless),
            description: description.filter(harmless),
            is_json,
            retry_after_secs: self.retry_after_secs,
        };
        classify_token_error(self.status.as_u16(), &error, &endpoint.own_codes)
    }
}

/// A token endpoint's JSON response: a success or an error, whatever its status.
///
/// Known deviations of providers: errors with status 200; `expires_in` as a string; `scope` as a list; no `token_type`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct TokenAnswer {
    /// Empty if the response has none.
    access_token: AccessToken,
    refresh_token: Option<RefreshToken>,
    /// Defined by OpenID Connect.
    id_token: Option<Secret>,
    expires_in: Option<Duration>,
    scopes: Option<Vec<Scope>>,
    error: Option<String>,
    error_description: Option<String>,
}

impl TryFrom<Value> for TokenAnswer {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let Value::Object(mut fields) = value else { return Err("not a JSON object") };
        let expires_in = fields.get("expires_in").and_then(lifetime_secs).map(Duration::from_secs);
        let scopes = fields.get("scope").and_then(scopes);
        let mut text = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let is_given = |token: &String| !token.is_empty();
        Ok(Self {
            access_token: AccessToken::new(text("access_token").unwrap_or_default()),
            refresh_token: text("refresh_token").filter(is_given).map(RefreshToken::new),
            id_token: text("id_token").filter(is_given).map(Secret::new),
            expires_in,
            scopes,
            error: text("error"),
            error_description: text("error_description"),
        })
    }
}

/// Required by the `oauth2` crate. Writes no token.
impl Serialize for TokenAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &BasicTokenType::Bearer
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        self.scopes.as_ref()
    }
}

/// A lifetime in seconds, given as a number or a string. `None` if it is below one second or implausibly long.
fn lifetime_secs(value: &Value) -> Option<u64> {
    let secs = match value {
        Value::String(text) => text.trim().parse().ok()?,
        other => other.as_f64()?,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a lifetime, within these bounds")]
    (1.0..1e12).contains(&secs).then_some(secs as u64)
}

/// Scopes separated by spaces, by commas (GitHub), or as a list.
fn scopes(value: &Value) -> Option<Vec<Scope>> {
    let text = match value {
        Value::Array(scopes) => scopes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Value::String(scopes) => scopes.replace(',', " "),
        _ => return None,
    };
    Some(text.split(' ').map(|scope| Scope::new(scope.to_owned())).collect())
}

impl Endpoint {
    /// The tokens in a response, or the failure that it reports.
    ///
    /// Known cases: a web page with status 200 from a network that requires a sign-in; truncated JSON.
    pub(super) fn tokens<E: ErrorResponse>(
        &self,
        answer: Result<TokenAnswer, RequestTokenError<RequestFailed, E>>,
        received: Option<Received>,
        now: Timestamp,
    ) -> Result<Tokens, Failure> {
        let Some(received) = received else {
            return Err(match answer {
                Err(RequestTokenError::Request(RequestFailed { failure })) => failure,
                _ => Failure::new(Cause::Garbled),
            });
        };
        let is_success = received.status.is_success();
        let answer = match answer {
            Ok(answer) if is_success && !answer.access_token.secret().is_empty() => answer,
            // Truncated JSON: the response was cut off in transit, unlike a web page in its place.
            Err(RequestTokenError::Parse(error, _)) if error.inner().is_eof() && is_success => {
                return Err(Failure::new(Cause::Garbled).status(received.status.as_u16()));
            }
            other => return Err(received.failure(other.ok(), self)),
        };
        let secs = answer.expires_in.map(|lifetime| lifetime.as_secs()).or(self.default_expires_in);
        let expires_at = secs.map(|secs| now.plus_secs(i64::try_from(secs).unwrap_or(i64::MAX)));
        Ok(Tokens {
            access: Secret::new(answer.access_token.into_secret()),
            refresh: answer.refresh_token.map(|token| Secret::new(token.into_secret())),
            id: answer.id_token,
            lifetime: TokenLifetime { issued_at: now, expires_at },
            scopes: answer.scopes.map(|scopes| scopes.into_iter().map(|scope| scope.to_string()).collect()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

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

    /// A refresh that is answered like this.
    async fn refreshed(status: u16, body: &str) -> Result<Tokens, Failure> {
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
        let received = OnceLock::new();
        let line = |request: oauth2::HttpRequest| {
            let (beside, response) = Received::take(answer(status, body), secrets_in(&request, &endpoint), NOW);
            received.set(beside).expect("one request");
            async { Ok::<_, RequestFailed>(response) }
        };
        let token = RefreshToken::new("spent-token".into());
        let client = endpoint.client().expect("a client");
        let parsed = client.exchange_refresh_token(&token).request_async(&line).await;
        drop(client);
        endpoint.tokens(parsed, received.into_inner(), NOW)
    }

    #[tokio::test]
    async fn differences_between_providers_are_normalized() {
        for body in [
            r#"{"access_token":"t","expires_in":"3600","scope":["a","b"],"refresh_token":""}"#,
            r#"{"access_token":"t","expires_in":3600.0,"scope":"a,b","id_token":""}"#,
            r#"{"access_token":"t","expires_in":3600,"scope":"a b","token_type":"mac","refresh_token":7}"#,
        ] {
            let tokens = refreshed(200, body).await.expect("a success");
            assert_eq!(tokens.access.expose(), "t");
            assert_eq!(tokens.lifetime.expires_at, Some(NOW.plus_secs(3600)), "{body}");
            assert_eq!(tokens.scopes, Some(vec!["a".to_owned(), "b".to_owned()]), "{body}");
            assert!(tokens.refresh.is_none() && tokens.id.is_none(), "{body}");
        }
        let tokens = refreshed(201, r#"{"access_token":"t","expires_in":0,"scope":{},"refresh_token":"r"}"#).await;
        let tokens = tokens.expect("a success");
        assert_eq!(tokens.refresh.as_ref().map(Secret::expose), Some("r"));
        assert_eq!((tokens.lifetime.expires_at, tokens.scopes), (None, None));
    }

    #[tokio::test]
    async fn failures_are_classified() {
        for (status, body, cause) in [
            (200, r#"{"error":"bad_refresh_token"}"#, Cause::RefusedByProvider),
            (200, "<html>Welcome to the hotel</html>", Cause::NotJson),
            (200, r#"{"access_token":"t","expires"#, Cause::Garbled),
            (200, "[1, 2", Cause::Garbled),
            (200, r#"["t"]"#, Cause::NotJson),
            (200, "{}", Cause::Garbled),
            (200, r#"{"access_token":""}"#, Cause::Garbled),
            (200, "", Cause::NotJson),
            (400, r#"{"error":"invalid_grant"}"#, Cause::InvalidGrant),
            (400, r#"{"access_token":"t","error":"invalid_grant"}"#, Cause::InvalidGrant),
            (500, "oops", Cause::ServerError),
            (500, r#"{"error":"#, Cause::ServerError),
        ] {
            let failure = refreshed(status, body).await.expect_err(body);
            assert_eq!(failure.cause, cause, "{status} {body}");
        }
    }

    #[tokio::test]
    async fn a_providers_words_that_repeat_what_was_sent_are_dropped() {
        let body = r#"{"error":"invalid_grant","error_description":"spent-token has expired"}"#;
        let failure = refreshed(400, body).await.expect_err("refused");
        assert_eq!((failure.cause, failure.provider_message), (Cause::InvalidGrant, None));
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
