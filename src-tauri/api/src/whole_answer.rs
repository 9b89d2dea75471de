//! Answers to our own calls of methods, which are read whole.

use axum::body::{Body, Bytes, to_bytes};
use relink_calls::off_thread_if_large;
use serde_json::Value;

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 20;

/// `None`: it ended early, or is too long.
pub(crate) async fn read(body: Body) -> Option<Bytes> {
    to_bytes(body, MAX_ANSWER).await.ok()
}

/// `Null` if it is empty or only white space, and a text if it isn't JSON.
pub(crate) async fn value_of(bytes: Bytes) -> Value {
    if bytes.trim_ascii().is_empty() {
        return Value::Null;
    }
    let as_text = |bytes: &[u8]| Value::String(String::from_utf8_lossy(bytes).into_owned());
    off_thread_if_large(bytes.len(), move || serde_json::from_slice(&bytes).unwrap_or_else(|_| as_text(&bytes))).await
}
