//! A method's request, built from the method, the account and the caller's call. Nothing here sends or reads anything.
//!
//! It is built in two steps. [`Run::outline`] makes what pagination changes, and a cursor or an expression may see: no secret is in it.
//! [`Run::complete`] adds the account's secrets, again for each token.

use std::borrow::Cow;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method as Verb, Request, Uri,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TE, USER_AGENT},
};
use relink_domain::{
    Secret,
    integration::{
        HeaderError, SigningError,
        resources::{ApiResponseFormat, BodyEncoding, Method, MethodBody},
    },
    template::{FillError, Root, Template},
};
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::{
    answer::is_json,
    encode::{BodyError, CallersBody, Encoded, encode, with_query},
    parameters,
};
use crate::{
    account::{Account, BaseError},
    headers::USER_AGENT_OF_RELINK,
    pages::PageRequest,
    target::{TargetError, target},
};

/// Why a method's request can't be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    #[error("The request can't be made: {0}.")]
    Fill(#[from] FillError),
    #[error("The request can't be made: {0}.")]
    Header(#[from] HeaderError),
    /// With a code, since the words of JSONata may quote a secret.
    #[error("The request can't be signed: the expression of its authorization can't be evaluated ({0}).")]
    Expression(String),
    #[error("The request can't be signed by the expression of its authorization: {0}.")]
    Signing(#[from] SigningError),
    #[error(transparent)]
    Base(#[from] BaseError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Body(#[from] BodyError),
}

/// A method that runs for a caller.
pub(super) struct Run<'a> {
    pub(super) method: &'a Method,
    /// In place of the method's path: percent-encoded, as the caller sent it.
    pub(super) raw_path: Option<&'a str>,
    pub(super) id: Option<&'a str>,
    pub(super) query: Map<String, Value>,
    pub(super) body: CallersBody,
    pub(super) is_later_page: bool,
    /// Headers of the caller that go on.
    pub(super) headers: HeaderMap,
}

impl Run<'_> {
    /// The request without secrets, and the URL that its path is below.
    pub(super) fn outline(&self, account: &impl Account) -> Result<(PageRequest, Url), BuildError> {
        let base = account.base_of(self.method)?;
        let roots = self.roots(account);
        let (path, in_path) = self.path(account, &roots)?;
        let mut query = Map::new();
        for (name, value) in form_urlencoded::parse(in_path.as_bytes()) {
            query.insert(name.into_owned(), value.into_owned().into());
        }
        parameters::merge(&mut query, self.own_query(account, &roots)?.unwrap_or_default());
        parameters::merge(&mut query, self.query.clone());
        let body = match &self.method.body {
            _ if self.leaves_out_body() => None,
            MethodBody::Template(template) => account.fill(template, &roots)?.into_plain().unwrap_or_default(),
            MethodBody::Callers => match &self.body {
                CallersBody::Value(value) => Some(value.clone()),
                CallersBody::None | CallersBody::Text { .. } | CallersBody::Bytes { .. } => None,
            },
            MethodBody::Nothing => None,
        };
        let body = if self.method.add_query_to_body { with_query(body, &query)? } else { body };
        let request = PageRequest {
            method: Verb::from_bytes(self.method.verb.as_str().as_bytes()).unwrap_or_default(),
            path,
            query: parameters::pairs(&query, self.method.query_array_format),
            headers: HeaderMap::new(),
            body,
        };
        Ok((request, base))
    }

    /// The request as it is sent, of an outline that pagination may have changed. Its body is given apart.
    pub(super) fn complete(
        &self,
        account: &impl Account,
        outline: &PageRequest,
        base: &Url,
    ) -> Result<(Request<()>, Bytes), BuildError> {
        let roots = self.roots(account);
        let mut headers = outline.headers.clone();
        headers.extend(self.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        for (name, value) in &account.headers_of(self.method, &roots)? {
            headers.insert(name, value.clone());
        }
        let accepted = match self.method.api_response_format {
            ApiResponseFormat::ByContentType => "application/json",
            ApiResponseFormat::Xml => "application/xml",
            ApiResponseFormat::Text => "text/plain",
        };
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static(accepted));
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT_OF_RELINK));
        let Encoded { content_type, bytes } = self.encoded(account, outline, &roots)?;
        // A boundary is of this body, whatever the definition says of its type.
        let is_multipart = self.method.body_encoding == BodyEncoding::Multipart;
        if let Some(content_type) = content_type.filter(|_| is_multipart || !headers.contains_key(CONTENT_TYPE)) {
            headers.insert(CONTENT_TYPE, content_type);
        }
        let mut request = Request::new(());
        *request.method_mut() = outline.method.clone();
        *request.uri_mut() = self.uri(account, outline, base, &roots)?;
        *request.headers_mut() = headers;
        Ok((request, bytes))
    }

    /// The values of the call, beside those of the account.
    pub(super) fn roots<'r>(&'r self, account: &'r impl Account) -> Vec<(&'static str, Root<'r>)> {
        let mut roots = vec![("query", Root::Object(&self.query))];
        roots.extend(self.id.map(|id| ("id", Root::Text(id))));
        match &self.body {
            CallersBody::Value(value) => roots.push(("body", Root::Value(value))),
            CallersBody::Text { text, .. } => roots.push(("body", Root::Text(text))),
            CallersBody::None | CallersBody::Bytes { .. } => {}
        }
        let variables = account.definition().section("environment_variables").and_then(Value::as_object);
        roots.extend(variables.map(|variables| ("environment_variables", Root::Object(variables))));
        roots
    }

    /// Path and query.
    fn path(&self, account: &impl Account, roots: &[(&str, Root<'_>)]) -> Result<(String, String), BuildError> {
        if let Some(path) = self.raw_path {
            return Ok((path.to_owned(), String::new()));
        }
        let later = self.method.pagination_path.as_ref().filter(|_| self.is_later_page);
        let path = account.fill_path(later.unwrap_or(&self.method.path), roots)?;
        Ok((path.path().to_owned(), path.query().unwrap_or_default().to_owned()))
    }

    /// The method's query. `None`: there is none, or it holds a secret.
    fn own_query(
        &self,
        account: &impl Account,
        roots: &[(&str, Root<'_>)],
    ) -> Result<Option<Map<String, Value>>, BuildError> {
        let Some(template) = &self.method.query else { return Ok(None) };
        Ok(match account.fill(template, roots)?.into_plain() {
            Ok(Some(Value::Object(query))) => Some(query),
            Ok(_) | Err(_) => None,
        })
    }

    fn leaves_out_body(&self) -> bool {
        self.is_later_page && self.method.ignore_body_in_pagination
    }

    fn encoded(
        &self,
        account: &impl Account,
        outline: &PageRequest,
        roots: &[(&str, Root<'_>)],
    ) -> Result<Encoded, BuildError> {
        let secret = match &self.method.body {
            MethodBody::Template(template) if !self.leaves_out_body() => secret_value(account, template, roots)?,
            MethodBody::Callers if outline.body.is_none() => match &self.body {
                CallersBody::Text { text, content_type } => {
                    let content_type =
                        content_type.clone().or(Some(HeaderValue::from_static("text/plain; charset=utf-8")));
                    return Ok(Encoded { content_type, bytes: text.clone().into() });
                }
                CallersBody::Bytes { bytes, content_type } => {
                    let octets = || HeaderValue::from_static("application/octet-stream");
                    let content_type = content_type.clone().unwrap_or_else(octets);
                    return Ok(Encoded { content_type: Some(content_type), bytes: bytes.clone() });
                }
                CallersBody::None | CallersBody::Value(_) => None,
            },
            MethodBody::Template(_) | MethodBody::Callers | MethodBody::Nothing => None,
        };
        let body = match (secret, &outline.body) {
            // What pagination added goes over it.
            (Some(Value::Object(mut own)), Some(Value::Object(added))) => {
                parameters::merge(&mut own, added.clone());
                Cow::Owned(Value::Object(own))
            }
            (Some(own), _) => Cow::Owned(own),
            (None, Some(body)) => Cow::Borrowed(body),
            (None, None) => return Ok(Encoded { content_type: None, bytes: Bytes::new() }),
        };
        Ok(encode(&body, self.method.body_encoding)?)
    }

    /// Below the base URL, with the parameters that have a secret: the account's, and the method's over them. A parameter of the same
    /// name in the outline goes over both.
    fn uri(
        &self,
        account: &impl Account,
        outline: &PageRequest,
        base: &Url,
        roots: &[(&str, Root<'_>)],
    ) -> Result<Uri, BuildError> {
        let mut secret: Vec<(String, Secret)> = account.query().to_vec();
        if let Some(template) = &self.method.query
            && let Some(Value::Object(own)) = secret_value(account, template, roots)?
        {
            let own = parameters::pairs(&own, self.method.query_array_format);
            secret.retain(|(name, _)| own.iter().all(|(other, _)| other != name));
            secret.extend(own.into_iter().map(|(name, value)| (name, Secret::new(value))));
        }
        let is_given = |name: &str| outline.query.iter().any(|(other, _)| other == name || below(other, name));
        secret.retain(|(name, _)| !is_given(name));
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(secret.iter().map(|(name, value)| (name, value.expose())));
        query.extend_pairs(&outline.query);
        let query = query.finish();
        Ok(target(base, &outline.path, Some(query.as_str()).filter(|query| !query.is_empty()), &[])?)
    }
}

/// Whether `a[b]` is below `a`.
fn below(name: &str, root: &str) -> bool {
    name.strip_prefix(root).is_some_and(|rest| rest.starts_with('['))
}

/// What a template gives, if a secret is in it.
fn secret_value(
    account: &impl Account,
    template: &Template,
    roots: &[(&str, Root<'_>)],
) -> Result<Option<Value>, BuildError> {
    let filled = account.fill(template, roots)?;
    Ok(if filled.holds_secret() { filled.expose().cloned() } else { None })
}

/// The headers of a caller's own request that go on to the provider when it names the path itself (`/custom`). A type of JSON stays with
/// a body that is sent as JSON: there are many.
pub(super) fn of_custom_call(headers: HeaderMap, method: &Method) -> HeaderMap {
    let has_agent = headers.contains_key(USER_AGENT);
    let mut headers = crate::headers::of_request(headers, &HeaderMap::new());
    // The answer is read here.
    for name in [ACCEPT_ENCODING, CONTENT_LENGTH, TE] {
        headers.remove(name);
    }
    let is_sent_as_json = method.body == MethodBody::Callers && method.body_encoding == BodyEncoding::Json;
    if !(is_sent_as_json && is_json(&headers)) {
        headers.remove(CONTENT_TYPE);
    }
    if !has_agent {
        headers.remove(USER_AGENT);
    }
    headers
}
