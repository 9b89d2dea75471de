//! A provider's answer to a method, and what the caller gets of it.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, TRAILER},
};
use relink_domain::integration::resources::{ApiResponseFormat, Method, ResponsePath};
use serde_json::{Map, Value};

use super::xml;
use crate::{
    body::{Body, full},
    expressions::{ExpressionError, Expressions},
    remote_error::RemoteError,
};

/// An answer that was read whole.
pub(super) struct Read<'m> {
    pub(super) status: StatusCode,
    /// The provider's, without those of the connection.
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
    data: Data<'m>,
    /// The body without its content coding, if it isn't in a format that could be read.
    unread: Option<Bytes>,
}

/// What of the body the caller gets.
enum Data<'m> {
    Whole,
    At(&'m ResponsePath),
    Own(Value),
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
    #[error("The method's error_expression can't be evaluated: {0}")]
    ErrorExpression(ExpressionError),
    #[error("The integration's rate_limit can't be evaluated: {0}")]
    RateLimit(ExpressionError),
}

impl<'m> Read<'m> {
    pub(super) async fn new(
        method: &'m Method,
        (status, headers, bytes): (StatusCode, HeaderMap, Bytes),
        expressions: &impl Expressions,
    ) -> Result<Self, ReadError> {
        let parsed = parse(method.api_response_format, &headers, &bytes);
        let (body, unread) = match parsed {
            Some(body) => (body, None),
            None if method.throw_error_on_parse_error && status.is_success() => return Err(ReadError::Unparsable),
            None => (Value::String(String::from_utf8_lossy(&bytes).into_owned()), Some(bytes)),
        };
        let data = match &method.response_path {
            Some(path) if unread.is_none() && status.is_success() => {
                if path.find(&body).is_ok() {
                    Data::At(path)
                } else {
                    let found = expressions.evaluate(path.expression(), body.clone()).await;
                    Data::Own(found.map_err(ReadError::ResponsePath)?.unwrap_or(Value::Null))
                }
            }
            _ => Data::Whole,
        };
        Ok(Self { status, headers, body, data, unread })
    }

    pub(super) fn data(&self) -> &Value {
        match &self.data {
            Data::Whole => &self.body,
            Data::At(path) => path.find(&self.body).ok().flatten().unwrap_or(&Value::Null),
            Data::Own(value) => value,
        }
    }

    /// As a list: what is none counts as its one record.
    pub(super) fn records(&self) -> &[Value] {
        match self.data() {
            Value::Array(records) => records,
            Value::Null => &[],
            one => std::slice::from_ref(one),
        }
    }

    /// An error of the provider, as the caller gets it.
    pub(super) fn into_error(self, error: &RemoteError) -> Response<Body> {
        let status = StatusCode::from_u16(error.status_code).unwrap_or(StatusCode::BAD_GATEWAY);
        // Texts and numbers can always be serialized.
        let bytes = serde_json::to_vec(error).unwrap_or_default();
        json_response(status, self.headers, bytes.into())
    }

    /// The data by itself: as JSON, or as it came if it is none.
    pub(super) fn into_bare(self) -> Response<Body> {
        if let Some(bytes) = self.unread {
            let mut headers = self.headers;
            for name in [CONTENT_ENCODING, CONTENT_LENGTH, TRAILER] {
                headers.remove(name);
            }
            return with(self.status, headers, bytes);
        }
        let bytes = self.data().to_string().into();
        json_response(self.status, self.headers, bytes)
    }

    /// `{"result", "next_cursor", "prev_cursor", "result_count"}`, in which the data isn't a list if it is none.
    pub(super) fn into_result(self) -> Response<Body> {
        if self.unread.is_some() {
            return self.into_bare();
        }
        let data = self.data();
        let mut envelope = Map::new();
        envelope.insert("next_cursor".to_owned(), Value::Null);
        envelope.insert("prev_cursor".to_owned(), Value::Null);
        if let Value::Array(records) = data {
            envelope.insert("result_count".to_owned(), records.len().into());
        }
        let bytes = enveloped(&data.to_string(), &envelope);
        json_response(self.status, self.headers, bytes)
    }
}

/// A list's answer (contract section 0.3).
pub(super) struct List<'a> {
    pub(super) records: &'a [Value],
    pub(super) next_cursor: Option<String>,
    pub(super) prev_cursor: Option<String>,
    pub(super) is_partial: bool,
}

impl List<'_> {
    pub(super) fn into_response(self, headers: HeaderMap) -> Response<Body> {
        let mut envelope = Map::new();
        envelope.insert("next_cursor".to_owned(), self.next_cursor.into());
        envelope.insert("prev_cursor".to_owned(), self.prev_cursor.into());
        envelope.insert("result_count".to_owned(), self.records.len().into());
        if self.is_partial {
            envelope.insert("is_partial_response".to_owned(), true.into());
        }
        // Slices of values can always be serialized.
        let result = serde_json::to_string(self.records).unwrap_or_default();
        json_response(StatusCode::OK, headers, enveloped(&result, &envelope))
    }
}

/// The result first, and then what is about it.
fn enveloped(result: &str, about: &Map<String, Value>) -> Bytes {
    let about = Value::Object(about.clone()).to_string();
    let mut text = String::with_capacity(result.len() + about.len() + 12);
    text.push_str("{\"result\":");
    text.push_str(result);
    text.push(',');
    text.push_str(&about[1..]);
    text.into()
}

/// A JSON response with the provider's headers that don't describe its body.
pub(super) fn json_response(status: StatusCode, mut headers: HeaderMap, bytes: Bytes) -> Response<Body> {
    for name in [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ACCEPT_RANGES, TRAILER] {
        headers.remove(name);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    with(status, headers, bytes)
}

fn with(status: StatusCode, headers: HeaderMap, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(full(bytes));
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

/// `None`: the body isn't in the format.
pub(super) fn parse(format: ApiResponseFormat, headers: &HeaderMap, bytes: &[u8]) -> Option<Value> {
    if bytes.trim_ascii().is_empty() {
        return Some(Value::Null);
    }
    match format {
        // Some providers name no type.
        ApiResponseFormat::ByContentType if is_json(headers) || !headers.contains_key(CONTENT_TYPE) => {
            serde_json::from_slice(bytes).ok()
        }
        ApiResponseFormat::ByContentType => None,
        ApiResponseFormat::Xml => xml::read(std::str::from_utf8(bytes).ok()?),
        ApiResponseFormat::Text => Some(String::from_utf8_lossy(bytes).into_owned().into()),
    }
}
