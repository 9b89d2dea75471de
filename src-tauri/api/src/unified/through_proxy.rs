//! The calls of a unified one, as the proxy API makes them.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use relink_calls::{
    Accounts as _, CallError, IDEMPOTENCY_KEY, MethodCall, MethodError, MethodTarget, Overrides, Parameters, Seal,
    provider_cursor, sealed, unsealed,
};
use relink_domain::{
    AccountId,
    call::CallRoute,
    caller::Caller,
    integration::resources::Verb,
    unified::{Mapping, UnifiedMethod},
};
use relink_engine::Error;
use relink_unified::{
    Failure, Options, Page, Paging, Proxied, Proxy, ProxyBody, ProxyCall, ProxyData, ProxyError, ProxyTarget,
    UnifiedAnswer,
};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::call::{self, Asked, body_of_failure};
use crate::{
    ApiState,
    calls::EngineAccounts,
    error::ApiError,
    idempotency::step_key,
    method_calls::{explain, has_pages},
    recording::{Begun, attempted},
    waiting::waited,
    whole_answer,
    withdrawn::until_withdrawn,
};

/// Unified calls that steps of unified calls make, one within the other.
const MAX_DEPTH: usize = 5;

/// An answer as it arrives.
type Arrived = Response<relink_calls::Body>;
type Result<T> = std::result::Result<T, ProxyError<ApiError>>;

/// What a call runs with.
pub(super) struct Mapped {
    pub(super) mapping: Arc<Mapping>,
    pub(super) integration: String,
    /// The account's, without secrets.
    pub(super) context: Map<String, Value>,
}

/// Calls with an account.
pub(super) struct ThroughProxy<'a> {
    pub(super) api: &'a ApiState,
    pub(super) caller: &'a Caller,
    account: AccountId,
    /// Until then the call may wait for the account's person.
    waits_until: Option<Instant>,
    /// The caller's body, to be sent once, with its type.
    body: Mutex<Option<Body>>,
    content_type: Option<HeaderValue>,
    /// By which the provider knows the call when it is repeated. Its steps have keys of their own, which follow from it.
    key: Option<HeaderValue>,
    depth: usize,
    only_reads: bool,
}

impl<'a> ThroughProxy<'a> {
    pub(super) fn new(api: &'a ApiState, caller: &'a Caller, account: AccountId, waits_until: Option<Instant>) -> Self {
        Self {
            api,
            caller,
            account,
            waits_until,
            body: Mutex::default(),
            content_type: None,
            key: None,
            depth: 0,
            only_reads: caller.is_read_only(),
        }
    }

    pub(super) fn with_body(self, body: Option<Body>, content_type: Option<HeaderValue>) -> Self {
        Self { body: Mutex::new(body), content_type, ..self }
    }

    pub(super) fn with_key(self, key: Option<HeaderValue>) -> Self {
        Self { key, ..self }
    }

    /// Refuses what would write.
    pub(super) fn only_reading(self, only_reads: bool) -> Self {
        Self { only_reads: self.only_reads || only_reads, ..self }
    }

    /// The mapping of a method that is in force for the account.
    pub(super) async fn mapped(&self, of: UnifiedMethod<'_>) -> std::result::Result<Mapped, ApiError> {
        let (engine, caller) = (&self.api.engine, self.caller);
        let models = engine.unified_models();
        match engine.refresher().prepared(caller, self.account).await {
            Ok(prepared) => Ok(Mapped {
                mapping: models.mapping(caller, &prepared, of)?,
                integration: prepared.integration_name().to_owned(),
                context: prepared.context().clone(),
            }),
            // The calls below wait for the account's person.
            Err(_) if self.waits_until.is_some() => {
                let account = engine.accounts().get(caller, self.account).await?.account;
                let profile = account.profile;
                let over = &profile.settings.unified_model_override;
                let merged = models.merged_mapping(caller, &profile.integration, Some(over), of)?;
                Ok(Mapped { mapping: merged.mapping, integration: profile.integration, context: profile.context })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the data of a method's answer is in the envelope of a list. The account was just called, so it is ready.
    async fn is_enveloped(&self, target: MethodTarget<'_>) -> bool {
        let prepared = self.api.engine.refresher().prepared(self.caller, self.account).await;
        match target {
            MethodTarget::Custom { .. } => true,
            target => prepared.is_ok_and(|prepared| has_pages(prepared.definition(), target)),
        }
    }

    fn seal_of(&self, of: UnifiedMethod<'_>) -> Seal {
        let accounts = EngineAccounts(self.api.engine.clone());
        let account = self.account.to_string();
        Seal::new(accounts.cursor_key(), &[&account, "unified", of.model, of.resource, of.method])
    }

    async fn run(&self, call: MethodCall<'_>) -> std::result::Result<Arrived, MethodError<Error>> {
        self.api.calls.run_method(self.caller, self.account, call, &self.api.expressions).await
    }

    /// Sends a call. An error of the provider is a response.
    async fn send(&self, call: MethodCall<'_>) -> std::result::Result<Response, ApiError> {
        let answered = match self.waits_until {
            None => self.run(call).await,
            Some(until) => {
                let at_most = until.saturating_duration_since(Instant::now());
                let (calls, expressions) = (&self.api.calls, &self.api.expressions);
                let run = Box::pin(calls.run_method_or_wait(self.caller, self.account, call, expressions, at_most));
                waited(self.api, self.caller, self.account, run).await?
            }
        };
        match answered {
            Ok(response) => {
                Ok(response.map(|body| Body::new(until_withdrawn(self.api, self.caller, self.account, body))))
            }
            Err(MethodError::Remote(response)) => Ok(response.map(Body::new)),
            Err(MethodError::Call(CallError::Writes)) => match self.caller.require_writing() {
                Ok(()) => Err(explain(MethodError::Call(CallError::Writes))),
                Err(refusal) => Err(Error::from(refusal).into()),
            },
            Err(error) => Err(explain(error)),
        }
    }

    /// Of the call itself, or of one of its steps.
    fn key_of(&self, step: Option<&str>) -> Option<HeaderValue> {
        let key = self.key.as_ref()?;
        step.map_or_else(|| Some(key.clone()), |step| step_key(key, step))
    }

    fn taken_body(&self) -> Option<Body> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Proxy for ThroughProxy<'_> {
    type File = Response;
    type Error = ApiError;

    async fn call(&self, call: ProxyCall<'_>) -> Result<Proxied<Response>> {
        let ProxyCall { target, query, paging, body, path, headers: over, step } = call;
        let own = match target {
            ProxyTarget::Own(config) => Value::Object(config.clone()),
            ProxyTarget::Named { .. } => Value::Null,
        };
        let method_target = match target {
            ProxyTarget::Named { resource, method, id } => MethodTarget::Named { resource, method, id },
            ProxyTarget::Own(_) => MethodTarget::Custom { verb: Verb::Get, path: "" },
        };
        let is_as_sent = body == ProxyBody::AsSent;
        let (body, content_type) = self.body_of(body, &own);
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        let verb = verb_of(method_target, &own);
        if let Some(key) = self.key_of(step).filter(|_| !verb.is_safe()) {
            headers.insert(IDEMPOTENCY_KEY, key);
        }
        let Paging { limit, next_cursor, prev_cursor } = paging;
        let parameters = Parameters {
            limit,
            next_cursor,
            prev_cursor,
            body_passthrough: is_as_sent,
            forwarded: query,
            ..Parameters::default()
        };
        let prefix = || format!("{}/via/{}", self.api.port.base_url(), self.account);
        let make = |body: Body| MethodCall {
            target: method_target,
            parameters,
            headers,
            body: body.map_err(Into::into).boxed_unsync(),
            prefix: &prefix,
            called: None,
            only_reads: self.only_reads,
            overrides: Overrides { path, headers: over },
        };
        let sent = if step.is_none() {
            self.send(make(body)).await
        } else {
            // The steps of a unified call are calls of their own.
            let (route, shown) = match target {
                ProxyTarget::Named { resource, id, .. } => {
                    (CallRoute::Proxy, format!("/{resource}{}", id.map(|id| format!("/{id}")).unwrap_or_default()))
                }
                ProxyTarget::Own(config) => {
                    let path = config.get("path").and_then(Value::as_str).unwrap_or("/");
                    (CallRoute::Custom, path.to_owned())
                }
            };
            let begun = Begun { account: self.account, route, path: &shown, query: None, called: None };
            let mut request = Request::new(body);
            *request.method_mut() = verb;
            let forward = |request: Request| self.send(make(request.into_body()));
            attempted(self.api, self.caller, begun, request, forward).await
        };
        let response = sent.map_err(ProxyError::Local)?;
        let is_enveloped = self.is_enveloped(method_target).await;
        self.read(response, is_enveloped).await
    }

    fn unified<'s>(
        &'s self,
        step: &'s str,
        of: UnifiedMethod<'s>,
        id: Option<&'s str>,
        query: Map<String, Value>,
        body: Option<Value>,
    ) -> BoxFuture<'s, std::result::Result<Value, ProxyError<ApiError>>> {
        Box::pin(async move {
            if self.depth >= MAX_DEPTH {
                let message =
                    "Unified calls call each other without an end. A step's mapping must not lead back to itself.";
                return Err(ProxyError::Local(ApiError::new(
                    StatusCode::CONFLICT,
                    "unified_calls_in_a_circle",
                    message,
                )));
            }
            let below = Self {
                api: self.api,
                caller: self.caller,
                account: self.account,
                waits_until: self.waits_until,
                body: Mutex::default(),
                content_type: None,
                key: self.key_of(Some(step)),
                depth: self.depth + 1,
                only_reads: self.only_reads,
            };
            let asked = Asked {
                of,
                id,
                query,
                paging: Paging::default(),
                body,
                passes_body: false,
                headers: Map::new(),
                options: Options { ignores_remote_data: true, ..Options::default() },
            };
            match Box::pin(call::run(&below, asked)).await {
                Ok(UnifiedAnswer::Data(answer)) => Ok(answer.into_data()),
                Ok(UnifiedAnswer::File(_)) => Ok(Value::Null),
                Err(Failure::Local(error)) => Err(ProxyError::Local(error)),
                Err(failure) => {
                    let body = body_of_failure(failure);
                    Err(ProxyError::Remote { status: call::status_in(&body).as_u16(), headers: HeaderMap::new(), body })
                }
            }
        })
    }

    fn cursor_of(&self, resource: &str, method: &str, cursor: &str) -> Option<Value> {
        let key = EngineAccounts(self.api.engine.clone()).cursor_key();
        provider_cursor(key, self.account, MethodTarget::Named { resource, method, id: None }, cursor)
    }

    fn seal(&self, of: UnifiedMethod<'_>, cursor: &Value) -> Option<String> {
        sealed(cursor, &self.seal_of(of))
    }

    fn unseal(&self, of: UnifiedMethod<'_>, cursor: &str) -> Option<Value> {
        unsealed(cursor, &self.seal_of(of))
    }
}

impl ThroughProxy<'_> {
    fn body_of(&self, body: ProxyBody, own: &Value) -> (Body, Option<HeaderValue>) {
        let json = || Some(HeaderValue::from_static("application/json"));
        if own.is_object() {
            let mut whole = match body {
                ProxyBody::Value(Value::Object(members)) => members,
                _ => Map::new(),
            };
            whole.insert("methodConfig".to_owned(), own.clone());
            return (Body::from(Value::Object(whole).to_string()), json());
        }
        match body {
            ProxyBody::None => (Body::empty(), None),
            ProxyBody::Value(value) => (Body::from(value.to_string()), json()),
            ProxyBody::AsSent => (self.taken_body().unwrap_or_else(Body::empty), self.content_type.clone()),
        }
    }

    /// Reads an answer. `is_enveloped`: whether its data is in the envelope of a list.
    async fn read(&self, response: Response, is_enveloped: bool) -> Result<Proxied<Response>> {
        let status = response.status();
        let is_json = response.headers().get(header::CONTENT_TYPE).is_none_or(|value| {
            value.to_str().is_ok_and(|text| text.split(';').next().unwrap_or_default().trim().ends_with("json"))
        });
        if status.is_redirection() || status.is_success() && !is_json {
            return Ok(Proxied::File(response));
        }
        let (parts, body) = response.into_parts();
        let bytes = whole_answer::read(body).await.ok_or_else(|| {
            let message = "The provider's answer ended early, or is too long to be read whole.";
            ProxyError::Local(ApiError::new(StatusCode::BAD_GATEWAY, "answer_ended_early", message))
        })?;
        let value = whole_answer::value_of(bytes).await;
        let mut headers = parts.headers;
        for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
            headers.remove(name);
        }
        if !status.is_success() {
            let body = if value.is_object() { value } else { json!({"statusCode": status.as_u16(), "message": ""}) };
            return Err(ProxyError::Remote { status: status.as_u16(), headers, body });
        }
        let (data, page) = match value {
            Value::Object(mut envelope) if is_enveloped && envelope.contains_key("result") => {
                let data = envelope.shift_remove("result").unwrap_or_default();
                let cursor = |name: &str| envelope.get(name).and_then(Value::as_str).map(str::to_owned);
                let page = Page {
                    next_cursor: cursor("next_cursor"),
                    prev_cursor: cursor("prev_cursor"),
                    is_partial: envelope.get("is_partial_response") == Some(&Value::Bool(true)),
                };
                (data, Some(page))
            }
            data => (data, None),
        };
        Ok(Proxied::Data(Box::new(ProxyData { data, page, headers })))
    }
}

/// As it is recorded.
fn verb_of(target: MethodTarget<'_>, own: &Value) -> Method {
    match target {
        MethodTarget::Named { method: "update", .. } => Method::PATCH,
        MethodTarget::Named { method: "delete", .. } => Method::DELETE,
        MethodTarget::Named { method: "list" | "get", .. } => Method::GET,
        MethodTarget::Named { .. } | MethodTarget::Step { .. } => Method::POST,
        MethodTarget::Custom { .. } => {
            let verb = own.get("method").and_then(Value::as_str).unwrap_or("GET").to_ascii_uppercase();
            Method::from_bytes(verb.as_bytes()).unwrap_or(Method::GET)
        }
    }
}
