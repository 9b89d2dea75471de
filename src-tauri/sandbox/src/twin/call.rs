//! A request to a twin, decoded.

use axum::{
    body,
    extract::Request,
    http::{HeaderMap, Method},
};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::{
    client_auth,
    scenario::{BodyFormat, template::text_of},
};

const MAX_BODY_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Map<String, Value>,
    /// How the body is written, if it is one of these two.
    pub(crate) format: Option<BodyFormat>,
}

impl Call {
    /// `None`: the body is too long, or breaks off.
    pub(crate) async fn read(request: Request) -> Option<Self> {
        let (parts, body) = request.into_parts();
        let bytes = body::to_bytes(body, MAX_BODY_BYTES).await.ok()?;
        let kind = parts.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (format, body) = if kind.starts_with("application/x-www-form-urlencoded") {
            let pairs = form_urlencoded::parse(&bytes);
            let pairs = pairs.map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())));
            (Some(BodyFormat::Form), pairs.collect())
        } else {
            match serde_json::from_slice(&bytes) {
                Ok(Value::Object(members)) => (Some(BodyFormat::Json), members),
                _ => (None, Map::new()),
            }
        };
        let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        Some(Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            headers: parts.headers,
            query,
            body,
            format,
        })
    }

    /// A POST request with a form as a GET request with this query.
    pub(crate) fn form_as_query(mut self) -> Self {
        if self.method == Method::POST && self.format == Some(BodyFormat::Form) {
            self.method = Method::GET;
            let form = std::mem::take(&mut self.body);
            self.query.extend(form.into_iter().map(|(name, value)| (name, text_of(&value))));
        }
        self
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token in `Authorization`, behind one of these schemes.
    pub(crate) fn token(&self, schemes: &[String]) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme)).then(|| token.trim())
    }

    /// The ID and the secret in `Authorization: Basic`.
    pub(crate) fn basic(&self) -> Option<(String, String)> {
        client_auth::basic(&self.headers)
    }

    pub(crate) fn text(&self, member: &str) -> &str {
        self.body.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    /// What templates can name of it. `path`: the values of the route's placeholders.
    pub(crate) fn scope(&self, base_url: &str, path: &Map<String, Value>) -> Value {
        let query: Map<_, _> =
            self.query.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
        json!({ "base_url": base_url, "path": path, "query": query, "body": self.body, "request_path": self.path })
    }
}

/// The values of a path's placeholders, if it has this form: `/repos/{owner}/{repo}`.
pub(crate) fn match_path(form: &str, path: &str) -> Option<Map<String, Value>> {
    let mut values = Map::new();
    let (mut expected, mut actual) = (form.split('/'), path.split('/'));
    loop {
        let (expected, actual) = match (expected.next(), actual.next()) {
            (None, None) => return Some(values),
            (Some(expected), Some(actual)) => (expected, actual),
            (None, Some(_)) | (Some(_), None) => return None,
        };
        let actual = percent_decode(actual);
        match expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) if !actual.is_empty() => drop(values.insert(name.to_owned(), actual.into())),
            None if expected == actual => {}
            Some(_) | None => return None,
        }
    }
}

/// Unlike percent-decoding, a form's would read `+` as a space, and end at `&`.
fn percent_decode(segment: &str) -> String {
    let form = format!("={}", segment.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_matches_segment_by_segment_and_gives_decoded_values() {
        let values = |form, path| match_path(form, path).map(Value::Object);
        assert_eq!(values("/user", "/user"), Some(json!({})));
        assert_eq!(values("/r/{owner}/{repo}", "/r/ada/a%2Fb%20c"), Some(json!({ "owner": "ada", "repo": "a/b c" })));
        assert_eq!(values("/r/{a}/{b}", "/r/x+y&z=%26/%C3%A9"), Some(json!({ "a": "x+y&z=&", "b": "é" })));
        for path in ["/r/ada", "/r/ada/", "/r/ada/x/y", "/r//x", "/s/ada/x", "r/ada/x"] {
            assert_eq!(values("/r/{owner}/{repo}", path), None, "{path}");
        }
    }
}
