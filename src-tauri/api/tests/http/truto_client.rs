//! Truto's TypeScript SDK (2.0.12, under Node) as it is on the wire (contract section 13.1).
//!
//! Calls of the rows marked ‡ are built without a leading slash, so that the SDK's base URL must end in one, and the paths of all others
//! begin with two. Ids are percent-encoded, but not in the rows marked †. A body has the type that `fetch` gives a text.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::world::World;

pub struct Sdk<'a> {
    world: &'a World,
    token: String,
}

/// An answer, as the SDK reads it.
#[derive(Debug, Clone, PartialEq)]
pub enum Read {
    Json(Value),
    Blob(Vec<u8>),
    /// What the SDK throws: the status, whose reason phrase is its message, and the body.
    Error(u16, Value),
}

impl Read {
    pub fn json(self) -> Value {
        match self {
            Self::Json(value) => value,
            other => panic!("{other:?}"),
        }
    }

    pub fn refused(self) -> (u16, Value) {
        match self {
            Self::Error(status, body) => (status, body),
            other => panic!("{other:?}"),
        }
    }
}

/// An id in a path, as `encodeURIComponent` writes it.
pub fn encoded(id: &str) -> String {
    form_urlencoded::byte_serialize(id.as_bytes()).collect::<String>().replace('+', "%20")
}

impl<'a> Sdk<'a> {
    /// With a token of full access.
    pub fn new(world: &'a World) -> Self {
        Self { world, token: world.token.clone() }
    }

    pub fn with_token(world: &'a World, token: &str) -> Self {
        Self { world, token: token.to_owned() }
    }

    /// `apiClient.request`. The path is what follows the base URL and its slash.
    pub async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Read {
        let body = body.map(|body| ("text/plain;charset=UTF-8".to_owned(), body.to_string().into_bytes()));
        self.send(method, path, body).await
    }

    /// The same, with a body and its type.
    pub async fn send(&self, method: Method, path: &str, body: Option<(String, Vec<u8>)>) -> Read {
        let url = format!("{}/{path}", self.world.base());
        let mut request = self.world.client.request(method.clone(), url).bearer_auth(&self.token);
        if let Some((content_type, body)) = body {
            request = request.header(header::CONTENT_TYPE, content_type).body(body);
        }
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        let is_json =
            headers.get(header::CONTENT_TYPE).is_some_and(|it| it.to_str().is_ok_and(|it| it.contains("json")));
        let bytes = answer.bytes().await.expect("a body").to_vec();
        match serde_json::from_slice(&bytes) {
            _ if status == StatusCode::NO_CONTENT => Read::Json(json!({})),
            Ok(body) if is_json && status.is_success() => Read::Json(body),
            Ok(body) if is_json => Read::Error(status.as_u16(), body),
            _ if !is_json && status.is_success() => Read::Blob(bytes),
            _ => panic!("{method} {path}: {status}, of a type that the SDK can't read"),
        }
    }

    /// A cursor: all options and `next_cursor`, until that is empty.
    pub async fn list(&self, resource: &str, options: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let query = [options, &format!("next_cursor={}", encoded(&cursor))].join("&");
            let page =
                self.request(Method::GET, &format!("/{resource}?{}", query.trim_start_matches('&')), None).await.json();
            items.extend(page["result"].as_array().unwrap_or_else(|| panic!("{resource}: {page}")).clone());
            match page["next_cursor"].as_str() {
                Some(next) if !next.is_empty() => next.clone_into(&mut cursor),
                _ => return items,
            }
        }
    }

    /// `.first()`: without a cursor.
    pub async fn first(&self, resource: &str, options: &str) -> Value {
        let page = self.request(Method::GET, &format!("/{resource}?{options}"), None).await.json();
        page["result"][0].clone()
    }

    pub async fn get(&self, resource: &str, id: &Value) -> Read {
        self.request(Method::GET, &format!("/{resource}/{}?", encoded(text(id))), None).await
    }

    pub async fn create(&self, resource: &str, body: &Value) -> Read {
        self.request(Method::POST, &format!("/{resource}?"), Some(body)).await
    }

    pub async fn update(&self, resource: &str, id: &Value, body: &Value) -> Read {
        self.request(Method::PATCH, &format!("/{resource}/{}?", encoded(text(id))), Some(body)).await
    }

    /// Reads `{id}`.
    pub async fn delete(&self, resource: &str, id: &Value) {
        let deleted = self.request(Method::DELETE, &format!("/{resource}/{}?", encoded(text(id))), None).await.json();
        assert_eq!(deleted["id"], *id, "{resource}: {deleted}");
    }

    /// A part of Truto that Relink lacks: an empty list, no such object, and 501 for what else is asked for (contract section 10.4).
    /// `methods`: **L**ist, **G**et, **C**reate, **U**pdate, **D**elete.
    pub async fn finds_nothing_of(&self, resource: &str, methods: &str) {
        let id = json!("7");
        for method in methods.chars() {
            let (expected, read) = match method {
                'L' => {
                    assert_eq!(self.list(resource, "limit=10").await, Vec::<Value>::new(), "{resource}");
                    continue;
                }
                'G' => (404, self.get(resource, &id).await),
                'C' => (501, self.create(resource, &json!({ "name": "x" })).await),
                'U' => (501, self.update(resource, &id, &json!({ "name": "x" })).await),
                _ => (501, self.request(Method::DELETE, &format!("/{resource}/7?"), None).await),
            };
            refused_with(expected, read);
        }
    }

    /// A request that Relink refuses with 501.
    pub async fn lacks(&self, method: Method, path: &str, body: Option<&Value>) {
        refused_with(501, self.request(method, path, body).await);
    }
}

/// The envelope of an error with this status (contract section 0.4).
pub fn refused_with(expected: u16, read: Read) {
    let (status, error) = read.refused();
    let reason = StatusCode::from_u16(expected).expect("a status").canonical_reason();
    assert_eq!(
        (status, &error["statusCode"], error["error"].as_str()),
        (expected, &json!(expected), reason),
        "{error}"
    );
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}
