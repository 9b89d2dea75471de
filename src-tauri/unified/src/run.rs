//! Running a unified call, in the order of contract section 8.2.

use std::fmt::Write as _;

use http::HeaderMap;
use relink_calls::{Expressions, Parameters};
use relink_domain::{
    merge::merge,
    unified::{Choice, Field, Mapping, UnifiedMethod, typed},
};
use serde_json::{Map, Value};

use crate::{
    answer::{ResponseFormat, UnifiedAnswer},
    evaluation::Evaluator,
    failure::{Failure, RemoteFailure, conditional},
    proxy::{Paging, Proxied, Proxy, ProxyBody, ProxyCall, ProxyData, ProxyTarget},
    scope::Scope,
};

/// So many pages are asked for until there is a record in one, as at the proxy API (contract section 0.3).
const MAX_PAGES: usize = 10;

pub(crate) type Result<T, P> = std::result::Result<T, Failure<<P as Proxy>::Error>>;

/// Runs the unified calls of one account.
#[derive(Debug)]
pub struct Unified<'a, P, X> {
    pub proxy: &'a P,
    pub expressions: &'a X,
}

/// A call of a unified method.
#[derive(Debug, Clone)]
pub struct UnifiedCall<'a> {
    pub of: UnifiedMethod<'a>,
    /// The name of the account's integration.
    pub integration: &'a str,
    pub mapping: &'a Mapping,
    pub id: Option<&'a str>,
    /// The caller's, without what is Relink's of it.
    pub query: Map<String, Value>,
    pub paging: Paging,
    /// `None`: none, or none that is a value.
    pub body: Option<Value>,
    /// Whether the body goes as it was sent. What is known of it, such as the fields of a form with files, is seen all the same.
    pub passes_body: bool,
    /// The caller's headers, as far as they are for the provider.
    pub headers: Map<String, Value>,
    /// The account's.
    pub context: &'a Map<String, Value>,
    pub options: Options,
}

/// What the caller wants of the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    pub format: ResponseFormat,
    pub ignores_remote_data: bool,
    pub excluded: Vec<Field>,
    pub key_by: Option<String>,
}

/// A call under way.
pub(crate) struct Run<'r, 'a, P, X> {
    pub(crate) proxy: &'a P,
    pub(crate) call: &'r UnifiedCall<'a>,
    pub(crate) evaluator: Evaluator<'r, X>,
    pub(crate) scope: Scope,
    /// How many pages without records came before.
    pub(crate) skipped: usize,
}

impl<P: Proxy, X: Expressions> Unified<'_, P, X> {
    /// Makes a call. A page of a list in which the mapping leaves no record is skipped: there may be records behind it, and a client of
    /// Truto ends at it.
    pub async fn run(&self, mut call: UnifiedCall<'_>) -> Result<UnifiedAnswer<P::File>, P> {
        let UnifiedMethod { model, resource, method } = call.of;
        let name = format!("{model}/{resource} {method} of {}", call.integration);
        let goes_back = call.paging.prev_cursor.as_ref().is_some_and(|cursor| !cursor.is_empty());
        let mut skipped = 0;
        loop {
            let evaluator = Evaluator { expressions: self.expressions, mapping: &name };
            let run = Run { proxy: self.proxy, call: &call, evaluator, scope: Scope::default(), skipped };
            let mut answer = run.whole().await?;
            let UnifiedAnswer::Data(data) = &mut answer else { return Ok(answer) };
            let Some(onward) = data.behind_empty(goes_back) else { return Ok(answer) };
            skipped += 1;
            if skipped == MAX_PAGES {
                data.set_partial();
                return Ok(answer);
            }
            let [next_cursor, prev_cursor] = if goes_back { [None, Some(onward)] } else { [Some(onward), None] };
            call.paging = Paging { next_cursor, prev_cursor, ..call.paging };
        }
    }
}

impl<P: Proxy, X: Expressions> Run<'_, '_, P, X> {
    async fn whole(mut self) -> Result<UnifiedAnswer<P::File>, P> {
        let mapping = self.call.mapping;
        let mut sent = mapping.query.clone();
        merge(&mut sent, &self.call.query);
        let body = with_default(mapping.body.as_ref(), self.call.body.as_ref());
        self.see(&sent, body.as_ref());
        self.require_what_schemas_do(&sent, body.as_ref())?;
        self.steps("before", &mapping.before).await?;
        let resource = self.choose("resource", &mapping.resource, self.call.of.resource).await?;
        let method = self.choose("method", &mapping.method, self.call.of.method).await?;
        let mut paging = self.paging(&resource, &method);
        let mut query = self.query(sent, &mut paging).await?;
        let body = self.body(body).await?;
        let path = self.path(&mut query).await?;
        let headers = match &mapping.request_header_mapping {
            Some(mapping) => self.header_map("request_header_mapping", mapping).await?,
            None => HeaderMap::new(),
        };
        let target = ProxyTarget::Named { resource: &resource, method: &method, id: self.call.id };
        let again = (self.skipped > 0).then(|| self.named(String::new()));
        let call = ProxyCall { target, query, paging, body, path, headers, step: again.as_deref() };
        match self.proxy.call(call).await {
            Ok(Proxied::Data(answer)) => {
                let ProxyData { data, page, headers } = *answer;
                Ok(UnifiedAnswer::Data(Box::new(self.respond(data, page, headers).await?)))
            }
            Ok(Proxied::File(file)) => Ok(UnifiedAnswer::File(file)),
            Err(error) => Err(self.failed(error.into()).await),
        }
    }

    /// Makes the caller's values visible to expressions.
    fn see(&mut self, sent: &Map<String, Value>, body: Option<&Value>) {
        let call = self.call;
        let mut raw = call.query.clone();
        let Paging { limit, next_cursor, prev_cursor } = &call.paging;
        for (name, value) in [("limit", limit), ("next_cursor", next_cursor), ("prev_cursor", prev_cursor)] {
            raw.extend(value.as_ref().map(|value| (name.to_owned(), value.as_str().into())));
        }
        let mut query = typed(sent.clone(), call.mapping.query_schema.as_ref());
        let limit =
            limit.as_ref().map(|limit| limit.parse::<u64>().map_or_else(|_| limit.as_str().into(), Value::from));
        query.extend(limit.map(|limit| ("limit".to_owned(), limit)));
        self.scope.set("query", query.into());
        self.scope.set("rawQuery", raw.into());
        self.scope.set("context", call.context.clone().into());
        self.scope.set("headers", call.headers.clone().into());
        if let Some(id) = call.id {
            self.scope.set("id", id.into());
        }
        if let Some(raw) = &call.body {
            self.scope.set("rawBody", raw.clone());
        }
        if let Some(body) = body {
            self.scope.set("body", body.clone());
        }
    }

    fn require_what_schemas_do(&self, query: &Map<String, Value>, body: Option<&Value>) -> Result<(), P> {
        let Mapping { required_query, required_body, .. } = self.call.mapping;
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<Vec<_>>();
        // An id may be in the path, and what the page is of is Relink's.
        let is_elsewhere = |name: &str| match name {
            "id" => self.call.id.is_some(),
            "limit" => self.call.paging.limit.is_some(),
            "next_cursor" => self.call.paging.next_cursor.is_some(),
            _ => false,
        };
        let mut query = required_query.missing_in(Some(query));
        query.retain(|name| !is_elsewhere(name));
        // Defaults don't go with a body that goes as it was sent, and what isn't known of it can't be missed.
        let body = if self.call.passes_body { self.call.body.as_ref() } else { body };
        let body = if self.call.passes_body && body.is_none() {
            Vec::new()
        } else {
            required_body.missing_in(body.and_then(Value::as_object))
        };
        if query.is_empty() && body.is_empty() {
            return Ok(());
        }
        let conditional = conditional(required_query, required_body);
        Err(Failure::Missing { query: owned(query), body: owned(body), conditional })
    }

    /// The name of the proxy resource, or of its method.
    async fn choose(&self, key: &'static str, choice: &Choice, unified: &str) -> Result<String, P> {
        Ok(match choice {
            Choice::Same => unified.to_owned(),
            Choice::Named(name) => name.clone(),
            Choice::Computed { expression, allowed } => {
                let found = self.evaluator.text(key, expression, self.scope.input()).await?;
                let name = found.as_ref().and_then(Value::as_str).unwrap_or_default();
                if !allowed.iter().any(|it| it == name) {
                    let given = found.map_or_else(|| "nothing".to_owned(), |found| found.to_string());
                    let problem = format!("the expression gave {given}. It must give one of {}.", allowed.join(", "));
                    return Err(self.evaluator.fail(key, None, problem).into());
                }
                name.to_owned()
            }
        })
    }

    /// Which page the proxy is asked for, and `query.cursor`: the provider's own cursor. One that a mapping gave is the mapping's to use.
    fn paging(&mut self, resource: &str, method: &str) -> Paging {
        let mut paging = self.call.paging.clone();
        for cursor in [&mut paging.next_cursor, &mut paging.prev_cursor] {
            let Some(text) = cursor.as_deref().filter(|text| !text.is_empty()) else { continue };
            let given = self.proxy.unseal(self.call.of, text);
            let own = given.or_else(|| self.proxy.cursor_of(resource, method, text));
            let is_mappings = self.proxy.unseal(self.call.of, text).is_some();
            if let Some(value) = own {
                self.scope.add("query", "cursor".to_owned(), value);
            }
            if is_mappings {
                *cursor = None;
            }
        }
        paging
    }

    /// The proxy query. A `limit` that the mapping gives is the page's.
    async fn query(&self, sent: Map<String, Value>, paging: &mut Paging) -> Result<Map<String, Value>, P> {
        let Some(mapping) = &self.call.mapping.query_mapping else { return Ok(sent) };
        let mut query = self.evaluator.object("query_mapping", mapping, self.scope.input()).await?;
        match query.shift_remove("limit") {
            None | Some(Value::Null) => {}
            Some(limit) => paging.limit = Some(limit.as_str().map_or_else(|| limit.to_string(), str::to_owned)),
        }
        Ok(query)
    }

    async fn body(&mut self, body: Option<Value>) -> Result<ProxyBody, P> {
        let call = self.call;
        if call.passes_body {
            return Ok(ProxyBody::AsSent);
        }
        let body = match &call.mapping.request_body_mapping {
            Some(mapping) => self.evaluator.value("request_body_mapping", mapping, self.scope.input()).await?,
            None => body,
        };
        let Some(body) = body else { return Ok(ProxyBody::None) };
        self.scope.set("requestBody", body.clone());
        Ok(ProxyBody::Value(body))
    }

    /// The path. A query in it goes under the other one.
    async fn path(&self, query: &mut Map<String, Value>) -> Result<Option<String>, P> {
        let Some(mapping) = &self.call.mapping.path_mapping else { return Ok(None) };
        match self.evaluator.value("path_mapping", mapping, self.scope.input()).await? {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(path)) => {
                let (path, in_path) = path.split_once('?').unwrap_or((&path, ""));
                for (name, value) in Parameters::read(in_path).forwarded {
                    query.entry(name).or_insert(value);
                }
                Ok(Some(encoded(path)))
            }
            Some(other) => {
                let problem = format!("it must give the path, such as '/v1/contacts', but gave {other}.");
                Err(self.evaluator.fail("path_mapping", None, problem).into())
            }
        }
    }

    /// The error that the caller gets. A mapping that fails itself hides nothing of it.
    async fn failed(&mut self, failure: Failure<P::Error>) -> Failure<P::Error> {
        let Failure::Remote(remote) = failure else { return failure };
        let mapping = self.call.mapping;
        let remote = remote.with_insight(conditional(&mapping.required_query, &mapping.required_body));
        let Some(expression) = &mapping.error_mapping else { return Failure::Remote(remote) };
        let error = remote.body.get("raw_response").cloned().unwrap_or_default();
        let headers = relink_calls::headers_for_expressions(&remote.headers);
        let input = self.scope.with([("error", error), ("status", remote.status.into()), ("headers", headers.into())]);
        match self.evaluator.value("error_mapping", expression, input).await {
            Ok(Some(mapped)) => Failure::Remote(remote.mapped(mapped)),
            Ok(None) => Failure::Remote(remote),
            Err(failed) => {
                tracing::warn!("{failed}");
                Failure::Remote(with_failed_mapping(remote, &failed.to_string()))
            }
        }
    }
}

/// A path as a URL has it: what can't stand in one is percent-encoded (RFC 3986 §3.3).
fn encoded(path: &str) -> String {
    let is_of_path = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte);
    path.bytes().fold(String::new(), |mut text, byte| {
        if is_of_path(byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a `String` can't fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

fn with_failed_mapping(mut remote: RemoteFailure, problem: &str) -> RemoteFailure {
    if let Some(insight) = remote.body.get_mut("truto_error_insight").and_then(Value::as_object_mut) {
        insight.insert("error_mapping_failed".to_owned(), serde_json::json!({ "description": problem }));
    }
    remote
}

/// The caller's body over the mapping's.
fn with_default(default: Option<&Value>, sent: Option<&Value>) -> Option<Value> {
    match (default, sent) {
        (Some(Value::Object(default)), Some(Value::Object(sent))) => {
            let mut body = default.clone();
            merge(&mut body, sent);
            Some(body.into())
        }
        (default, sent) => sent.or(default).cloned(),
    }
}
