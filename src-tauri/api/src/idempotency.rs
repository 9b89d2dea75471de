//! `Idempotency-Key` (contract section 0.5): a call that is repeated with the same key isn't made again.
//!
//! Answers are kept in memory, for a day at most. On the disk they would lie in plain text, whatever a provider writes into them; and
//! a start of Relink that forgets them costs at worst what a call without a key costs. Of requests nothing is kept but the key.

mod target;

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::body::Frame;
use relink_calls::IDEMPOTENCY_KEY;
use relink_domain::{AccountId, Timestamp, id::derived};

pub(crate) use self::target::OwnedTarget;
use crate::error::ApiError;

/// The code of the error of a call that is repeated while it is under way.
pub(crate) const KEY_IN_USE: &str = "idempotency_key_in_use";
const MAX_KEY_CHARS: usize = 255;
/// How long an answer is kept.
const KEEP_SECS: i64 = 24 * 60 * 60;
/// A longer answer isn't kept.
const MAX_ANSWER: usize = 1 << 20;
const MAX_ANSWERS: usize = 1000;
/// Of all answers together. The oldest are given up first.
const MAX_BYTES: usize = 32 << 20;

/// The answers that are kept, and the calls under way. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Idempotency(Arc<Mutex<Kept>>);

/// What a key of a caller's is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    account: AccountId,
    method: Method,
    path: String,
    text: String,
}

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<Key, Entry>,
    /// The keys of the answers, the oldest first.
    order: VecDeque<Key>,
    bytes: usize,
}

#[derive(Debug)]
enum Entry {
    UnderWay,
    Answer(Answer),
}

#[derive(Debug, Clone)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    until: Timestamp,
}

impl Key {
    /// The key of a request that creates or changes something, if it has one.
    pub(crate) fn of(
        account: AccountId,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Option<Self>, ApiError> {
        let Some(value) = headers.get(IDEMPOTENCY_KEY).filter(|_| matches!(*method, Method::POST | Method::PATCH))
        else {
            return Ok(None);
        };
        let key = value.to_str().unwrap_or_default().trim();
        if key.is_empty() || key.len() > MAX_KEY_CHARS {
            let message = "Idempotency-Key must have 1 to 255 characters of ASCII, such as a random UUID.";
            return Err(ApiError::bad_request("idempotency_key_invalid", message));
        }
        let path = format!("/{}", path.trim_start_matches('/'));
        Ok(Some(Self { account, method: method.clone(), path, text: key.to_owned() }))
    }
}

/// The key that the provider gets with a call that has one: a provider may know a key for everything that it is asked for, and Relink knows
/// it for an account, a method and a path. So whoever uses one key for two calls doesn't lose one of them there, and nobody's own text goes
/// to the provider.
pub(crate) fn provider_key(key: &Key) -> Option<HeaderValue> {
    let parts = [key.account.to_string(), key.method.to_string(), key.path.clone(), key.text.clone()];
    // None of them contains a NUL, so that no two keys are the same text.
    HeaderValue::try_from(derived(&[parts.join("\0").as_bytes()]).to_string()).ok()
}

/// The key of a step of a call that has this key: the same whenever the call is repeated, and another one for each step.
pub(crate) fn step_key(key: &HeaderValue, step: &str) -> Option<HeaderValue> {
    // No header contains a NUL, so that no two pairs are the same text.
    HeaderValue::try_from(derived(&[key.as_bytes(), b"\0", step.as_bytes()]).to_string()).ok()
}

impl Idempotency {
    /// The answer that is kept for a key, or the one that the call gives. A call goes on although its caller leaves, so that a caller
    /// that asks again gets its answer.
    pub(crate) async fn once(
        &self,
        key: Key,
        now: Timestamp,
        call: impl Future<Output = Response> + Send + 'static,
    ) -> Response {
        match self.begin(&key, now) {
            Begun::Again(answer) => return answer.into_response(),
            Begun::UnderWay => {
                let message = "A call with this Idempotency-Key is still under way. Ask again when it is done.";
                return ApiError::new(StatusCode::CONFLICT, KEY_IN_USE, message).into_response();
            }
            Begun::Now => {}
        }
        // Gives the key back, also if the call panics.
        let claim = Claim { kept: self.clone(), key: Some(key) };
        let made = tokio::spawn(async move { claim.settle(call.await, now).await });
        made.await.unwrap_or_else(|panicked| match panicked.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "Relink is stopping.").into_response(),
        })
    }

    fn begin(&self, key: &Key, now: Timestamp) -> Begun {
        let mut kept = self.lock();
        kept.forget_before(now);
        match kept.entries.get(key) {
            Some(Entry::UnderWay) => Begun::UnderWay,
            Some(Entry::Answer(answer)) => Begun::Again(answer.clone()),
            None => {
                kept.entries.insert(key.clone(), Entry::UnderWay);
                Begun::Now
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Begun {
    Now,
    UnderWay,
    Again(Answer),
}

/// A key whose call is under way.
struct Claim {
    kept: Idempotency,
    /// `None`: its answer is kept.
    key: Option<Key>,
}

impl Claim {
    /// Keeps an answer that is a success and not too long.
    async fn settle(mut self, response: Response, now: Timestamp) -> Response {
        if !response.status().is_success() {
            return response;
        }
        let (parts, mut body) = response.into_parts();
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let data = match frame.as_ref().map(Frame::data_ref) {
                Ok(Some(data)) => data,
                // Trailers don't belong to what is kept.
                Ok(None) => continue,
                Err(_) => return Response::from_parts(parts, followed_by(bytes, Some(frame), body)),
            };
            if bytes.len() + data.len() > MAX_ANSWER {
                return Response::from_parts(parts, followed_by(bytes, Some(frame), body));
            }
            bytes.extend_from_slice(data);
        }
        let body = bytes.freeze();
        let until = now.plus_secs(KEEP_SECS);
        let answer = Answer { status: parts.status, headers: parts.headers.clone(), body: body.clone(), until };
        if let Some(key) = self.key.take() {
            self.kept.lock().keep(key, answer);
        }
        Response::from_parts(parts, Body::from(body))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.kept.lock().entries.remove(&key);
        }
    }
}

fn followed_by(bytes: BytesMut, frame: Option<Result<Frame<Bytes>, axum::Error>>, rest: Body) -> Body {
    let beginning = [Ok(Frame::data(bytes.freeze()))].into_iter().chain(frame);
    Body::new(StreamBody::new(stream::iter(beginning).chain(BodyStream::new(rest))))
}

impl Kept {
    fn keep(&mut self, key: Key, answer: Answer) {
        self.bytes += answer.size();
        self.entries.insert(key.clone(), Entry::Answer(answer));
        self.order.push_back(key);
        while self.order.len() > MAX_ANSWERS || self.bytes > MAX_BYTES {
            self.forget_oldest();
        }
    }

    /// They are in the order of their ends, unless the clock was set back; then some stay for longer.
    fn forget_before(&mut self, now: Timestamp) {
        let is_over = |kept: &Self| {
            let entry = kept.order.front().and_then(|key| kept.entries.get(key));
            matches!(entry, Some(Entry::Answer(answer)) if answer.until <= now)
        };
        while is_over(self) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(key) = self.order.pop_front() else { return };
        if let Some(Entry::Answer(answer)) = self.entries.remove(&key) {
            self.bytes -= answer.size();
        }
    }
}

impl Answer {
    fn size(&self) -> usize {
        self.body.len() + self.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>()
    }

    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}
