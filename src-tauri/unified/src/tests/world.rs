//! A provider whose answers a test gives, and the calls that it got.

use std::{
    collections::VecDeque,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue};
use relink_calls::{ExpressionError, Expressions};
use relink_domain::{
    integration::Position,
    unified::{Mapping, UnifiedMethod},
};
use relink_jsonata::{Bindings, Engines, EvalError, Limits};
use serde_json::{Map, Value, json};

use crate::{
    Failure, Options, Page, Paging, Proxied, Proxy, ProxyBody, ProxyCall, ProxyData, ProxyError, ProxyTarget, Unified,
    UnifiedAnswer, UnifiedCall,
};

/// The engines that Relink evaluates with.
#[derive(Clone, Default)]
pub(super) struct Jsonata(Engines);

pub(super) static JSONATA: LazyLock<Jsonata> = LazyLock::new(Jsonata::default);

impl Expressions for Jsonata {
    async fn evaluate(&self, expression: &str, input: Value) -> Result<Option<Value>, ExpressionError> {
        let input = serde_json::value::to_raw_value(&input).expect("JSON");
        let found = self.0.eval(Arc::from(expression), Some(input), Bindings::default(), Limits::default()).await;
        let found = found.map_err(|EvalError { code, message, position, .. }| {
            let position = position.map(|it| Position { line: it.line, column: it.column });
            ExpressionError { code, message, position, advice: None }
        })?;
        Ok(found.map(|found| serde_json::from_str(found.get()).expect("JSON")))
    }
}

/// The answers of the provider, in order, each to one call.
#[derive(Default)]
pub(super) struct Script {
    answers: Mutex<VecDeque<Value>>,
    pub(super) calls: Mutex<Vec<Value>>,
    /// The names of the steps that made calls.
    steps: Mutex<Vec<String>>,
}

impl Script {
    pub(super) fn new(answers: impl IntoIterator<Item = Value>) -> Self {
        Self { answers: Mutex::new(answers.into_iter().collect()), ..Self::default() }
    }

    fn next(&self, call: Value) -> Result<Value, ProxyError<String>> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        // Calls that are made at once find their answers by the id.
        let own = answers.iter().position(|answer| answer.get("for_id").is_some_and(|id| *id == call["id"]));
        let answer = answers.remove(own.unwrap_or(0));
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        let answer = answer.ok_or_else(|| ProxyError::Local("no answer is left".to_owned()))?;
        match answer.get("error_status").and_then(Value::as_u64) {
            Some(status) => Err(ProxyError::Remote {
                status: u16::try_from(status).expect("a status"),
                headers: headers_of(&answer),
                body: json!({
                    "statusCode": status, "error": "E", "message": "said", "truto_is_remote_error": true, "raw_response": answer["body"],
                }),
            }),
            None => Ok(answer),
        }
    }

    /// In the order of the calls.
    pub(super) fn steps(&self) -> Vec<String> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, step: &str) {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).push(step.to_owned());
    }

    pub(super) fn calls(&self) -> Value {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone().into()
    }
}

fn headers_of(answer: &Value) -> HeaderMap {
    let headers = answer.get("headers").and_then(Value::as_object).cloned().unwrap_or_default();
    let pair = |(name, value): (String, Value)| {
        let value = HeaderValue::from_str(value.as_str().expect("a text")).expect("a value");
        (name.parse::<HeaderName>().expect("a name"), value)
    };
    headers.into_iter().map(pair).collect()
}

impl Proxy for Script {
    type File = &'static str;
    type Error = String;

    async fn call(&self, call: ProxyCall<'_>) -> Result<Proxied<&'static str>, ProxyError<String>> {
        let mut seen = match call.target {
            ProxyTarget::Named { resource, method, id } => json!({"resource": resource, "method": method, "id": id}),
            ProxyTarget::Own(config) => json!({ "own": config }),
        };
        let add = |seen: &mut Value, name: &str, value: Value| seen[name] = value;
        if !call.query.is_empty() {
            add(&mut seen, "query", call.query.into());
        }
        for (name, value) in [("limit", call.paging.limit), ("next_cursor", call.paging.next_cursor)] {
            if let Some(value) = value {
                add(&mut seen, name, value.into());
            }
        }
        match call.body {
            ProxyBody::None => {}
            ProxyBody::Value(value) => add(&mut seen, "body", value),
            ProxyBody::AsSent => add(&mut seen, "body_as_sent", true.into()),
        }
        if let Some(path) = call.path {
            add(&mut seen, "path", path.into());
        }
        if !call.headers.is_empty() {
            add(&mut seen, "headers", relink_calls::headers_for_expressions(&call.headers).into());
        }
        if let Some(step) = call.step {
            self.note(step);
        }
        let answer = self.next(seen)?;
        if answer == "a file" {
            return Ok(Proxied::File("a file"));
        }
        let page = answer.get("page").map(|page| Page {
            next_cursor: page["next"].as_str().map(str::to_owned),
            prev_cursor: None,
            is_partial: false,
        });
        Ok(Proxied::Data(Box::new(ProxyData { data: answer["data"].clone(), page, headers: headers_of(&answer) })))
    }

    fn unified<'s>(
        &'s self,
        step: &'s str,
        of: UnifiedMethod<'s>,
        id: Option<&'s str>,
        query: Map<String, Value>,
        body: Option<Value>,
    ) -> BoxFuture<'s, std::result::Result<Value, ProxyError<String>>> {
        self.note(step);
        Box::pin(async move {
            let UnifiedMethod { model, resource, method } = of;
            let call = json!({"unified": [model, resource, method], "id": id, "query": query, "body": body});
            self.next(call).map(|answer| answer["data"].clone())
        })
    }

    fn cursor_of(&self, _: &str, _: &str, cursor: &str) -> Option<Value> {
        cursor.strip_prefix("sealed-by-proxy-").map(Value::from)
    }

    fn seal(&self, _: UnifiedMethod<'_>, cursor: &Value) -> Option<String> {
        Some(format!("sealed:{cursor}"))
    }

    fn unseal(&self, _: UnifiedMethod<'_>, cursor: &str) -> Option<Value> {
        serde_json::from_str(cursor.strip_prefix("sealed:")?).ok()
    }
}

/// A unified call of a test, on `crm/contacts` of `acme`.
#[derive(Clone, Default)]
pub(super) struct Asked {
    pub(super) method: &'static str,
    pub(super) id: Option<&'static str>,
    pub(super) query: Value,
    pub(super) body: Option<Value>,
    pub(super) passes_body: bool,
    pub(super) paging: Paging,
    pub(super) options: Options,
}

/// What the caller gets: the answer's JSON with its headers, or why there is none.
pub(super) async fn answer(config: &Value, asked: Asked, script: &Script) -> Result<(Value, HeaderMap), Value> {
    let config = config.as_object().expect("a config");
    let (mapping, _) = Mapping::check(config).expect("a good config");
    assert_eq!(Mapping::load(config).as_ref(), Ok(&mapping), "a config that is good is read alike");
    let context = json!({"org": "acme-1"}).as_object().cloned().expect("an object");
    let call = UnifiedCall {
        of: UnifiedMethod { model: "crm", resource: "contacts", method: asked.method },
        integration: "acme",
        mapping: &mapping,
        id: asked.id,
        query: asked.query.as_object().cloned().unwrap_or_default(),
        paging: asked.paging,
        body: asked.body,
        passes_body: asked.passes_body,
        headers: Map::from_iter([("accept-language".to_owned(), "de".into())]),
        context: &context,
        options: asked.options,
    };
    let unified = Unified { proxy: script, expressions: &*JSONATA };
    match unified.run(call).await {
        Ok(UnifiedAnswer::Data(answer)) => {
            let headers = answer.headers.clone();
            Ok((answer.into_json(), headers))
        }
        Ok(UnifiedAnswer::File(file)) => Ok((file.into(), HeaderMap::new())),
        Err(failure) => Err(match failure {
            Failure::Remote(remote) => json!({"remote": remote.status, "body": remote.body}),
            Failure::Mapping(failed) => json!({"mapping": failed.to_string(), "record": failed.record}),
            Failure::Missing { query, body, conditional } => crate::missing_body(&query, &body, conditional),
            Failure::NoRecord => json!("no record"),
            Failure::Local(error) => json!({ "local": error }),
        }),
    }
}
