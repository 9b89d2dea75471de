//! What a token endpoint's response says apart from its tokens.

use relink_domain::{
    Secret, Timestamp,
    failure::{Failure, NeededScopes, ProviderError, ProviderErrorCodes, Redirect, TokenErrorResponse},
    integration::{Definition, JsonPath},
    provider_text::{KnownSecrets, SecretFilter},
};
use url::Url;

use super::{
    Endpoint,
    answer::TokenAnswer,
    decode::{Decoded, decode},
};
use crate::outbound::HttpResponse;

/// The secrets of a token request and those that the endpoint's account is known to have.
pub(super) fn secrets_of(request: &oauth2::HttpRequest, endpoint: &Endpoint) -> KnownSecrets {
    let in_body = url::form_urlencoded::parse(request.body())
        .filter(|(name, _)| matches!(name.as_ref(), "code" | "code_verifier" | "refresh_token" | "client_secret"))
        .map(|(_, value)| Secret::new(value.into_owned()));
    let in_body: Vec<Secret> = in_body.collect();
    endpoint.known.clone().and(&in_body).and(&endpoint.client_secret)
}

/// A longer body isn't kept, in bytes.
const MAX_KEPT_BODY: usize = 4096;

/// A response beside its tokens.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: http::StatusCode,
    is_html: bool,
    redirect: Option<Redirect>,
    /// The error in `WWW-Authenticate`.
    challenge: ProviderError,
    retry_after_secs: Option<u32>,
    /// The decoded body, unless it is too long to be kept.
    body: Option<Secret>,
    /// What the provider's texts must not repeat.
    known: KnownSecrets,
}

impl Received {
    /// Splits a response. The `oauth2` crate gets only the decoded body, as a success, so that it parses every response
    /// alike: some providers send errors with status 200.
    pub(super) fn take(
        answer: &HttpResponse,
        url: &Url,
        known: KnownSecrets,
        now: Timestamp,
    ) -> (Self, oauth2::HttpResponse) {
        let Decoded { text, is_html } = decode(&answer.headers, &answer.body);
        let received = Self {
            status: answer.status,
            is_html,
            redirect: redirect(answer, url),
            challenge: challenge(&answer.headers),
            retry_after_secs: answer.retry_after_secs(now),
            body: (text.len() <= MAX_KEPT_BODY).then(|| Secret::new(text.as_str())),
            known,
        };
        (received, http::Response::new(text.into_bytes()))
    }

    /// What the response says that has no tokens.
    pub(super) fn failure(
        &self,
        answer: Option<&TokenAnswer>,
        error_code_path: Option<&JsonPath>,
        own_codes: &ProviderErrorCodes,
    ) -> Failure {
        let in_body = answer
            .map(|answer| {
                let code = error_code_path.and_then(|path| path.read(answer.rest()));
                ProviderError::read(answer.rest(), code)
            })
            .unwrap_or_default();
        let response = TokenErrorResponse {
            status: self.status.as_u16(),
            code: in_body.code.or_else(|| self.challenge.code.clone()),
            message: in_body.message.or_else(|| self.challenge.message.clone()),
            is_html: self.is_html,
            redirect: self.redirect.clone(),
            retry_after_secs: self.retry_after_secs,
        };
        let filter = self.filter(answer);
        Failure { body: self.clean_body(answer, &filter), ..response.classify(own_codes, &filter) }
    }

    /// The body without secrets. That of a JSON document without fields isn't kept: its tokens aren't known.
    fn clean_body(&self, answer: Option<&TokenAnswer>, filter: &SecretFilter) -> Option<String> {
        let body = self.body.as_ref()?.expose();
        let is_understood = answer.is_some() || serde_json::from_str::<serde::de::IgnoredAny>(body).is_err();
        is_understood.then(|| filter.clean_whole(body)).filter(|cleaned| !cleaned.is_empty())
    }

    /// The filter for the texts of the response: it must not repeat its own tokens either.
    pub(super) fn filter(&self, answer: Option<&TokenAnswer>) -> SecretFilter {
        let tokens = answer.map(TokenAnswer::secrets).unwrap_or_default();
        self.known.filter(&tokens)
    }
}

/// The failure that an answer to a request of a refresh's steps reports, judged as a token endpoint's. `url`: the request's. `known`: what
/// the provider's texts must not repeat.
pub(crate) fn failure_of_step(
    answer: &HttpResponse,
    url: &Url,
    definition: &Definition,
    own_codes: &ProviderErrorCodes,
    known: KnownSecrets,
    now: Timestamp,
) -> Failure {
    let (received, response) = Received::take(answer, url, known, now);
    let answer: Option<TokenAnswer> = serde_json::from_slice(response.body()).ok();
    received.failure(answer.as_ref(), definition.refresh().error_code_path.as_ref(), own_codes)
}

/// Where a response redirects to, without user information, query and fragment.
pub(crate) fn redirect(answer: &HttpResponse, from: &Url) -> Option<Redirect> {
    if !answer.status.is_redirection() {
        return None;
    }
    let mut target = from.join(answer.headers.get(http::header::LOCATION)?.to_str().ok()?).ok()?;
    let is_foreign = target.host() != from.host();
    target.set_query(None);
    target.set_fragment(None);
    // These fail for a URL that can't have user information.
    let _ = target.set_username("");
    let _ = target.set_password(None);
    Some(Redirect { target: target.to_string(), is_foreign })
}

/// What a 401 or 403 says in its Bearer challenge (RFC 6750 §3).
pub(crate) fn challenge(headers: &http::HeaderMap) -> ProviderError {
    let said = bearer_challenges(headers).find_map(|parameter| {
        Some(ProviderError { code: Some(parameter("error")?), message: parameter("error_description") })
    });
    said.unwrap_or_default()
}

/// The scopes that the call needed, if the response says so: in its Bearer challenge (RFC 6750 §3), or as GitHub does.
pub(crate) fn needed_scopes(headers: &http::HeaderMap) -> NeededScopes {
    let listed = |name: &str| {
        let text = headers.get(name)?.to_str().ok()?;
        Some(text.split(',').map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect())
    };
    let of_challenge = bearer_challenges(headers).find_map(|parameter| parameter("scope"));
    NeededScopes {
        all_of: of_challenge.iter().flat_map(|scope| scope.split_whitespace()).map(str::to_owned).collect(),
        one_of: listed("x-accepted-oauth-scopes").unwrap_or_default(),
        granted: listed("x-oauth-scopes"),
    }
}

/// Each Bearer challenge, as its parameters by name.
fn bearer_challenges(headers: &http::HeaderMap) -> impl Iterator<Item = impl Fn(&str) -> Option<String>> {
    let challenges = headers.get_all(http::header::WWW_AUTHENTICATE).iter().filter_map(|value| {
        // An unreadable header says nothing.
        http_auth::parse_challenges(value.to_str().ok()?).ok()
    });
    challenges.flatten().filter(|challenge| challenge.scheme.eq_ignore_ascii_case("bearer")).map(|challenge| {
        move |wanted: &str| {
            let (_, value) = challenge.params.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
            Some(value.to_unescaped()).filter(|text| !text.is_empty())
        }
    })
}
