//! Records programs' calls: every route that calls a provider runs its call in [`recorded`].

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper::body::{Frame, SizeHint};
use relink_domain::{
    AccountId, Timestamp,
    call::{CALLER_LEFT, Call, CallRoute, Program, RESPONSE_BROKE_OFF, shown_path},
    caller::Caller,
};
use relink_engine::Engine;
use tokio::time::Instant;

use crate::{ApiState, error::ApiError};

/// What is known of a call when it begins.
pub(crate) struct Begun<'a> {
    pub(crate) account: AccountId,
    pub(crate) route: CallRoute,
    /// What follows the route in the path, as it was sent.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
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
    let mut recording = Recording::begin(&api.engine, caller, &begun, request.method());
    // A call without a body needs no counter.
    let request = if request.body().is_end_stream() {
        request
    } else {
        let sent = Arc::clone(&recording.sent_bytes);
        request.map(|body| Body::new(Counted { body, counter: sent }))
    };
    match call(request).await {
        Ok(response) => {
            recording.answered(response.status());
            // The response to HEAD has no body, and whoever knows its length may not wait for the end.
            let length = if recording.method == Method::HEAD { Some(0) } else { content_length(&response) };
            response.map(|body| Body::new(Recorded { has_ended: false, length, body, recording }))
        }
        Err(error) => {
            recording.error = Some(error.code().to_owned());
            let response = error.into_response();
            recording.answered(response.status());
            response
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
    at: Timestamp,
    began: Instant,
    status: Option<u16>,
    headers_micros: Option<u64>,
    sent_bytes: Arc<AtomicU64>,
    received_bytes: u64,
    /// `None`: the response is complete.
    error: Option<String>,
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
            began: Instant::now(),
            status: None,
            headers_micros: None,
            sent_bytes: Arc::default(),
            received_bytes: 0,
            error: None,
        }
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
        let call = Call {
            at: self.at,
            program: Program::from(&self.caller),
            route: self.route,
            method: self.method.as_str().to_owned(),
            path: std::mem::take(&mut self.path),
            status: self.status,
            headers_micros: self.headers_micros,
            total_micros: self.micros(),
            sent_bytes: self.sent_bytes.load(Ordering::Relaxed),
            received_bytes: self.received_bytes,
            error: self.error.take(),
        };
        self.engine.call_log().record(&self.caller, self.account, call);
    }
}

/// A request's body that counts what was read of it.
struct Counted {
    body: Body,
    counter: Arc<AtomicU64>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.counter.fetch_add(length_of(frame.as_ref()), Ordering::Relaxed);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response's body. Its call has ended when it is dropped.
struct Recorded {
    body: Body,
    /// The number of bytes after which it is complete, if that is known.
    length: Option<u64>,
    has_ended: bool,
    recording: Recording,
}

impl HttpBody for Recorded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.recording.received_bytes += length_of(frame.as_ref());
        match &frame {
            None => self.has_ended = true,
            Some(Err(_)) => self.recording.fail(RESPONSE_BROKE_OFF),
            Some(Ok(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        let is_complete = self.length.is_some_and(|length| self.recording.received_bytes >= length);
        if !(self.has_ended || is_complete || self.body.is_end_stream()) {
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
