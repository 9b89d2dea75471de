//! OAuth 2.0 as a client: RFC 6749, PKCE (RFC 7636), revocation (RFC 7009).
//!
//! The `oauth2` crate makes the requests and parses the responses as a [`TokenAnswer`], which accepts the differences
//! between providers. [`EndpointClient`] connects the crate to the network. Every failure is classified by its
//! [`Cause`].

mod answer;
pub(crate) mod decode;
mod lifetime;
mod of_steps;
mod received;
mod request;

use std::sync::OnceLock;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::future::BoxFuture;
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, Client, ClientId, CsrfToken, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RefreshToken, Scope, StandardRevocableToken, TokenUrl,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse},
};
use relink_domain::{
    Secret, Timestamp,
    destination::Consent,
    failure::{Cause, Failure, ProviderErrorCodes},
    integration::{AnswerPaths, ClientAuth, ClientOptions, JsonPath, OAuth2, Pkce, WebUrl},
    provider_text::KnownSecrets,
    schedule::TokenLifetime,
};
use serde_json::{Map, Value};
use url::Url;

use answer::TokenAnswer;
pub(crate) use answer::credentials_in;
pub(crate) use of_steps::refresh_token_of_steps;
use received::{Received, secrets_of};
pub(crate) use received::{challenge, failure_of_step, needed_scopes, redirect};

use crate::outbound::{Outbound, RequestFailed};

/// Parameters of a request. Any value may be a secret.
pub type Params = Vec<(String, Secret)>;

/// A provider's token endpoint and the client that uses it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub url: Url,
    pub client_id: String,
    /// `None` for a public client (RFC 6749 §2.1).
    pub client_secret: Option<Secret>,
    /// How the client authenticates (RFC 6749 §2.3).
    pub authentication: ClientAuth,
    pub options: ClientOptions,
    /// Further parameters of its requests. They take the place of Relink's own.
    pub params: Params,
    /// Whether the address may be private.
    pub consent: Consent,
    pub own_codes: ProviderErrorCodes,
    /// Where a response contains its error code, if not in one of the usual places.
    pub error_code_path: Option<JsonPath>,
    /// Where a response has what the standard puts at its top.
    pub answer: AnswerPaths,
    /// Whether a token may also be where the standard puts it: some providers answer a refresh otherwise than a code.
    pub may_answer_at_top: bool,
    /// The access token's lifetime in seconds, if the response has none.
    pub default_expires_in: Option<u32>,
    pub is_refreshed_daily: bool,
    /// The account's secrets, which the provider's texts must not repeat.
    pub known: KnownSecrets,
}

/// A successful token response (RFC 6749 §5.1).
#[derive(Debug, Clone)]
pub struct Tokens {
    pub access: Secret,
    pub refresh: Option<Secret>,
    /// `id_token` (OpenID Connect).
    pub id: Option<Secret>,
    /// The access token's lifetime.
    pub lifetime: TokenLifetime,
    /// `scope`, if the response has it because it differs from the requested scope (RFC 6749 §5.1).
    pub scopes: Option<Vec<String>>,
    /// The values of the response that the definition keeps in the account's context.
    pub kept: Map<String, Value>,
}

/// An authorization request for a browser, and the values that are needed later.
#[derive(Debug)]
pub struct Authorization {
    pub url: Url,
    /// 256 random bits.
    pub state: Secret,
    /// The PKCE code verifier (RFC 7636 §4.1), unless the provider refuses PKCE.
    pub verifier: Option<Secret>,
}

type OauthClient<HasAuthUrl, HasTokenUrl> = Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    HasAuthUrl,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    HasTokenUrl,
>;

/// Makes an authorization request with a fresh `state` and, unless the definition says that the provider refuses it, PKCE S256.
/// `url` and `params`: the definition's, for the account that signs in.
pub fn authorize(
    oauth2: &OAuth2,
    url: &WebUrl,
    params: &Params,
    redirect_uri: &str,
    scopes: &[String],
) -> Result<Authorization, url::ParseError> {
    let client: OauthClient<oauth2::EndpointSet, oauth2::EndpointNotSet> =
        Client::new(ClientId::new(oauth2.client_id.clone())).set_auth_uri(AuthUrl::new(url.as_str().to_owned())?);
    let client = client.set_redirect_uri(RedirectUrl::new(redirect_uri.to_owned())?);
    let mut request = client.authorize_url(|| CsrfToken::new_random_len(32));
    let mut verifier = None;
    if oauth2.pkce == Pkce::S256 {
        let (challenge, its_verifier) = PkceCodeChallenge::new_random_sha256();
        request = request.set_pkce_challenge(challenge);
        verifier = Some(Secret::new(its_verifier.into_secret()));
    }
    if !scopes.is_empty() {
        // Joined here, because some providers separate scopes by commas.
        request = request.add_scope(Scope::new(scopes.join(&oauth2.options.scope_separator)));
    }
    for (name, value) in params {
        request = request.add_extra_param(name, value.expose());
    }
    let (mut url, state) = request.url();
    request::rename_params(&mut url, oauth2);
    Ok(Authorization { url, state: Secret::new(state.into_secret()), verifier })
}

impl Endpoint {
    fn client(&self) -> Result<OauthClient<oauth2::EndpointNotSet, oauth2::EndpointSet>, Failure> {
        let url = TokenUrl::new(self.url.to_string()).map_err(|_| Failure::new(Cause::Unreachable))?;
        // Without the secret: `Endpoint::written` adds it in the provider's way.
        let client = Client::new(ClientId::new(self.client_id.clone()));
        Ok(client.set_token_uri(url).set_auth_type(AuthType::RequestBody))
    }

    /// The same endpoint, whose texts must not repeat these secrets.
    #[must_use]
    pub fn knowing(self, known: KnownSecrets) -> Self {
        Self { known, ..self }
    }

    /// Joined here, because some providers separate scopes by commas.
    fn scope(&self, scopes: &[String]) -> Option<Scope> {
        (!scopes.is_empty()).then(|| Scope::new(scopes.join(&self.options.scope_separator)))
    }

    // The three exchanges are boxed: the compiler can't infer through the `oauth2` crate's generic client that they are
    // `Send`.

    /// Exchanges an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.5).
    pub fn exchange_code<'a>(
        &'a self,
        outbound: &'a Outbound,
        code: &'a Secret,
        verifier: Option<&'a Secret>,
        redirect_uri: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Tokens, Failure>> {
        Box::pin(async move {
            let redirect =
                RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| Failure::new(Cause::UnknownRefusal))?;
            let client = self.client()?.set_redirect_uri(redirect);
            let line = EndpointClient::new(self, outbound, now);
            let mut request = client.exchange_code(AuthorizationCode::new(code.expose().to_owned()));
            if let Some(verifier) = verifier {
                request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()));
            }
            self.tokens(request.request_async(&line).await, line.received.into_inner(), now)
        })
    }

    /// Refreshes (RFC 6749 §6).
    pub fn refresh<'a>(
        &'a self,
        outbound: &'a Outbound,
        refresh_token: &'a Secret,
        scopes: Vec<String>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Tokens, Failure>> {
        Box::pin(async move {
            let client = self.client()?;
            let token = RefreshToken::new(refresh_token.expose().to_owned());
            let line = EndpointClient::new(self, outbound, now);
            let request = client.exchange_refresh_token(&token).add_scopes(self.scope(&scopes));
            self.tokens(request.request_async(&line).await, line.received.into_inner(), now)
        })
    }

    /// Requests a token with the client credentials grant (RFC 6749 §4.4).
    pub fn client_credentials<'a>(
        &'a self,
        outbound: &'a Outbound,
        scopes: Vec<String>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Tokens, Failure>> {
        Box::pin(async move {
            let client = self.client()?;
            let line = EndpointClient::new(self, outbound, now);
            let request = client.exchange_client_credentials().add_scopes(self.scope(&scopes));
            self.tokens(request.request_async(&line).await, line.received.into_inner(), now)
        })
    }

    /// Requests the revocation of a token (RFC 7009 §2.1). Returns the response's status.
    pub async fn revoke(
        &self,
        outbound: &Outbound,
        url: &Url,
        token: &Secret,
        hint: &str,
    ) -> Result<http::StatusCode, RequestFailed> {
        let params = [("token", token.expose()), ("token_type_hint", hint)];
        let params = params.map(|(name, value)| (name.to_owned(), Secret::new(value))).into();
        Ok(outbound.send(self.written(url, params)?, self.consent).await?.status)
    }
}

/// The `oauth2` crate's HTTP client for one request to one endpoint.
struct EndpointClient<'a> {
    endpoint: &'a Endpoint,
    outbound: &'a Outbound,
    now: Timestamp,
    /// Set when the response has arrived.
    received: OnceLock<Received>,
}

impl<'a> EndpointClient<'a> {
    const fn new(endpoint: &'a Endpoint, outbound: &'a Outbound, now: Timestamp) -> Self {
        Self { endpoint, outbound, now, received: OnceLock::new() }
    }
}

impl<'c> AsyncHttpClient<'c> for EndpointClient<'_> {
    type Error = RequestFailed;
    type Future = BoxFuture<'c, Result<oauth2::HttpResponse, RequestFailed>>;

    fn call(&'c self, request: oauth2::HttpRequest) -> Self::Future {
        Box::pin(async move {
            let endpoint = self.endpoint;
            let known = secrets_of(&request, endpoint);
            let answer = self.outbound.send(endpoint.in_its_format(&request)?, endpoint.consent).await?;
            let (received, response) = Received::take(&answer, &endpoint.url, known, self.now);
            // The crate sends one request.
            let _ = self.received.set(received);
            Ok(response)
        })
    }
}

/// The claims of an ID token that came directly from the token endpoint, so its signature need not be checked (OpenID
/// Connect Core 1.0 §3.1.3.7, point 6). `None` if it is for another client or from another issuer. Google documents an `iss`
/// without its scheme, so the scheme doesn't count.
pub fn id_token_claims(id_token: &Secret, client_id: &str, issuer: Option<&str>) -> Option<Value> {
    let payload = id_token.expose().split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let for_us = match claims.get("aud")? {
        Value::String(audience) => audience == client_id,
        Value::Array(audiences) => audiences.iter().any(|audience| audience.as_str() == Some(client_id)),
        _ => false,
    };
    let is_issuer = |iss: &str, issuer: &str| without_https(iss) == without_https(issuer);
    let from_them =
        issuer.is_none_or(|issuer| claims.get("iss").and_then(Value::as_str).is_some_and(|iss| is_issuer(iss, issuer)));
    (for_us && from_them && claims.get("sub").is_some_and(Value::is_string)).then_some(claims)
}

fn without_https(issuer: &str) -> &str {
    issuer.strip_prefix("https://").unwrap_or(issuer)
}

#[cfg(test)]
mod tests {
    use relink_domain::integration::built_in;

    use super::*;

    #[test]
    fn an_authorization_request_carries_pkce_s256_and_256_bits_of_state() {
        let sandbox =
            built_in("sandbox").and_then(|definition| definition.oauth2()).expect("the Sandbox has OAuth 2.0");
        let url = sandbox.authorize_url.as_fixed().expect("fixed");
        let asked =
            authorize(sandbox, url, &Vec::new(), "app.relink.desktop:/oauth/callback/x", &["a".into(), "b".into()])
                .expect("a request");
        let query =
            |name: &str| asked.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        assert_eq!(query("code_challenge_method").as_deref(), Some("S256"));
        assert_eq!(query("state").as_deref(), Some(asked.state.expose()));
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(asked.state.expose()).expect("base64").len(), 32);
        assert_eq!(query("scope").as_deref(), Some("a b"));
        let verifier = asked.verifier.as_ref().expect("a verifier");
        assert!(!asked.url.as_str().contains(verifier.expose()));
    }

    #[test]
    fn the_scheme_of_an_id_tokens_issuer_does_not_count() {
        for (iss, issuer, is_accepted) in [
            ("accounts.google.com", "https://accounts.google.com", true),
            ("https://accounts.google.com", "accounts.google.com", true),
            ("https://accounts.google.com", "https://accounts.google.com", true),
            ("http://accounts.google.com", "https://accounts.google.com", false),
            ("accounts.google.com.evil.example", "https://accounts.google.com", false),
            ("https://https://accounts.google.com", "https://accounts.google.com", false),
            ("evil.example/accounts.google.com", "https://accounts.google.com", false),
            ("accounts.google.com/", "https://accounts.google.com", false),
            ("", "https://accounts.google.com", false),
        ] {
            let claims = serde_json::json!({ "iss": iss, "aud": "us", "sub": "ada" }).to_string();
            let token = Secret::new(format!("h.{}.s", BASE64_URL_SAFE_NO_PAD.encode(claims)));
            assert_eq!(id_token_claims(&token, "us", Some(issuer)).is_some(), is_accepted, "{iss}, {issuer}");
        }
    }

    #[test]
    fn an_id_token_for_another_client_is_rejected() {
        let token = |claims: &str| Secret::new(format!("h.{}.s", BASE64_URL_SAFE_NO_PAD.encode(claims)));
        let good = token(r#"{"iss":"https://as","aud":"us","sub":"ada"}"#);
        assert!(id_token_claims(&good, "us", Some("https://as")).is_some());
        assert!(id_token_claims(&good, "them", Some("https://as")).is_none());
        assert!(id_token_claims(&good, "us", Some("https://other")).is_none());
        assert!(id_token_claims(&Secret::new("nonsense"), "us", None).is_none());
    }
}
