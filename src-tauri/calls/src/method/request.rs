//! A method's request, built from the method, the account and the caller's call. Nothing here sends or reads anything.
//!
//! It is built in two steps. [`Run::outline`] makes what pagination changes, and a cursor or an expression may see: no secret is in it.
//! [`Run::complete`] adds the account's secrets, again for each token.

use std::borrow::Cow;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method as Verb, Request, Uri,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, TE, USER_AGENT},
};
use relink_domain::{
    Secret,
    integration::{
        HeaderError, HeaderTemplate, SigningError,
        resources::{ApiResponseFormat, BodyEncoding, Method, MethodAuthorization, MethodBody},
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
    method_override::{is_overriding_header, is_overriding_parameter},
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
    /// The names of its resource and its own, in the definition.
    pub(super) name: Option<(&'a str, &'a str)>,
    /// Whether the method is the caller's own, and not of the definition.
    pub(super) is_callers: bool,
    pub(super) raw: Raw<'a>,
    pub(super) id: Option<&'a str>,
    pub(super) query: Map<String, Value>,
    pub(super) body: CallersBody,
    /// Headers of the caller that go on.
    pub(super) headers: HeaderMap,
    /// Headers in place of the definition's.
    pub(super) over: HeaderMap,
    /// The content coding that the answer may have.
    pub(super) accepted_coding: HeaderValue,
}

/// What goes percent-encoded as the caller sent it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Raw<'a> {
    /// In place of the method's path.
    pub(super) path: Option<&'a str>,
    /// In place of the query.
    pub(super) query: Option<&'a str>,
}

impl Run<'_> {
    /// The request without secrets. `is_later_page`: whether it is for another page than the first one of a list.
    pub(super) fn outline(&self, account: &impl Account, is_later_page: bool) -> Result<PageRequest, BuildError> {
        let roots = self.roots(account);
        let (path, in_path) = self.path(account, &roots, is_later_page)?;
        let query = self.query(account, &roots, &in_path)?;
        let body = match &self.method.body {
            _ if self.leaves_out_body(is_later_page) => None,
            // One with a secret is made when it is sent.
            MethodBody::Template(template) => match account.fill(template, &roots)?.into_plain() {
                Ok(body) => self.with_query(body, &query)?,
                Err(_) => None,
            },
            MethodBody::Callers => match &self.body {
                CallersBody::Value(value) => self.with_query(Some(value.clone()), &query)?,
                CallersBody::None | CallersBody::Text { .. } | CallersBody::Bytes { .. } => {
                    self.with_query(None, &query)?
                }
            },
            MethodBody::Nothing => self.with_query(None, &query)?,
        };
        Ok(PageRequest {
            method: Verb::from_bytes(self.method.verb.as_str().as_bytes()).unwrap_or_default(),
            path,
            query: parameters::pairs(&query, self.method.query_array_format),
            raw_query: self.raw.query.map(str::to_owned),
            headers: HeaderMap::new(),
            body,
            is_later_page,
        })
    }

    /// Whether the account's credential goes with the request as the definition says. If not, the answer says nothing of it: a caller
    /// may authorize its own method in another way, or replace a header or a parameter with a secret by another value.
    pub(super) fn carries_credential(&self, account: &impl Account, outline: &PageRequest) -> bool {
        let has_secret = |header: &HeaderTemplate| header.value.placeholders().any(|it| account.names_secret(it));
        let replaces_header = |replaced: &HeaderTemplate| {
            let mut own = self.method.headers.iter().map(|header| &header.name).chain(&self.method.without_headers);
            own.any(|name| *name == replaced.name)
        };
        let is_authorized = match self.method.authorization {
            MethodAuthorization::Inherited => true,
            MethodAuthorization::Own(_) => !self.is_callers,
            MethodAuthorization::None => false,
        };
        let callers = self.callers_parameters(outline);
        let is_given = |name: &&str| callers.iter().any(|given| is_at_or_below(given, name));
        let definition = account.definition();
        let is_replaced = self.is_callers
            && definition.headers().iter().filter(|it| has_secret(it)).any(replaces_header)
            || definition.query().names_with(|it| account.names_secret(it)).any(|name| is_given(&name))
            || self.secret_parameters(account).iter().any(is_given);
        is_authorized && !is_replaced
    }

    /// Whether the caller asks for another method than the request's.
    pub(super) fn overrides_method(&self, outline: &PageRequest) -> bool {
        let own = self.method.headers.iter().filter(|_| self.is_callers).map(|header| header.name.as_str());
        let sent = self.headers.keys().chain(self.over.keys());
        own.chain(sent.map(HeaderName::as_str)).any(is_overriding_header)
            || self.callers_parameters(outline).iter().any(|name| is_overriding_parameter(name))
    }

    /// The names of the parameters that are of the caller.
    fn callers_parameters<'o>(&'o self, outline: &'o PageRequest) -> Vec<Cow<'o, str>> {
        let of_pairs = |pairs: &'o [(String, String)]| pairs.iter().map(|(name, _)| Cow::Borrowed(name.as_str()));
        match self.raw.query {
            Some(raw) => form_urlencoded::parse(raw.as_bytes()).map(|(name, _)| name).collect(),
            None if self.is_callers => of_pairs(&outline.query).collect(),
            None => self.query.keys().map(|name| Cow::Borrowed(name.as_str())).collect(),
        }
    }

    /// The names of the method's own parameters that have a secret.
    pub(super) fn secret_parameters(&self, account: &impl Account) -> Vec<&str> {
        let template = self.method.query.as_ref();
        template.map(|it| it.members_with(|it| account.names_secret(it))).unwrap_or_default()
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
        for (name, value) in &self.over {
            if !is_credential(account, &headers, name) {
                headers.insert(name, value.clone());
            }
        }
        let accepted = match self.method.api_response_format {
            ApiResponseFormat::ByContentType => "application/json",
            ApiResponseFormat::Xml => "application/xml",
            ApiResponseFormat::Text => "text/plain",
        };
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static(accepted));
        headers.entry(ACCEPT_ENCODING).or_insert_with(|| self.accepted_coding.clone());
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
    fn path(
        &self,
        account: &impl Account,
        roots: &[(&str, Root<'_>)],
        is_later_page: bool,
    ) -> Result<(String, String), BuildError> {
        if let Some(path) = self.raw.path {
            return Ok((path.to_owned(), String::new()));
        }
        let later = self.method.pagination_path.as_ref().filter(|_| is_later_page);
        let path = account.fill_path(later.unwrap_or(&self.method.path), roots)?;
        Ok((path.path().to_owned(), path.query().unwrap_or_default().to_owned()))
    }

    /// The query without secrets: the path's, the method's over it, and the caller's over both.
    fn query(
        &self,
        account: &impl Account,
        roots: &[(&str, Root<'_>)],
        in_path: &str,
    ) -> Result<Map<String, Value>, BuildError> {
        let mut query = Map::new();
        for (name, value) in form_urlencoded::parse(in_path.as_bytes()) {
            query.insert(name.into_owned(), value.into_owned().into());
        }
        parameters::merge(&mut query, self.own_query(account, roots)?.unwrap_or_default());
        if self.raw.query.is_none() {
            parameters::merge(&mut query, self.query.clone());
        }
        Ok(query)
    }

    fn with_query(&self, body: Option<Value>, query: &Map<String, Value>) -> Result<Option<Value>, BodyError> {
        if self.method.add_query_to_body { with_query(body, query) } else { Ok(body) }
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

    const fn leaves_out_body(&self, is_later_page: bool) -> bool {
        is_later_page && self.method.ignore_body_in_pagination
    }

    fn encoded(
        &self,
        account: &impl Account,
        outline: &PageRequest,
        roots: &[(&str, Root<'_>)],
    ) -> Result<Encoded, BuildError> {
        let secret = match &self.method.body {
            _ if self.leaves_out_body(outline.is_later_page) => None,
            MethodBody::Template(template) => match secret_value(account, template, roots)? {
                Some(own) => {
                    let (_, in_path) = self.path(account, roots, outline.is_later_page)?;
                    self.with_query(Some(own), &self.query(account, roots, &in_path)?)?
                }
                None => None,
            },
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
            MethodBody::Callers | MethodBody::Nothing => None,
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
        let raw = outline.raw_query.as_deref().unwrap_or_default();
        let in_raw = form_urlencoded::parse(raw.as_bytes()).map(|(name, _)| name);
        let given: Vec<_> = outline.query.iter().map(|(name, _)| Cow::from(name)).chain(in_raw).collect();
        secret.retain(|(name, _)| !given.iter().any(|given| is_at_or_below(given, name)));
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(secret.iter().map(|(name, value)| (name, value.expose())));
        query.extend_pairs(&outline.query);
        let mut query = query.finish();
        if !query.is_empty() && !raw.is_empty() {
            query.push('&');
        }
        query.push_str(raw);
        Ok(target(base, &outline.path, Some(query.as_str()).filter(|query| !query.is_empty()), &[])?)
    }
}

/// Whether a header carries a credential of the account.
fn is_credential(account: &impl Account, headers: &HeaderMap, name: &HeaderName) -> bool {
    let has_secret = |value: &HeaderValue| {
        let text = String::from_utf8_lossy(value.as_bytes());
        account.secrets().any(|secret| !secret.expose().is_empty() && text.contains(secret.expose()))
    };
    let definition = account.definition();
    let is_of_definition = |header: &HeaderTemplate| {
        header.name.as_str() == name.as_str() && header.value.placeholders().any(|it| account.names_secret(it))
    };
    *name == AUTHORIZATION
        || headers.get_all(name).iter().any(has_secret)
        || definition.headers().iter().any(is_of_definition)
}

/// Whether a parameter is this one, or a part of it, as `a[b]` is of `a`.
fn is_at_or_below(name: &str, root: &str) -> bool {
    name.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
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
pub(super) fn of_custom_call(sent: &HeaderMap, method: &Method) -> HeaderMap {
    let has_agent = sent.contains_key(USER_AGENT);
    let mut headers = crate::headers::of_request(sent, &HeaderMap::new());
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
