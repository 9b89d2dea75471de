//! Writes OAuth's requests as a provider wants them: names of parameters, the client's authentication, the body's format.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use relink_domain::{
    Secret,
    failure::{Cause, Failure},
    integration::{BodyFormat, ClientAuth, ClientOptions, CredentialsEncoding, OAuth2},
};
use serde_json::Value;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::{Endpoint, Params};
use crate::outbound::RequestFailed;

/// The standard's name of the parameter with the client's ID (RFC 6749 §4.1.1), by which the `oauth2` crate sends it.
const CLIENT_ID: &str = "client_id";
const RESPONSE_TYPE: &str = "response_type";
const SCOPE: &str = "scope";

/// Gives the parameters of an authorization request the names that the definition demands.
pub(super) fn rename_params(url: &mut Url, oauth2: &OAuth2) {
    if oauth2.options.id_param == CLIENT_ID && oauth2.scope_param == SCOPE && !oauth2.leaves_out_response_type {
        return;
    }
    let params: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let mut query = url.query_pairs_mut();
    query.clear();
    for (name, value) in &params {
        match name.as_str() {
            RESPONSE_TYPE if oauth2.leaves_out_response_type => {}
            CLIENT_ID => drop(query.append_pair(&oauth2.options.id_param, value)),
            SCOPE => drop(query.append_pair(&oauth2.scope_param, value)),
            name => drop(query.append_pair(name, value)),
        }
    }
}

impl Endpoint {
    /// The `oauth2` crate's request, as the endpoint wants it.
    pub(super) fn in_its_format(&self, request: &oauth2::HttpRequest) -> Result<reqwest::Request, RequestFailed> {
        let own = form_urlencoded::parse(request.body());
        let own = own.map(|(name, value)| (name.into_owned(), Secret::new(value.into_owned())));
        let is_replaced = |name: &str| name == CLIENT_ID || self.params.iter().any(|(other, _)| other == name);
        let mut params: Params = own.filter(|(name, _)| !is_replaced(name)).collect();
        params.extend(self.params.iter().cloned());
        self.written(&self.url, params)
    }

    /// A POST request with these parameters, in which the client authenticates itself (RFC 6749 §2.3).
    pub(super) fn written(&self, url: &Url, mut params: Params) -> Result<reqwest::Request, RequestFailed> {
        let unwritable = || RequestFailed { failure: Failure::new(Cause::Unreachable) };
        let mut request = reqwest::Request::new(http::Method::POST, url.clone());
        match (self.authentication, &self.client_secret) {
            (ClientAuth::Basic, Some(secret)) => {
                let basic = basic(&self.options, &self.client_id, secret);
                let mut value: http::HeaderValue = basic.expose().parse().map_err(|_| unwritable())?;
                value.set_sensitive(true);
                request.headers_mut().insert(http::header::AUTHORIZATION, value);
            }
            (ClientAuth::Post | ClientAuth::None, Some(secret)) => {
                params.push((self.options.id_param.clone(), Secret::new(self.client_id.as_str())));
                params.push((self.options.secret_param.clone(), secret.clone()));
            }
            (ClientAuth::Basic | ClientAuth::Post | ClientAuth::None, None) => {
                params.push((self.options.id_param.clone(), Secret::new(self.client_id.as_str())));
            }
        }
        let exposed = params.iter().map(|(name, value)| (name, value.expose()));
        let (content_type, body) = match self.options.body_format {
            BodyFormat::Form => {
                let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(exposed).finish();
                ("application/x-www-form-urlencoded", form)
            }
            BodyFormat::Json => {
                let fields = exposed.map(|(name, value)| (name.clone(), Value::from(value))).collect();
                ("application/json", Value::Object(fields).to_string())
            }
        };
        let headers = request.headers_mut();
        headers.insert(http::header::ACCEPT, http::HeaderValue::from_static("application/json"));
        headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
        *request.body_mut() = Some(body.into());
        Ok(request)
    }
}

/// `Basic` and the client's ID and secret, each form-encoded first (RFC 6749 §2.3.1) unless the provider reads them as they
/// are.
fn basic(options: &ClientOptions, id: &str, secret: &Secret) -> Secret {
    let encoded = |text: &str| match options.encoding {
        CredentialsEncoding::Strict => form_urlencoded::byte_serialize(text.as_bytes()).collect(),
        CredentialsEncoding::Loose => text.to_owned(),
    };
    let pair = Zeroizing::new(format!("{}:{}", encoded(id), encoded(secret.expose())));
    Secret::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
