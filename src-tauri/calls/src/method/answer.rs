//! A provider's answer to a method, and what the caller gets of it.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, TRAILER},
};
use relink_domain::integration::resources::{ApiResponseFormat, Method, NeedsEvaluation};
use serde::Serialize;
use serde_json::Value;

use super::xml;
use crate::{
    body::{Body, full, full_of},
    expressions::{ExpressionError, Expressions},
    json::{Json, Records},
    off_thread::off_thread_if_large,
    remote_error::RemoteError,
};

/// An answer that was read whole.
pub(super) struct Read {
    pub(super) status: StatusCode,
    /// The provider's, without those of the connection.
    pub(super) headers: HeaderMap,
    pub(super) body: Json,
    /// What of the body the caller gets.
    pub(super) data: Json,
    /// The body without its content coding, if it isn't in a format that could be read.
    unread: Option<Bytes>,
}

/// Why an answer can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("The provider's answer is not in the format that the method expects.")]
    Unparsable,
    /// With its name.
    #[error("The provider's answer has the content coding {0:?}, which wasn't asked for and can't be read.")]
    Coding(String),
    #[error("The method's response_path can't be evaluated: {0}")]
    ResponsePath(ExpressionError),
    #[error("The method's response_path gives values that are nested too deeply.")]
    TooDeep,
    #[error("The method's error_expression can't be evaluated: {0}")]
    ErrorExpression(ExpressionError),
    #[error("The integration's rate_limit can't be evaluated: {0}")]
    RateLimit(ExpressionError),
}

impl Read {
    pub(super) async fn new(
        method: &Method,
        (status, headers, bytes): (StatusCode, HeaderMap, Bytes),
        expressions: &impl Expressions,
    ) -> Result<Self, ReadError> {
        let (format, may_be_json, document) = (method.api_response_format, may_be_json(&headers), bytes.clone());
        let parsed = off_thread_if_large(bytes.len(), move || parse(format, may_be_json, &document)).await;
        let (body, unread) = match parsed {
            Some(body) => (body, None),
            None if method.throw_error_on_parse_error && status.is_success() => return Err(ReadError::Unparsable),
            None => (as_text(&bytes), Some(bytes)),
        };
        let path = method.response_path.as_ref().filter(|_| unread.is_none() && status.is_success());
        let data = match path.map(|path| (path, path.find(body.clone()))) {
            None => body.clone(),
            Some((_, Ok(found))) => found.unwrap_or_else(Json::null),
            Some((path, Err(NeedsEvaluation))) => {
                let found = expressions.evaluate(path.expression(), body.value()).await;
                let found = found.map_err(ReadError::ResponsePath)?;
                found.map_or_else(|| Ok(Json::null()), |found| Json::of(&found).ok_or(ReadError::TooDeep))?
            }
        };
        Ok(Self { status, headers, body, data, unread })
    }

    /// An error of the provider, as the caller gets it.
    pub(super) fn into_error(self, error: &RemoteError) -> Response<Body> {
        let status = StatusCode::from_u16(error.status_code).unwrap_or(StatusCode::BAD_GATEWAY);
        // Texts and numbers can always be serialized.
        let bytes = serde_json::to_vec(error).unwrap_or_default();
        json_response(status, self.headers, full(bytes.into()))
    }

    /// The data by itself: as JSON, or as it came if it is none.
    pub(super) fn into_bare(self) -> Response<Body> {
        if let Some(bytes) = self.unread {
            let mut headers = self.headers;
            for name in [CONTENT_ENCODING, CONTENT_LENGTH, TRAILER] {
                headers.remove(name);
            }
            return with(self.status, headers, full(bytes));
        }
        json_response(self.status, self.headers, full(self.data.text()))
    }

    /// `{"result", "next_cursor", "prev_cursor", "result_count"}`, in which the data isn't a list if it is none.
    pub(super) fn into_result(self) -> Response<Body> {
        if self.unread.is_some() {
            return self.into_bare();
        }
        let about = About { result_count: self.data.item_count(), ..About::default() };
        json_response(self.status, self.headers, enveloped(self.data.text(), &about))
    }
}

/// A list's answer (contract section 0.3).
pub(super) fn list_response(records: Records, about: About, headers: HeaderMap) -> Response<Body> {
    let about = About { result_count: Some(records.count), ..about };
    json_response(StatusCode::OK, headers, enveloped(records.text, &about))
}

/// What stands beside a result.
#[derive(Default, Serialize)]
pub(super) struct About {
    pub(super) next_cursor: Option<String>,
    pub(super) prev_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result_count: Option<usize>,
    #[serde(rename = "is_partial_response", skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_partial: bool,
}

/// The result first, and then what is about it. The result's bytes aren't copied.
fn enveloped(result: Bytes, about: &About) -> Body {
    // Texts and numbers can always be serialized.
    let mut rest = serde_json::to_vec(about).unwrap_or_default();
    if let Some(brace) = rest.first_mut() {
        *brace = b',';
    }
    full_of([Bytes::from_static(b"{\"result\":"), result, rest.into()])
}

/// A JSON response with the provider's headers that don't describe its body.
pub(super) fn json_response(status: StatusCode, mut headers: HeaderMap, body: Body) -> Response<Body> {
    for name in [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ACCEPT_RANGES, TRAILER] {
        headers.remove(name);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    with(status, headers, body)
}

fn with(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Whether a type is one of JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    essence(headers).ends_with("json")
}

/// The type without its parameters (RFC 9110 §8.3.1), in lowercase.
pub(super) fn essence(headers: &HeaderMap) -> String {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a body without a format of its own is read as JSON. Some providers name no type.
fn may_be_json(headers: &HeaderMap) -> bool {
    is_json(headers) || !headers.contains_key(CONTENT_TYPE)
}

/// `None`: the body isn't in the format.
fn parse(format: ApiResponseFormat, may_be_json: bool, bytes: &Bytes) -> Option<Json> {
    if bytes.trim_ascii().is_empty() {
        return Some(Json::null());
    }
    match format {
        ApiResponseFormat::ByContentType if may_be_json => Json::read(bytes.clone()),
        ApiResponseFormat::ByContentType => None,
        ApiResponseFormat::Xml => xml::read(std::str::from_utf8(bytes).ok()?).as_ref().and_then(Json::of),
        ApiResponseFormat::Text => Some(as_text(bytes)),
    }
}

/// A body's value. What isn't in its format is a text.
pub(super) async fn value_of(format: ApiResponseFormat, headers: &HeaderMap, bytes: Bytes) -> Value {
    let (length, may_be_json) = (bytes.len(), may_be_json(headers));
    let read = move || parse(format, may_be_json, &bytes).unwrap_or_else(|| as_text(&bytes)).value();
    off_thread_if_large(length, read).await
}

fn as_text(bytes: &[u8]) -> Json {
    Json::of(&Value::String(String::from_utf8_lossy(bytes).into_owned())).unwrap_or_else(Json::null)
}
