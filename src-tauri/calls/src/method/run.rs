//! Running a method.

use std::{
    borrow::Cow,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header::CONTENT_TYPE};
use relink_domain::{
    AccountId,
    caller::Caller,
    integration::{
        Definition,
        resources::{BodyEncoding, Method, MethodBody},
    },
};

use serde_json::Value;

use super::{
    MAX_BODY, MethodCall, MethodError, MethodTarget,
    answer::{About, Read, essence, list_response},
    called::Called,
    custom::{Custom, may_be_json},
    encode::{BodyError, CallersBody},
    request::{BuildError, Raw, Run, of_custom_call},
    source::Source,
};
use crate::{
    account::{Account, Accounts, CursorKey},
    body::{Body, IncompleteBody, RequestBody, full, read_whole},
    coding,
    expressions::Expressions,
    headers::IDEMPOTENCY_KEY,
    json::Records,
    links,
    pages::{self, Asked, FetchError, Fetched, Page, PageAnswer, PageRequest, PageSource, Pages, Seal},
    pass_through::{Attempt, CallError, Calls},
    withheld::Withheld,
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
        self.attempt_method(caller, id, call, expressions).await.outcome
    }

    pub(crate) async fn attempt_method(
        &self,
        caller: &Caller,
        id: AccountId,
        call: MethodCall<'_>,
        expressions: &impl Expressions,
    ) -> Attempt<A::Account, MethodError<A::Error>> {
        let refused = Mutex::default();
        let outcome = self.run(caller, id, call, expressions, &refused).await;
        Attempt { outcome, refused: refused.into_inner().unwrap_or_else(PoisonError::into_inner) }
    }

    /// `refused` becomes the account if its credential was refused.
    async fn run(
        &self,
        caller: &Caller,
        id: AccountId,
        call: MethodCall<'_>,
        expressions: &impl Expressions,
        refused: &Mutex<Option<A::Account>>,
    ) -> Result<Response<Body>, A::Error> {
        let MethodCall { target, mut parameters, headers, body, prefix, called, only_reads, overrides } = call;
        let account = self.accounts.prepared(caller, id).await.map_err(CallError::Account)?;
        // What can be refused is, before anything of the body is read.
        let named = match target {
            MethodTarget::Named { resource, method, .. } => Some(named(account.definition(), resource, method)?),
            MethodTarget::Step { action, step } => Some(of_step(account.definition(), action, step)?),
            MethodTarget::Custom { .. } => None,
        };
        // What Relink does by itself, such as the steps after a sign-in, is no call of a program.
        let is_sandbox = account.is_sandbox() && *caller != Caller::Internal;
        let only_reads = only_reads || is_sandbox;
        let refusal = if is_sandbox { CallError::ReadOnly } else { CallError::Writes };
        if only_reads && named.is_some_and(|method| is_write(target, method)) {
            return Err(refusal.into());
        }
        let is_streamed = match named {
            Some(method) => parameters.body_passthrough && method.pagination.is_none(),
            None => parameters.body_passthrough || !may_be_json(&headers),
        };
        let (streamed, bytes) = if is_streamed {
            let content_type = headers.get(CONTENT_TYPE).cloned();
            let body = RequestBody::new(body, &headers, account.is_renewable()).await.map_err(CallError::Body)?;
            (Some((body, content_type)), Bytes::new())
        } else {
            (None, read_body(body).await?)
        };
        let mut query = std::mem::take(&mut parameters.forwarded);
        let (method, raw, body) = match target {
            MethodTarget::Named { resource, method: name, .. } => {
                let method = self::named(account.definition(), resource, name)?;
                if matches!(name, "get" | "update" | "delete") {
                    query.shift_remove("id");
                }
                let raw = Raw { path: overrides.path.as_deref(), query: None };
                (Cow::Borrowed(method), raw, callers_body(method, &headers, bytes)?)
            }
            MethodTarget::Step { action, step } => {
                let method = of_step(account.definition(), action, step)?;
                (Cow::Borrowed(method), Raw::default(), callers_body(method, &headers, bytes)?)
            }
            MethodTarget::Custom { verb, path } => {
                let (custom, body) = Custom::read(&account, (verb, path), &headers, bytes)?;
                let query = (!custom.has_config).then_some(parameters.as_sent.as_str());
                (Cow::Owned(custom.method), Raw { path: custom.path, query }, body)
            }
        };
        let sealed = method.pagination.as_ref().map(|it| (it, seal(self.accounts.cursor_key(), id, target)));
        let asked = sealed.as_ref().map_or_else(|| Ok(Asked::default()), |(_, seal)| parameters.asked(seal));
        let (name, record) = match target {
            MethodTarget::Named { resource, method, id } => (Some((resource, method)), id),
            MethodTarget::Step { .. } | MethodTarget::Custom { .. } => (None, None),
        };
        let is_callers = matches!(method, Cow::Owned(_));
        let run = Run {
            accepted_coding: coding::acceptable(&headers),
            method: &method,
            name,
            is_callers,
            raw,
            id: record,
            query,
            body,
            headers: passed_on(&headers, target, &method),
            over: crate::headers::headers_for_provider(overrides.headers.clone()),
        };
        let outline = run.outline(&account, asked.as_ref().is_ok_and(Asked::is_later_page))?;
        if let (MethodTarget::Custom { .. } | MethodTarget::Step { .. }, Some(called)) = (target, called) {
            called.get_or_init(|| Called::new(&outline));
        }
        let (asked, base) = (asked?, account.base_of(&method).map_err(BuildError::Base)?);
        if only_reads && (is_write(target, &method) || run.overrides_method(&outline)) {
            return Err(refusal.into());
        }
        self.keep_quiet(id, &base).map_err(CallError::Quiet)?;
        let source = Source {
            calls: self,
            caller,
            id,
            account: Mutex::new(account.clone()),
            refused,
            run: &run,
            carries_credential: run.carries_credential(&account, &outline),
            base: &base,
            prefix,
            expressions,
        };
        match &sealed {
            Some((pagination, seal)) => {
                let pages = Pages { pagination, base: &base, seal };
                let source = PagesOf { source: &source, pages: &pages, outline: &outline };
                Box::pin(list(&pages, asked, &source, expressions)).await
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

fn of_step<'d, E>(definition: &'d Definition, action: &str, step: usize) -> Result<&'d Method, E> {
    let found = definition.actions().request(action, step);
    found.ok_or_else(|| MethodError::NoStep { action: action.to_owned(), step })
}

/// Signs the cursors of a target's lists.
fn seal(key: CursorKey, account: AccountId, target: MethodTarget<'_>) -> Seal {
    let account = account.to_string();
    match target {
        MethodTarget::Named { resource, method, .. } => Seal::new(key, &[&account, "proxy", resource, method]),
        MethodTarget::Step { action, step } => Seal::new(key, &[&account, "action", action, &step.to_string()]),
        MethodTarget::Custom { verb, .. } => Seal::new(key, &[&account, "custom", verb.as_str()]),
    }
}

/// The provider's own cursor in a cursor of Relink's, if it is of this list.
pub fn provider_cursor(key: CursorKey, account: AccountId, target: MethodTarget<'_>, cursor: &str) -> Option<Value> {
    pages::provider_cursor(cursor, &seal(key, account, target))
}

fn is_write(target: MethodTarget<'_>, method: &Method) -> bool {
    match target {
        // Each page of a list is a request of its own.
        MethodTarget::Named { method: name, .. } => method.is_write(name) && method.pagination.is_none(),
        MethodTarget::Step { .. } | MethodTarget::Custom { .. } => !method.verb.is_safe(),
    }
}

/// The caller's headers that go on to the provider. With a method of the definition that is the key by which the provider knows a
/// repeated write, if it knows such keys.
fn passed_on(headers: &HeaderMap, target: MethodTarget<'_>, method: &Method) -> HeaderMap {
    if let MethodTarget::Custom { .. } = target {
        return of_custom_call(headers, method);
    }
    let key = headers.get(IDEMPOTENCY_KEY).filter(|_| is_write(target, method));
    key.map(|key| (IDEMPOTENCY_KEY, key.clone())).into_iter().collect()
}

async fn read_body<E>(body: Body) -> Result<Bytes, E> {
    read_whole(body, MAX_BODY).await.map_err(|error| match error {
        IncompleteBody::TooLong => BodyError::TooLong.into(),
        IncompleteBody::Broken(error) => CallError::Body(error).into(),
    })
}

/// The caller's body for a method of the definition. Multipart for one that sends it goes as it is.
fn callers_body(method: &Method, headers: &HeaderMap, bytes: Bytes) -> std::result::Result<CallersBody, BodyError> {
    let sends_multipart = method.body == MethodBody::Callers && method.body_encoding == BodyEncoding::Multipart;
    if sends_multipart && essence(headers) == "multipart/form-data" {
        return Ok(CallersBody::Bytes { bytes, content_type: headers.get(CONTENT_TYPE).cloned() });
    }
    CallersBody::read(headers, bytes)
}

/// The pages of a list.
struct PagesOf<'s, 'r, A: Accounts, X> {
    source: &'s Source<'r, A, X>,
    pages: &'s Pages<'s>,
    /// Of the page that the caller asks for.
    outline: &'s PageRequest,
}

/// A page, and what no cursor has of its links.
struct ReadPage {
    read: Read,
    records: Records,
    withheld: Withheld,
}

impl Page for ReadPage {
    fn answer(&self) -> PageAnswer<'_> {
        let Self { read: Read { status, headers, body, .. }, records, withheld } = self;
        PageAnswer { status: *status, headers, body, records, withheld }
    }
}

impl<A: Accounts, X: Expressions> PageSource for PagesOf<'_, '_, A, X> {
    type Page = ReadPage;
    type Error = MethodError<A::Error>;

    fn outline(&self, is_later_page: bool) -> Result<PageRequest, A::Error> {
        if is_later_page == self.outline.is_later_page {
            return Ok(self.outline.clone());
        }
        Ok(self.source.run.outline(&self.source.account(), is_later_page)?)
    }

    async fn fetch(&self, request: &PageRequest) -> Result<ReadPage, A::Error> {
        let mut sent = self.source.send(request, None).await?;
        if sent.parts.status.is_redirection() {
            return Err(MethodError::Remote(Box::new(Response::from_parts(sent.parts, sent.body))));
        }
        if self.pages.is_behind_the_end(sent.parts.status) {
            sent.parts.status = StatusCode::OK;
            sent.body = full(Bytes::new());
            sent.error = None;
        }
        let read = self.source.read(sent).await.map_err(|error| match error {
            MethodError::Remote(response) => {
                let mut response = *response;
                links::remove(response.headers_mut());
                MethodError::Remote(Box::new(response))
            }
            other => other,
        })?;
        Ok(ReadPage { records: Records::of(&read.data), read, withheld: self.source.withheld() })
    }
}

async fn list<A: Accounts, X: Expressions>(
    pages: &Pages<'_>,
    asked: Asked,
    source: &PagesOf<'_, '_, A, X>,
    expressions: &X,
) -> Result<Response<Body>, A::Error> {
    let fetched = pages.fetch(asked, source, expressions).await.map_err(|error| match error {
        FetchError::Page(error) => MethodError::Page(error),
        FetchError::Source(error) => error,
    })?;
    let Fetched { page: ReadPage { read, records, .. }, is_repetition, next_cursor, prev_cursor, is_partial } = fetched;
    let records = if is_repetition { Records::NONE } else { records };
    let mut headers = read.headers;
    links::remove(&mut headers);
    Ok(list_response(records, About { next_cursor, prev_cursor, is_partial, ..About::default() }, headers))
}
