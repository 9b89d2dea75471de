//! Running a method.

use std::{
    borrow::Cow,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use relink_domain::{
    AccountId,
    caller::Caller,
    integration::{
        Definition,
        resources::{ApiResponseFormat, BodyEncoding, Method, MethodBody, Verb},
    },
};
use serde_json::{Value, json};
use url::Url;

use super::{
    MAX_ANSWER, MAX_BODY, MethodCall, MethodError, MethodTarget,
    answer::{List, Read, is_json, json_response},
    encode::{BodyError, CallersBody},
    judgment::Judgment,
    request::{Run, of_custom_call},
    sending::Sending,
};
use crate::{
    account::{Account, Accounts},
    body::{Body, IncompleteBody, RequestBody, full, read_whole},
    coding,
    expressions::Expressions,
    headers, links,
    pages::{Asked, FetchError, Fetched, PageRequest, PageSource, Pages},
    pass_through::{CallError, Calls},
    remote_error::{ExpressedError, RemoteError},
};

type Result<T, E> = std::result::Result<T, MethodError<E>>;

impl<A: Accounts> Calls<A> {
    /// Calls a method, and gives the answer that the caller gets: a list in its envelope, other data by itself, an error of the
    /// provider in Truto's form. What needs not be read is streamed.
    pub async fn run_method(
        &self,
        caller: &Caller,
        id: AccountId,
        call: MethodCall<'_>,
        expressions: &impl Expressions,
    ) -> Result<Response<Body>, A::Error> {
        let MethodCall { target, parameters, headers, body, prefix } = call;
        let account = self.accounts.prepared(caller, id).await.map_err(CallError::Account)?;
        let definition = account.definition();
        let is_refused = |method: &Method| account.is_sandbox() && is_write(target, method);
        // What can be refused is, before anything of the body is read.
        let named = match target {
            MethodTarget::Named { resource, method, .. } => Some(named(definition, resource, method)?),
            MethodTarget::Custom { .. } => None,
        };
        if named.is_some_and(is_refused) {
            return Err(MethodError::ReadOnly);
        }
        let is_streamed = parameters.body_passthrough && named.is_none_or(|method| method.pagination.is_none());
        let (mut callers, streamed) = if is_streamed {
            let content_type = headers.get(CONTENT_TYPE).cloned();
            let body = RequestBody::new(body, &headers, account.is_renewable()).await.map_err(CallError::Body)?;
            (CallersBody::None, Some((body, content_type)))
        } else {
            (read_body(named, &headers, body).await?, None)
        };
        let (method, has_own_path) = match target {
            MethodTarget::Custom { verb, .. } => custom(definition, verb, &mut callers)?,
            MethodTarget::Named { resource, method, .. } => {
                (Cow::Borrowed(self::named(definition, resource, method)?), true)
            }
        };
        if is_refused(&method) {
            return Err(MethodError::ReadOnly);
        }
        let asked = match &method.pagination {
            Some(_) => {
                let [limit, next, prev] =
                    [&parameters.limit, &parameters.next_cursor, &parameters.prev_cursor].map(Option::as_deref);
                Asked::read(limit, next, prev)?
            }
            None => Asked::default(),
        };
        let mut query = parameters.forwarded;
        if let MethodTarget::Named { method: "get" | "update" | "delete", .. } = target {
            query.shift_remove("id");
        }
        let run = Run {
            method: &method,
            raw_path: match target {
                MethodTarget::Custom { path, .. } if !has_own_path => Some(path),
                _ => None,
            },
            id: match target {
                MethodTarget::Named { id, .. } => id,
                MethodTarget::Custom { .. } => None,
            },
            query,
            body: callers,
            is_later_page: asked.is_later_page(),
            headers: match target {
                MethodTarget::Custom { .. } => of_custom_call(headers, &method),
                MethodTarget::Named { .. } => HeaderMap::new(),
            },
        };
        let (outline, base) = run.outline(&account)?;
        self.keep_quiet(id, &base).map_err(CallError::Quiet)?;
        let source = Source {
            calls: self,
            caller,
            id,
            account: Mutex::new(account.clone()),
            run: &run,
            base: &base,
            prefix,
            expressions,
        };
        match &method.pagination {
            Some(pagination) => {
                let pages = Pages { pagination, base: &base, added: account.query() };
                let source = PagesOf { source: &source, pages };
                list(&pages, &outline, asked, &source, expressions).await
            }
            None => source.answer(&outline, streamed, target).await,
        }
    }
}

fn named<'d, E>(definition: &'d Definition, resource: &str, method: &str) -> Result<&'d Method, E> {
    let resources = definition.resources();
    let names = |names: &mut dyn Iterator<Item = &str>| names.map(str::to_owned).collect();
    let Some(found) = resources.get(resource) else {
        let known = names(&mut resources.iter().map(|(name, _)| name));
        return Err(MethodError::NoResource { resource: resource.to_owned(), known });
    };
    found.get(method).ok_or_else(|| MethodError::NoMethod {
        resource: resource.to_owned(),
        method: method.to_owned(),
        known: names(&mut found.iter().map(|(name, _)| name)),
    })
}

/// The method of a call with a path of its own, and whether its `methodConfig` has another path.
fn custom<'d, E>(definition: &Definition, verb: Verb, body: &mut CallersBody) -> Result<(Cow<'d, Method>, bool), E> {
    let config = body.take("methodConfig");
    let mut config = match config {
        Some(Value::Object(config)) => config,
        Some(other) => return Ok(definition.method_of_call(&other).map(|method| (Cow::Owned(method), true))?),
        None => return Ok((Cow::Owned(definition.method_at_path(verb)), false)),
    };
    let has_path = config.contains_key("path");
    config.entry("path").or_insert_with(|| "/".into());
    config.entry("method").or_insert_with(|| verb.as_str().into());
    Ok((Cow::Owned(definition.method_of_call(&Value::Object(config))?), has_path))
}

/// By its name, if that is one of the standard's; a list or a search may well be a POST.
fn is_write(target: MethodTarget<'_>, method: &Method) -> bool {
    match target {
        MethodTarget::Named { method: "list" | "get", .. } => false,
        MethodTarget::Named { method: "create" | "update" | "delete", .. } => true,
        MethodTarget::Named { .. } | MethodTarget::Custom { .. } => !method.verb.is_safe(),
    }
}

fn is_multipart(content_type: Option<&HeaderValue>) -> bool {
    content_type.and_then(|value| value.to_str().ok()).is_some_and(|kind| kind.starts_with("multipart/form-data"))
}

/// Reads the caller's body. `named`: the method that gets it, if that is known. Multipart for a method that sends it goes as it is.
async fn read_body<E>(named: Option<&Method>, headers: &HeaderMap, body: Body) -> Result<CallersBody, E> {
    let bytes = read_whole(body, MAX_BODY).await.map_err(|error| match error {
        IncompleteBody::TooLong => BodyError::TooLong.into(),
        IncompleteBody::Broken(error) => MethodError::from(CallError::Body(error)),
    })?;
    let content_type = headers.get(CONTENT_TYPE);
    let sends_multipart =
        |method: &Method| method.body == MethodBody::Callers && method.body_encoding == BodyEncoding::Multipart;
    if named.is_some_and(sends_multipart) && is_multipart(content_type) {
        return Ok(CallersBody::Bytes { bytes, content_type: content_type.cloned() });
    }
    Ok(CallersBody::read(headers, bytes)?)
}

/// An answer that isn't read yet.
struct Sent {
    parts: http::response::Parts,
    body: Body,
    error: Option<ExpressedError>,
}

/// A method that runs.
struct Source<'r, A: Accounts, X> {
    calls: &'r Calls<A>,
    caller: &'r Caller,
    id: AccountId,
    /// As it is since its last renewal.
    account: Mutex<A::Account>,
    run: &'r Run<'r>,
    base: &'r Url,
    prefix: &'r str,
    expressions: &'r X,
}

impl<'r, A: Accounts, X: Expressions> Source<'r, A, X> {
    /// Sends the request. The answer's headers are those that the caller gets, and an answer that refuses the call for its rate has
    /// status 429.
    async fn send(
        &self,
        outline: &PageRequest,
        streamed: Option<(RequestBody, Option<HeaderValue>)>,
    ) -> Result<Sent, A::Error> {
        let now = self.calls.accounts.now();
        let mut sending = Sending::new(self.run, (outline, self.base), streamed, self.expressions, now);
        let account = self.account.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let exchanged = self.calls.exchange::<_, MethodError<A::Error>>(self.caller, account, &mut sending).await;
        let (account, answer) = exchanged?;
        let (mut parts, body) = answer.into_response();
        let Judgment { limits, error } = sending.judgment?;
        limits.add_to(&mut parts.headers);
        if limits.is_limited {
            parts.status = StatusCode::TOO_MANY_REQUESTS;
        }
        self.calls.quiet().heed(self.id, self.base, &limits, now);
        headers::keep_of_response(&mut parts.headers);
        // Where a list goes on is read in the provider's own links.
        if self.run.method.pagination.is_none() {
            links::rewrite(&mut parts.headers, &sending.called, account.base_url(), account.query(), self.prefix);
        }
        parts.version = http::Version::HTTP_11;
        parts.extensions.clear();
        *self.account.lock().unwrap_or_else(PoisonError::into_inner) = account;
        Ok(Sent { parts, body, error })
    }

    /// The answer to a method without pages.
    async fn answer(
        &self,
        outline: &PageRequest,
        streamed: Option<(RequestBody, Option<HeaderValue>)>,
        target: MethodTarget<'_>,
    ) -> Result<Response<Body>, A::Error> {
        let Sent { parts, body, error } = self.send(outline, streamed).await?;
        let method = self.run.method;
        let is_empty = parts.status == StatusCode::NO_CONTENT
            || parts.headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() == b"0");
        if let (MethodTarget::Named { method: "delete", id: Some(id), .. }, true, true) =
            (target, is_empty, parts.status.is_success())
        {
            return Ok(json_response(StatusCode::OK, parts.headers, json!({ "id": id }).to_string().into()));
        }
        let is_enveloped = match target {
            MethodTarget::Named { method, .. } => method == "list",
            MethodTarget::Custom { verb, .. } => verb != Verb::Head && is_json(&parts.headers),
        };
        let is_read = is_enveloped
            || method.response_path.is_some()
            || method.error_expression.is_some()
            || method.throw_error_on_parse_error
            || method.api_response_format != ApiResponseFormat::ByContentType;
        if parts.status.as_u16() < 400 && (!is_read || is_empty && !is_enveloped) {
            return Ok(Response::from_parts(parts, body));
        }
        let read = self.read(Sent { parts, body, error }).await?;
        Ok(match target {
            MethodTarget::Named { .. } if is_enveloped => {
                let list = List { records: read.records(), next_cursor: None, prev_cursor: None, is_partial: false };
                list.into_response(read.headers.clone())
            }
            MethodTarget::Custom { .. } if is_enveloped => read.into_result(),
            MethodTarget::Named { .. } | MethodTarget::Custom { .. } => read.into_bare(),
        })
    }

    /// Reads an answer whole. One that is an error becomes the caller's.
    async fn read(&self, Sent { parts, body, error: expressed }: Sent) -> Result<Read<'r>, A::Error> {
        let bytes = read_whole(body, MAX_ANSWER).await.map_err(|error| match error {
            IncompleteBody::TooLong => MethodError::AnswerTooLong,
            IncompleteBody::Broken(_) => MethodError::AnswerEnded,
        })?;
        let bytes = match coding::decoded(&parts.headers, &bytes) {
            Some(Cow::Owned(decoded)) => decoded.into(),
            Some(Cow::Borrowed(_)) | None => bytes,
        };
        let (status, method) = (parts.status, self.run.method);
        let read = Read::new(method, (status, parts.headers, bytes.clone()), self.expressions).await?;
        let error = match expressed {
            Some(expressed) => RemoteError::expressed(expressed, &bytes),
            None if status.is_client_error() || status.is_server_error() => RemoteError::new(status, &bytes),
            None => return Ok(read),
        };
        let account = self.account.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let error = error.with_scopes(&method.docs.scopes, account.scopes().iter().map(String::as_str));
        Err(MethodError::Remote(Box::new(read.into_error(&error))))
    }
}

/// The pages of a list.
struct PagesOf<'s, 'r, A: Accounts, X> {
    source: &'s Source<'r, A, X>,
    pages: Pages<'s>,
}

impl<'r, A: Accounts, X: Expressions> PageSource for PagesOf<'_, 'r, A, X> {
    type Page = Read<'r>;
    type Error = MethodError<A::Error>;

    async fn fetch(&self, request: PageRequest) -> std::result::Result<Read<'r>, MethodError<A::Error>> {
        let mut sent = self.source.send(&request, None).await?;
        if self.pages.is_behind_the_end(sent.parts.status) {
            sent.parts.status = StatusCode::OK;
            sent.body = full(Bytes::new());
            sent.error = None;
        }
        self.source.read(sent).await.map_err(|error| match error {
            MethodError::Remote(response) => {
                let mut response = *response;
                links::remove(response.headers_mut());
                MethodError::Remote(Box::new(response))
            }
            other => other,
        })
    }
}

async fn list<A: Accounts, X: Expressions>(
    pages: &Pages<'_>,
    outline: &PageRequest,
    asked: Asked,
    source: &PagesOf<'_, '_, A, X>,
    expressions: &X,
) -> Result<Response<Body>, A::Error> {
    let fetched = pages.fetch(outline, asked, source, expressions).await.map_err(|error| match error {
        FetchError::Page(error) => MethodError::Page(error),
        FetchError::Source(error) => error,
    })?;
    let Fetched { page, is_repetition, next_cursor, prev_cursor, is_partial } = fetched;
    let records = if is_repetition { &[] } else { page.records() };
    let mut headers = page.headers.clone();
    links::remove(&mut headers);
    Ok(List { records, next_cursor, prev_cursor, is_partial }.into_response(headers))
}
