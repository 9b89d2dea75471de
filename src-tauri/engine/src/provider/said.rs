//! What a provider says in the response to a call.

use relink_domain::{
    Secret,
    failure::{ProviderError, Redirect},
    provider_text,
};
use serde_json::Value;
use url::Url;

use super::{CallCredentials, Provider};
use crate::{
    oauth::{self, decode},
    outbound::HttpResponse,
};

/// A response to a call, after its body was decoded.
pub(super) struct Answer {
    pub(super) status: u16,
    /// The body, if it is JSON.
    pub(super) json: Option<Value>,
    pub(super) is_html: bool,
    /// Where it redirects to, unless that contains a secret.
    redirect: Option<Redirect>,
    /// What the provider says, without what contains a secret.
    pub(super) said: ProviderError,
}

impl Answer {
    /// `url`: the request's.
    pub(super) fn read(
        response: &HttpResponse,
        url: &Url,
        provider: &Provider,
        credentials: &CallCredentials<'_>,
    ) -> Self {
        let decode::Decoded { text, is_html } = decode::decode(&response.headers, &response.body);
        let json: Option<Value> = serde_json::from_str(&text).ok();
        let in_body = json.as_ref().map(|body| {
            let code = provider.definition.refresh().error_code_path.as_ref().and_then(|path| path.read(body));
            ProviderError::read(body, code)
        });
        let said = match in_body {
            Some(said) if said != ProviderError::default() => said,
            _ => oauth::challenge(&response.headers),
        };
        let is_harmless = |text: &str| !credentials.are_in(text);
        Self {
            status: response.status.as_u16(),
            json,
            is_html,
            redirect: oauth::redirect(response, url).filter(|redirect| is_harmless(&redirect.target)),
            said: said.filtered(is_harmless),
        }
    }

    /// What the provider says, or else where it redirects to.
    pub(super) fn words(&self) -> ProviderError {
        match (&self.said, &self.redirect) {
            (ProviderError { code: None, message: None }, Some(redirect)) => {
                ProviderError { code: None, message: Some(format!("Location: {}", redirect.target)) }
            }
            (said, _) => said.clone(),
        }
    }
}

impl CallCredentials<'_> {
    /// Whether the text contains one of the secrets.
    pub(super) fn are_in(&self, text: &str) -> bool {
        let secrets: Vec<&Secret> = self.fields.values().chain(self.access_token).collect();
        provider_text::contains_secret(text, secrets)
    }
}
