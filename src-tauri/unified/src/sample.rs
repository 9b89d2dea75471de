//! Running a mapping on a sample, without a provider.

use std::{
    convert::Infallible,
    sync::{Mutex, PoisonError},
};

use futures_util::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use relink_calls::{Expressions, RemoteError};
use relink_domain::unified::{Mapping, UnifiedMethod};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    observed::Trial,
    proxy::{Page, Paging, Proxied, Proxy, ProxyCall, ProxyData, ProxyError, ProxyTarget},
    run::{Options, Unified, UnifiedCall},
};

/// What a caller sends, and what the provider would answer.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sample {
    pub id: Option<String>,
    pub query: Map<String, Value>,
    pub body: Option<Value>,
    pub headers: Map<String, Value>,
    /// The account's.
    pub context: Map<String, Value>,
    /// The provider's data: what expressions see as `response`.
    pub response: Value,
    /// The provider answers with this error instead.
    pub error: Option<SampleError>,
    /// What further calls are answered, by `resource/method`, or `model/resource/method` of a unified one.
    pub calls: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleError {
    pub status: u16,
    #[serde(default)]
    pub body: Value,
}

/// What a mapping makes of a sample.
#[derive(Debug)]
pub struct SampleTrial {
    pub trial: Trial<Infallible, Infallible>,
    /// The further calls for which the sample has no answer, so that they were answered with null.
    pub unanswered: Vec<String>,
}

impl Sample {
    /// The call of a method with what the sample's caller sends.
    pub fn call<'a>(
        &'a self,
        of: UnifiedMethod<'a>,
        integration: &'a str,
        mapping: &'a Mapping,
        context: &'a Map<String, Value>,
    ) -> UnifiedCall<'a> {
        let mut query = self.query.clone();
        let mut own = |name: &str| match query.shift_remove(name)? {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        };
        let paging = Paging { limit: own("limit"), next_cursor: own("next_cursor"), prev_cursor: own("prev_cursor") };
        UnifiedCall {
            of,
            integration,
            mapping,
            id: self.id.as_deref(),
            query,
            paging,
            body: self.body.clone(),
            passes_body: false,
            headers: self.headers.clone(),
            context,
            options: Options::default(),
        }
    }

    /// Runs a mapping on it.
    pub async fn run(
        &self,
        expressions: &impl Expressions,
        of: UnifiedMethod<'_>,
        integration: &str,
        mapping: &Mapping,
    ) -> SampleTrial {
        let proxy = SampleProxy { sample: self, is_list: of.method == "list", unanswered: Mutex::default() };
        let call = self.call(of, integration, mapping, &self.context);
        let trial = Unified { proxy: &proxy, expressions }.observe(call).await;
        SampleTrial { trial, unanswered: proxy.unanswered.into_inner().unwrap_or_else(PoisonError::into_inner) }
    }
}

/// A provider that answers what a sample says.
struct SampleProxy<'a> {
    sample: &'a Sample,
    is_list: bool,
    unanswered: Mutex<Vec<String>>,
}

impl SampleProxy<'_> {
    fn further(&self, name: String) -> Value {
        if let Some(data) = self.sample.calls.get(&name) {
            return data.clone();
        }
        let mut unanswered = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        if !unanswered.contains(&name) {
            unanswered.push(name);
        }
        Value::Null
    }

    fn answer(&self, call: &ProxyCall<'_>) -> Result<(Value, Option<Page>), ProxyError<Infallible>> {
        if call.step.is_some() {
            let name = match call.target {
                ProxyTarget::Named { resource, method, .. } => format!("{resource}/{method}"),
                ProxyTarget::Own(config) => {
                    let text = |key: &str| config.get(key).and_then(Value::as_str);
                    text("path").or_else(|| text("url")).unwrap_or_default().to_owned()
                }
            };
            return Ok((self.further(name), None));
        }
        match &self.sample.error {
            Some(SampleError { status, body }) => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let error = RemoteError::new(status, body.to_string().as_bytes());
                let body = serde_json::to_value(error).unwrap_or_default();
                Err(ProxyError::Remote { status: status.as_u16(), headers: HeaderMap::new(), body })
            }
            None => Ok((self.sample.response.clone(), self.is_list.then(Page::default))),
        }
    }
}

impl Proxy for SampleProxy<'_> {
    type File = Infallible;
    type Error = Infallible;

    async fn call(&self, call: ProxyCall<'_>) -> Result<Proxied<Infallible>, ProxyError<Infallible>> {
        let (data, page) = self.answer(&call)?;
        Ok(Proxied::Data(Box::new(ProxyData { data, page, headers: HeaderMap::new() })))
    }

    fn unified<'s>(
        &'s self,
        _: &'s str,
        of: UnifiedMethod<'s>,
        _: Option<&'s str>,
        _: Map<String, Value>,
        _: Option<Value>,
    ) -> BoxFuture<'s, Result<Value, ProxyError<Infallible>>> {
        let UnifiedMethod { model, resource, method } = of;
        let data = self.further(format!("{model}/{resource}/{method}"));
        Box::pin(async { Ok(data) })
    }

    /// A sample's cursor is the provider's own.
    fn cursor_of(&self, _: &str, _: &str, cursor: &str) -> Option<Value> {
        Some(cursor.into())
    }

    fn seal(&self, _: UnifiedMethod<'_>, cursor: &Value) -> Option<String> {
        Some(cursor.as_str().map_or_else(|| cursor.to_string(), str::to_owned))
    }

    fn unseal(&self, _: UnifiedMethod<'_>, _: &str) -> Option<Value> {
        None
    }
}
