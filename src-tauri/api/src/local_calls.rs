//! Calls that Relink's own window makes for the person, in the way of `/via`.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};
use http_body_util::BodyExt;
use relink_domain::{AccountId, call::CallRoute, caller::Caller, provider_text};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use crate::{
    ApiState,
    call_waits::CallWaits,
    error::ApiError,
    recording::{Begun, attempted},
    via,
};

/// So much of a response is read.
const MAX_BODY: usize = 256 << 10;
/// For so long a response is waited for.
const DEADLINE: Duration = Duration::from_mins(1);
/// The maximum length of a header's value that is shown, in characters.
const MAX_HEADER: usize = 1000;

/// Makes calls within this process. Clones share the same state.
#[derive(Clone)]
pub struct LocalCalls(pub(crate) ApiState);

impl std::fmt::Debug for LocalCalls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalCalls").finish_non_exhaustive()
    }
}

/// A call to make. Path and query are encoded.
#[derive(Debug, Clone)]
pub struct LocalCall {
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    pub body: Option<String>,
    pub content_type: Option<String>,
}

/// A provider's response, without the account's secrets.
#[derive(Debug, Clone)]
pub struct LocalResponse {
    pub status: u16,
    pub reason: String,
    pub headers: Vec<(String, String)>,
    /// `None`: it isn't text.
    pub text: Option<String>,
    /// How many bytes were read.
    pub bytes: usize,
    /// Whether the response is longer than that, or ended too late.
    pub is_cut: bool,
    pub until_headers: Duration,
    pub until_end: Duration,
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallProblem {
    pub code: String,
    pub title: Option<String>,
    pub message: String,
    pub hint: Option<String>,
}

impl From<ApiError> for CallProblem {
    fn from(error: ApiError) -> Self {
        let body = error.into_body();
        let (title, hint) = body.explanation.map(|it| (it.title, it.hint)).unzip();
        Self { code: body.code, title, message: body.message, hint: hint.flatten() }
    }
}

impl LocalCalls {
    pub(crate) const fn new(api: ApiState) -> Self {
        Self(api)
    }

    /// The accounts that wait because a provider asked for no calls.
    pub fn waits(&self, _caller: &Caller) -> CallWaits {
        CallWaits::now(&self.0)
    }

    /// Notified when such a wait begins or gets another end.
    pub fn wait_changes(&self, _caller: &Caller) -> watch::Receiver<()> {
        self.0.calls.quiet().changes()
    }

    /// Makes a call with an account and reads the beginning of its response.
    pub async fn call(
        &self,
        caller: &Caller,
        account: AccountId,
        call: LocalCall,
    ) -> Result<LocalResponse, CallProblem> {
        let (path, query) = (call.path.clone(), call.query.clone());
        let request = request_of(account, call)?;
        let refresher = self.0.engine.refresher();
        // What the response may repeat is what the call was signed with, before and after a refresh.
        let before = refresher.prepared(caller, account).await.map_err(ApiError::from)?;
        let started = Instant::now();
        let begun = Begun { account, route: CallRoute::Via, path: &path, query: query.as_deref(), called: None };
        let uri = request.uri().clone();
        let forward = |request| via::forward(&self.0, caller, account, &uri, request);
        let calling = attempted(&self.0, caller, begun, request, forward);
        let response = timeout_at(started + DEADLINE, calling).await.map_err(|_| late())??;
        let until_headers = started.elapsed();
        let (parts, body) = response.into_parts();
        let (bytes, is_cut) = read(body, started + DEADLINE).await;
        let until_end = started.elapsed();
        let after = refresher.prepared(caller, account).await.unwrap_or_else(|_| before.clone());
        let (headers, length) = (parts.headers, bytes.len());
        // Looking for secrets in a long text takes a while.
        let cleaned = tokio::task::spawn_blocking(move || {
            let clean = |text: &str| after.without_secrets(&before.without_secrets(text));
            let text = text_of(&headers, &bytes).map(|text| clean(&text));
            let headers = headers.iter().map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes());
                (name.to_string(), provider_text::single_line(&clean(&value), MAX_HEADER))
            });
            (text, headers.collect())
        });
        let (text, headers) = cleaned.await.unwrap_or_default();
        Ok(LocalResponse {
            status: parts.status.as_u16(),
            reason: parts.status.canonical_reason().unwrap_or_default().to_owned(),
            headers,
            text,
            bytes: length,
            is_cut,
            until_headers,
            until_end,
        })
    }
}

fn late() -> ApiError {
    ApiError::new(StatusCode::GATEWAY_TIMEOUT, "timed_out", "There was no response within a minute.")
}

fn request_of(account: AccountId, call: LocalCall) -> Result<Request, ApiError> {
    let LocalCall { method, path, query, body, content_type } = call;
    let invalid = |what: &str| ApiError::bad_request("call_invalid", &format!("The {what} of this call isn't valid."));
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| invalid("method"))?;
    if !path.starts_with('/') || path.contains(['?', '#']) {
        return Err(invalid("path"));
    }
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let mut request = Request::builder().method(method).uri(format!("/via/{account}{path}{query}"));
    if let Some(content_type) = content_type {
        request = request.header(header::CONTENT_TYPE, content_type);
    }
    if let Some(body) = &body {
        // Some providers read no body without its length.
        request = request.header(header::CONTENT_LENGTH, body.len());
    }
    request = request.header(header::ACCEPT, "application/json, */*;q=0.5");
    request.body(body.map_or_else(Body::empty, Body::from)).map_err(|_| invalid("URL or content type"))
}

/// The beginning of a body, and whether there is more.
async fn read(mut body: Body, until: Instant) -> (Bytes, bool) {
    let mut read = Vec::new();
    while read.len() <= MAX_BODY {
        if body.is_end_stream() {
            return (read.into(), false);
        }
        match timeout_at(until, body.frame()).await {
            Ok(None) => return (read.into(), false),
            Ok(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    read.extend_from_slice(data);
                }
            }
            Ok(Some(Err(_))) | Err(_) => return (read.into(), true),
        }
    }
    read.truncate(MAX_BODY);
    (read.into(), true)
}

/// A body that is text: it isn't compressed, and is valid UTF-8 without control characters. A character that was cut off at the
/// end is left out.
fn text_of(headers: &HeaderMap, bytes: &[u8]) -> Option<String> {
    let coding = headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes);
    if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return None;
    }
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?,
        Err(_) => return None,
    };
    let is_binary = text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    (!is_binary).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_is_shown() {
        let of = |coding: Option<&'static str>, bytes: &[u8]| {
            let mut headers = HeaderMap::new();
            if let Some(coding) = coding {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
            }
            text_of(&headers, bytes)
        };
        assert_eq!(of(None, b"{\"a\":\t1}\r\n").as_deref(), Some("{\"a\":\t1}\r\n"));
        assert_eq!(of(Some("identity"), b"").as_deref(), Some(""));
        assert_eq!(of(None, b"x\xc3").as_deref(), Some("x"), "cut within a character");
        for (coding, bytes) in [(Some("gzip"), &b"text"[..]), (None, &b"\xff\xd8"[..]), (None, &b"a\0b"[..])] {
            assert_eq!(of(coding, bytes), None, "{coding:?} {bytes:?}");
        }
    }

    #[test]
    fn a_call_that_is_not_valid_is_refused() {
        let call = |method: &str, path: &str| LocalCall {
            method: method.to_owned(),
            path: path.to_owned(),
            query: Some("a=1".to_owned()),
            body: None,
            content_type: None,
        };
        let id = AccountId::from_uuid(uuid::Uuid::nil());
        let request = request_of(id, call("GET", "/v1/x")).expect("valid");
        assert_eq!(request.uri().to_string(), format!("/via/{id}/v1/x?a=1"));
        for (method, path) in [("GE T", "/x"), ("GET", "x"), ("GET", "/x?y"), ("GET", "/x#y"), ("GET", "/a b")] {
            assert!(request_of(id, call(method, path)).is_err(), "{method} {path}");
        }
    }
}
