//! Files that are sent through the unified API (contract sections 8.2 and 13.1), to a provider that compares their bytes.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, body::Bytes, extract::Request};
use reqwest::{StatusCode, header};
use serde_json::{Value, json};

use crate::{
    answering_provider::{Provider, SignIn, name},
    unified_model::Model,
    world::World,
};

/// A body with its type.
type Sent = (String, Bytes);

/// A provider that takes files.
struct Files {
    world: World,
    account: String,
    received: Arc<Mutex<Vec<Sent>>>,
    _provider: Provider,
}

impl Files {
    /// With what its integration's definition says of the body.
    async fn new(body_format: &str) -> Self {
        let world = World::new().await;
        let received: Arc<Mutex<Vec<Sent>>> = Arc::default();
        let kept = Arc::clone(&received);
        let api = Router::new().fallback(move |request: Request| async move {
            let kind = request.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().expect("text").to_owned());
            let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.expect("a body");
            kept.lock().expect("not poisoned").push((kind.unwrap_or_default(), body));
            Json(json!({ "id": 7 }))
        });
        let create = json!({ "path": "/files", "method": "post", "body_format": body_format });
        let provider = Provider::with_api(true, |_| api).await.with_resources(json!({ "files": { "create": create } }));
        let account = provider.connect(&world, SignIn::OAuth, 0).await;
        let config = json!({
            "resource": "files",
            "request_body_mapping": "{\"Title\": body.title}",
            "request_body_schema": { "type": "object", "required": ["title"], "properties": {
                "title": { "type": "string" }, "file": { "type": "object" },
            } },
            "response_mapping": "{\"id\": $string(response.id), \"of\": body.file.file_name}",
            "file_upload": { "field": "file" },
        });
        Model::new(&world).await.map(&name(SignIn::OAuth, 0), "items", "create", config).await;
        Self { world, account, received, _provider: provider }
    }

    /// Creates an item of this body.
    async fn create(&self, kind: &str, body: Vec<u8>) -> (StatusCode, Value) {
        let url = format!("{}/unified/sales/items?integrated_account_id={}", self.world.base(), self.account);
        let request = self.world.client.post(url).bearer_auth(&self.world.token).header(header::CONTENT_TYPE, kind);
        let answer = request.body(body).send().await.expect("an answer");
        (answer.status(), answer.json().await.expect("JSON"))
    }

    fn received(&self) -> Vec<Sent> {
        std::mem::take(&mut self.received.lock().expect("not poisoned"))
    }
}

const FORM: &str = "multipart/form-data; boundary=----of-the-caller";

/// A form with these parts, as a browser or Truto's SDK sends it.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (head, content) in parts {
        body.extend(format!("------of-the-caller\r\nContent-Disposition: form-data; {head}\r\n\r\n").bytes());
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(b"------of-the-caller--\r\n");
    body
}

const TITLE: (&str, &[u8]) = ("name=\"title\"", b"Plan");
/// Not UTF-8, with what a boundary begins with in it.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\x00\xff\r\n--\r\n------of\xfe";

#[tokio::test]
async fn a_form_with_a_file_arrives_byte_for_byte() {
    for body_format in ["multipart", "json"] {
        let it = Files::new(body_format).await;
        for (head, content, file) in [
            ("name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png", PICTURE, "a.png"),
            // A file of text is a file too, with its name and its type.
            ("name=\"file\"; filename=\"\u{fc}.csv\"\r\nContent-Type: text/csv", b"a,b\r\n1,2", "\u{fc}.csv"),
        ] {
            let body = form(&[TITLE, (head, content)]);
            let (status, record) = it.create(FORM, body.clone()).await;
            assert_eq!((status, &record["id"], &record["of"]), (StatusCode::OK, &json!("7"), &json!(file)), "{record}");
            assert_eq!(it.received(), [(FORM.to_owned(), Bytes::from(body))], "{body_format}: {file}");
        }
    }
}

#[tokio::test]
async fn a_form_with_a_file_is_asked_for_what_its_schema_requires() {
    let it = Files::new("multipart").await;
    for parts in [
        &[("name=\"file\"; filename=\"a.png\"", PICTURE)][..],
        &[("name=\"title\"", b""), ("name=\"file\"; filename=\"a.png\"", PICTURE)],
        &[("name=\"title\"; filename=\"\"", b"")],
    ] {
        let (status, error) = it.create(FORM, form(parts)).await;
        assert_eq!((status, &error["code"]), (StatusCode::BAD_REQUEST, &json!("required_missing")), "{error}");
        let missing = &error["truto_error_insight"]["missing_required_body_fields"]["value"];
        assert_eq!(*missing, json!(["title"]), "{error}");
    }
    assert_eq!(it.received(), []);
}

#[tokio::test]
async fn a_form_without_a_file_is_mapped_and_written_as_the_definition_says() {
    let it = Files::new("multipart").await;
    let (status, record) = it.create(FORM, form(&[TITLE])).await;
    assert_eq!(status, StatusCode::OK, "{record}");
    let [(kind, body)] = &it.received()[..] else { panic!("one request") };
    assert!(kind.starts_with("multipart/form-data; boundary=") && kind != FORM, "{kind}");
    let text = String::from_utf8_lossy(body);
    assert!(text.contains("form-data; name=\"Title\"\r\n\r\nPlan\r\n"), "{text}");
}

#[tokio::test]
async fn how_files_are_sent_is_described() {
    let it = Files::new("multipart").await;
    let meta = it.world.get(&format!("/unified/sales/items/meta/create?integrated_account_id={}", it.account)).await;
    assert_eq!(meta["file_upload"], json!({ "field": "file" }), "{meta}");
}
