//! Calls of a path that the caller names (`/custom`).

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use relink_domain::integration::resources::{Method, Verb};
use serde_json::Value;

use super::{
    MethodError,
    answer::{essence, is_json},
    encode::CallersBody,
};
use crate::account::Account;

/// What a caller's call of its own runs.
pub(super) struct Custom<'p> {
    pub(super) method: Method,
    /// The request's path, unless the caller's method has another one.
    pub(super) path: Option<&'p str>,
    /// Whether the caller gave a method. Without one, query and body go as they were sent.
    pub(super) has_config: bool,
}

impl<'p> Custom<'p> {
    /// Reads the body, and takes a `methodConfig` out of it. The caller decides where the values of its method go, and the provider's
    /// answer may repeat them, so nothing but the method's authorization may name a secret of the account.
    pub(super) fn read<E>(
        account: &impl Account,
        (verb, path): (Verb, &'p str),
        headers: &HeaderMap,
        bytes: Bytes,
    ) -> Result<(Self, CallersBody), MethodError<E>> {
        let definition = account.definition();
        let mut body = CallersBody::read(headers, bytes.clone())?;
        let Some(mut config) = body.take("methodConfig") else {
            let body = match body {
                CallersBody::Value(_) => CallersBody::Bytes { bytes, content_type: Some(json_type(headers)) },
                body => body,
            };
            return Ok((Self { method: definition.method_at_path(verb), path: Some(path), has_config: false }, body));
        };
        let mut path = Some(path);
        if let Value::Object(config) = &mut config {
            if config.contains_key("path") {
                path = None;
            } else {
                config.insert("path".to_owned(), "/".into());
            }
            config.entry("method").or_insert_with(|| verb.as_str().into());
        }
        let method = definition.method_of_call(&config)?;
        let placeholders = method.outside_authorization();
        if let Some(placeholder) = placeholders.into_iter().find(|placeholder| account.names_secret(placeholder)) {
            return Err(MethodError::SecretInConfig(placeholder.source().to_owned()));
        }
        // They aren't the account's credential: what its definition needs them for isn't what any caller may send them for.
        if method.authorization.names_secret_variable() {
            return Err(MethodError::SecretInConfig("{{secret_environment_variables}}".to_owned()));
        }
        Ok((Self { method, path, has_config: true }, body))
    }
}

/// Whether a body with these headers may be JSON, which clients of Truto send under several types (contract section 0.2).
pub(super) fn may_be_json(headers: &HeaderMap) -> bool {
    is_json(headers) || matches!(essence(headers).as_str(), "" | "text/plain")
}

/// The type of a body that goes as it was sent, and that is JSON.
fn json_type(headers: &HeaderMap) -> HeaderValue {
    let own = headers.get(CONTENT_TYPE).filter(|_| is_json(headers));
    own.cloned().unwrap_or(HeaderValue::from_static("application/json"))
}
