//! Records programs' calls: every route that calls a provider runs its call in [`recorded`].

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper::body::Frame;
use relink_calls::Called;
use relink_contract::call::CallWithBodies;
use relink_domain::{
    AccountId, Timestamp,
    call::{CALLER_LEFT, Call, CallRoute, Program, RESPONSE_BROKE_OFF, shown_path},
    caller::Caller,
};
use relink_engine::Engine;
use tokio::time::Instant;

use crate::{
    ApiState,
    error::ApiError,
    watched::{Watch, Watched},
};

/// So much of each body is recorded, if bodies are.
const MAX_COPIED: usize = 16 << 10;

/// What is known of a call when it begins.
pub(crate) struct Begun<'a> {
    pub(crate) account: AccountId,
    pub(crate) route: CallRoute,
    /// What follows the route in the path, as it was sent.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    /// Where it is noted if something else is sent.
    pub(crate) called: Option<Arc<OnceLock<Called>>>,
}

/// Makes a call and records how it ended: with its response's last byte, an error, or a caller that left.
pub(crate) async fn recorded<F>(
    api: &ApiState,
    caller: &Caller,
    begun: Begun<'_>,
    request: Request,
    call: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Result<Response, ApiError>>,
{
    attempted(api, caller, begun, request, call).await.unwrap_or_else(IntoResponse::into_response)
}

/// [`recorded`], with an error that isn't a response yet.
pub(crate) async fn attempted<F>(
    api: &ApiState,
    caller: &Caller,
    begun: Begun<'_>,
    request: Request,
    call: impl FnOnce(Request) -> F,
) -> Result<Response, ApiError>
where
    F: Future<Output = Result<Response, ApiError>>,
{
    let mut recording = Recording::begin(&api.engine, caller, &begun, request.method());
    // A call without a body needs no counter.
    let request = if request.body().is_end_stream() {
        request
    } else {
        let (counter, copy) = (Arc::<AtomicU64>::default(), recording.copy_of(request.headers()));
        recording.sent_bytes = Some(Arc::clone(&counter));
        recording.request.clone_from(&copy);
        request.map(|body| Body::new(Watched { body, watcher: Sent { counter, copy } }))
    };
    match call(request).await {
        Ok(response) => {
            recording.answered(response.status());
            recording.response = recording.copy_of(response.headers());
            // The response to HEAD has no body, and whoever knows its length may not wait for the end.
            let length = if *recording.method() == Method::HEAD { Some(0) } else { content_length(&response) };
            let watcher = Received { has_ended: false, length, recording };
            Ok(response.map(|body| Body::new(Watched { body, watcher })))
        }
        Err(error) => {
            recording.error = Some(error.code().to_owned());
            recording.answered(error.status());
            Err(error)
        }
    }
}

/// A call under way. It is recorded when this is dropped.
struct Recording {
    engine: Engine,
    caller: Caller,
    account: AccountId,
    route: CallRoute,
    method: Method,
    path: String,
    called: Option<Arc<OnceLock<Called>>>,
    at: Timestamp,
    began: Instant,
    status: Option<u16>,
    headers_micros: Option<u64>,
    /// `None`: the request has no body.
    sent_bytes: Option<Arc<AtomicU64>>,
    received_bytes: u64,
    /// `None`: the response is complete.
    error: Option<String>,
    /// Whether the bodies are recorded.
    has_bodies: bool,
    request: Option<BodyCopy>,
    response: Option<BodyCopy>,
}

impl Recording {
    fn begin(engine: &Engine, caller: &Caller, begun: &Begun<'_>, method: &Method) -> Self {
        Self {
            at: engine.now(),
            engine: engine.clone(),
            caller: caller.clone(),
            account: begun.account,
            route: begun.route,
            method: method.clone(),
            path: shown_path(begun.path, begun.query),
            called: begun.called.clone(),
            began: Instant::now(),
            status: None,
            headers_micros: None,
            sent_bytes: None,
            received_bytes: 0,
            error: None,
            has_bodies: engine.call_log().records_bodies(caller, begun.account),
            request: None,
            response: None,
        }
    }

    /// What a body with these headers is copied to; `None` if it isn't.
    fn copy_of(&self, headers: &HeaderMap) -> Option<BodyCopy> {
        (self.has_bodies && is_text(headers)).then(BodyCopy::default)
    }

    /// What was sent, if it isn't what the caller's request says.
    fn called(&self) -> Option<&Called> {
        self.called.as_ref()?.get()
    }

    fn method(&self) -> &Method {
        self.called().map_or(&self.method, |called| &called.method)
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn answered(&mut self, status: StatusCode) {
        self.status = Some(status.as_u16());
        self.headers_micros = Some(self.micros());
    }

    fn fail(&mut self, error: &str) {
        self.error.get_or_insert_with(|| error.to_owned());
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if self.status.is_none() {
            self.fail(CALLER_LEFT);
        }
        let own_path = std::mem::take(&mut self.path);
        let call = Call {
            at: self.at,
            program: Program::from(&self.caller),
            route: self.route,
            method: self.method().as_str().to_owned(),
            path: self.called().map_or(own_path, |called| shown_path(&called.path, called.query.as_deref())),
            status: self.status,
            headers_micros: self.headers_micros,
            total_micros: self.micros(),
            sent_bytes: self.sent_bytes.as_ref().map_or(0, |bytes| bytes.load(Ordering::Relaxed)),
            received_bytes: self.received_bytes,
            error: self.error.take(),
        };
        if self.has_bodies {
            let (request, response) = (self.request.take(), self.response.take());
            keep_bodies(&self.engine, &self.caller, self.account, &call, request, response);
        }
        self.engine.call_log().record(&self.caller, self.account, call);
    }
}

/// Keeps the bodies of a call, without the account's secrets. If those aren't known, nothing is kept.
fn keep_bodies(
    engine: &Engine,
    caller: &Caller,
    account: AccountId,
    call: &Call,
    request: Option<BodyCopy>,
    response: Option<BodyCopy>,
) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let (engine, caller) = (engine.clone(), caller.clone());
    let mut kept = CallWithBodies {
        at: call.at,
        program: call.program.name.clone(),
        method: call.method.clone(),
        path: call.path.clone(),
        status: call.status,
        request: None,
        response: None,
    };
    runtime.spawn(async move {
        let Ok(prepared) = engine.refresher().prepared(&caller, account).await else { return };
        let clean = |copy: Option<BodyCopy>| copy.map(|copy| prepared.without_secrets(&copy.into_text()));
        (kept.request, kept.response) = (clean(request), clean(response));
        engine.call_log().keep_bodies(&caller, account, kept);
    });
}

/// The beginning of a body. Clones share the same bytes.
#[derive(Debug, Clone, Default)]
struct BodyCopy(Arc<Mutex<Vec<u8>>>);

impl BodyCopy {
    fn add<E>(&self, frame: Option<&Result<Frame<Bytes>, E>>) {
        let Some(data) = frame.and_then(|frame| frame.as_ref().ok()?.data_ref()) else { return };
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_COPIED.saturating_sub(bytes.len());
        bytes.extend_from_slice(&data[..room.min(data.len())]);
    }

    fn into_text(self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

/// Whether a body with these headers is text: its type says so, and it isn't compressed.
fn is_text(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_text = essence.starts_with("text/")
        || essence.ends_with("json")
        || essence.ends_with("xml")
        || matches!(essence.as_str(), "application/x-www-form-urlencoded" | "application/graphql");
    is_text && !headers.contains_key(header::CONTENT_ENCODING)
}

/// Counts what is read of a request's body.
struct Sent {
    counter: Arc<AtomicU64>,
    copy: Option<BodyCopy>,
}

impl Watch for Sent {
    fn see(&mut self, frame: Option<&Result<Frame<Bytes>, axum::Error>>) {
        self.counter.fetch_add(length_of(frame), Ordering::Relaxed);
        if let Some(copy) = &self.copy {
            copy.add(frame);
        }
    }
}

/// Sees how a response's body ends. Its call has ended when it is dropped.
struct Received {
    /// The number of bytes after which it is complete, if that is known.
    length: Option<u64>,
    has_ended: bool,
    recording: Recording,
}

impl Watch for Received {
    fn see(&mut self, frame: Option<&Result<Frame<Bytes>, axum::Error>>) {
        self.recording.received_bytes += length_of(frame);
        if let Some(copy) = &self.recording.response {
            copy.add(frame);
        }
        match frame {
            None => self.has_ended = true,
            Some(Err(_)) => self.recording.fail(RESPONSE_BROKE_OFF),
            Some(Ok(_)) => {}
        }
    }

    fn dropped(&mut self, is_at_end: bool) {
        let is_complete = self.length.is_some_and(|length| self.recording.received_bytes >= length);
        if !(self.has_ended || is_complete || is_at_end) {
            self.recording.fail(CALLER_LEFT);
        }
    }
}

fn content_length(response: &Response) -> Option<u64> {
    response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn length_of<E>(frame: Option<&Result<Frame<Bytes>, E>>) -> u64 {
    let data = frame.and_then(|frame| frame.as_ref().ok()?.data_ref());
    data.map_or(0, |data| data.len() as u64)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_text_is_copied() {
        let of = |content_type: Option<&'static str>, coding: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(content_type) = content_type {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            }
            if let Some(coding) = coding {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
            }
            is_text(&headers)
        };
        for text in
            ["application/json", "Text/Plain; charset=utf-8", "application/problem+json", "application/atom+xml"]
        {
            assert!(of(Some(text), None), "{text}");
        }
        for (content_type, coding) in [
            (None, None),
            (Some("application/json"), Some("gzip")),
            (Some("image/png"), None),
            (Some("application/octet-stream"), None),
            (Some("multipart/form-data; boundary=x"), None),
        ] {
            assert!(!of(content_type, coding), "{content_type:?} {coding:?}");
        }
    }

    #[test]
    fn a_copy_is_bounded() {
        let copy = BodyCopy::default();
        let frame: Result<_, ()> = Ok(Frame::data(Bytes::from(vec![b'x'; MAX_COPIED - 1])));
        copy.add(Some(&frame));
        copy.add(Some(&frame));
        copy.add::<()>(None);
        assert_eq!(copy.into_text().len(), MAX_COPIED);
    }
}
