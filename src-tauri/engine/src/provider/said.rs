//! What a provider says in the response to a call.

use relink_domain::failure::{ProviderError, Redirect};
use serde_json::Value;
use url::Url;

use super::{CallCredentials, Provider};
use crate::{
    oauth::{self, decode},
    outbound::HttpResponse,
};

const MAX_TARGET_CHARS: usize = 300;

/// A response to a call, after its body was decoded.
pub(super) struct Answer {
    pub(super) status: u16,
    /// The body, if it is JSON.
    pub(super) json: Option<Value>,
    pub(super) is_html: bool,
    /// Where it redirects to, without secrets.
    redirect: Option<Redirect>,
    /// What the provider says, without secrets.
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
        let filter = credentials.filter();
        let redirect = oauth::redirect(response, url);
        Self {
            status: response.status.as_u16(),
            json,
            is_html,
            redirect: redirect.map(|it| Redirect { target: filter.clean(&it.target, MAX_TARGET_CHARS), ..it }),
            said: said.cleaned(&filter),
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
