//! What went through a call, for whoever writes its mapping.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use relink_calls::{Expressions, headers_for_expressions};
use relink_domain::unified::UnifiedMethod;
use serde_json::{Map, Value, json};

use crate::{
    answer::UnifiedAnswer,
    failure::Failure,
    proxy::{Paging, Proxied, Proxy, ProxyBody, ProxyCall, ProxyError, ProxyTarget},
    run::{Unified, UnifiedCall},
};

/// A call, with what became of it on its way.
#[derive(Debug)]
pub struct Trial<F, E> {
    /// What the mapping made of the caller's request: `resource`, `method` and `query`, and `id`, `path`, `headers` and `body` if there
    /// are some. `None`: it didn't come so far.
    pub sent: Option<Value>,
    /// The provider's data, before the response was mapped.
    pub received: Option<Value>,
    pub outcome: Result<UnifiedAnswer<F>, Failure<E>>,
}

impl<P: Proxy, X: Expressions> Unified<'_, P, X> {
    /// [`run`](Self::run), with what went through it.
    pub async fn observe(&self, call: UnifiedCall<'_>) -> Trial<P::File, P::Error> {
        let observed = Observed { proxy: self.proxy, seen: Mutex::default() };
        let outcome = Unified { proxy: &observed, expressions: self.expressions }.run(call).await;
        let Seen { sent, received } = observed.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        Trial { sent, received, outcome }
    }
}

/// What was seen of the main call.
#[derive(Debug, Default)]
struct Seen {
    sent: Option<Value>,
    received: Option<Value>,
}

/// Remembers the main call that goes through a proxy.
struct Observed<'a, P> {
    proxy: &'a P,
    seen: Mutex<Seen>,
}

impl<P> Observed<'_, P> {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Proxy> Proxy for Observed<'_, P> {
    type File = P::File;
    type Error = P::Error;

    async fn call(&self, call: ProxyCall<'_>) -> Result<Proxied<P::File>, ProxyError<P::Error>> {
        if call.step.is_some() {
            return self.proxy.call(call).await;
        }
        self.seen().sent = Some(shown(&call));
        let answer = self.proxy.call(call).await;
        if let Ok(Proxied::Data(answer)) = &answer {
            self.seen().received = Some(answer.data.clone());
        }
        answer
    }

    fn unified<'s>(
        &'s self,
        step: &'s str,
        of: UnifiedMethod<'s>,
        id: Option<&'s str>,
        query: Map<String, Value>,
        body: Option<Value>,
    ) -> BoxFuture<'s, Result<Value, ProxyError<P::Error>>> {
        self.proxy.unified(step, of, id, query, body)
    }

    fn cursor_of(&self, resource: &str, method: &str, cursor: &str) -> Option<Value> {
        self.proxy.cursor_of(resource, method, cursor)
    }

    fn seal(&self, of: UnifiedMethod<'_>, cursor: &Value) -> Option<String> {
        self.proxy.seal(of, cursor)
    }

    fn unseal(&self, of: UnifiedMethod<'_>, cursor: &str) -> Option<Value> {
        self.proxy.unseal(of, cursor)
    }
}

fn shown(call: &ProxyCall<'_>) -> Value {
    let mut query = call.query.clone();
    let Paging { limit, next_cursor, prev_cursor } = &call.paging;
    for (name, value) in [("limit", limit), ("next_cursor", next_cursor), ("prev_cursor", prev_cursor)] {
        query.extend(value.as_ref().map(|value| (name.to_owned(), value.as_str().into())));
    }
    let mut sent = Map::new();
    if let ProxyTarget::Named { resource, method, id } = call.target {
        sent.insert("resource".to_owned(), resource.into());
        sent.insert("method".to_owned(), method.into());
        sent.extend(id.map(|id| ("id".to_owned(), id.into())));
    }
    sent.extend(call.path.as_ref().map(|path| ("path".to_owned(), path.as_str().into())));
    sent.insert("query".to_owned(), query.into());
    if !call.headers.is_empty() {
        sent.insert("headers".to_owned(), headers_for_expressions(&call.headers).into());
    }
    match &call.body {
        ProxyBody::None => {}
        ProxyBody::Value(body) => drop(sent.insert("body".to_owned(), body.clone())),
        ProxyBody::AsSent => drop(sent.insert("body".to_owned(), json!("(as it was sent)"))),
    }
    sent.into()
}
