//! Makes responses of a scenario's answers.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;

use super::records::with;
use crate::scenario::{
    Answer, Resources,
    template::{render, render_as_text},
};

/// The answer with its templates filled.
pub(crate) fn respond(answer: &Answer, scope: &Value) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match render(&answer.body, scope) {
        None | Some(Value::Null) => status.into_response(),
        Some(Value::String(text)) => {
            (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
        }
        Some(body) => json(status, &body),
    };
    add_headers(response.headers_mut(), &answer.headers, scope);
    response
}

/// A value as it is.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    (status, kind, Body::from(body.to_string())).into_response()
}

/// The error of this name. `more`: what its templates can name beside the request.
pub(crate) fn error(resources: &Resources, name: &str, scope: &Value, more: Value) -> Response {
    match resources.errors.get(name) {
        Some(answer) => respond(answer, &with(scope, more)),
        // `check` refuses a file that names an error which isn't there.
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Adds headers whose value isn't left out and is one.
pub(crate) fn add_headers(headers: &mut HeaderMap, templates: &BTreeMap<String, String>, scope: &Value) {
    for (name, template) in templates {
        let value = render_as_text(template, scope).and_then(|value| HeaderValue::try_from(value).ok());
        if let (Ok(name), Some(value)) = (HeaderName::try_from(name.as_str()), value) {
            headers.insert(name, value);
        }
    }
}
