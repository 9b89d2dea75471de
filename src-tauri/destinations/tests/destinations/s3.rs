//! An S3-compatible datastore: npm's `s3rver`, which stores objects for an access key that it knows (it doesn't check signatures of
//! version 4), and a server that refuses.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use relink_destinations::{Datastore, S3};
use relink_domain::sync::{BatchId, DestinationKind};
use relink_sync::{Delivery, DeliveryError};
use serde_json::{Value, json, value::RawValue};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::Command,
};

use crate::world::run;

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    builder.build().expect("builds")
}

fn config(base_url: &str) -> Value {
    json!({
        "access_key_id": "S3RVER", "secret_access_key": "S3RVER", "region": "eu-central-1", "bucket": "exports",
        "base_url": base_url,
    })
}

async fn deliver(config: &Value, place: u64, method: &str, records: &[&str]) -> Result<(), DeliveryError> {
    let records: Vec<Box<RawValue>> =
        records.iter().map(|record| RawValue::from_string((*record).to_owned()).expect("JSON")).collect();
    let delivery = Delivery {
        id: BatchId::new(run(1), &[place]),
        kind: &DestinationKind::Datastore { method: method.to_owned(), loop_on: None },
        destination: "out",
        resource: "crm/contacts",
        config: Some(json!({"id": "d", "config": {"prefix": "a b"}})),
        account: None,
        records: &records,
        tracked: None,
    };
    S3::new(client()).deliver(&Datastore::read(config).expect("reads"), &delivery).await
}

#[tokio::test]
async fn a_real_server_has_an_object_for_each_batch() {
    // Given
    let folder = tempfile::tempdir().expect("makes a folder");
    let modules = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/node_modules/s3rver/bin/s3rver.js");
    let mut server = Command::new("node")
        .args([modules, "--address", "127.0.0.1", "--port", "0", "--configure-bucket", "exports", "--directory"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("starts Node.js");
    let mut output = BufReader::new(server.stdout.take().expect("is piped")).lines();
    let port = loop {
        let line =
            output.next_line().await.expect("reads").expect("npm's modules in tests/ are missing; run make setup");
        if let Some(port) = line.rsplit(':').next().and_then(|end| end.trim().parse::<u16>().ok()) {
            break port;
        }
    };
    let config = config(&format!("http://127.0.0.1:{port}"));
    // When
    for place in [1, 2, 1] {
        let records = [format!("{{\n \"id\": {place}}}"), "[]".to_owned()];
        deliver(&config, place, "uploadObject", &[&records[0], &records[1]]).await.expect("delivers");
    }
    // Then
    let mut objects: Vec<(String, String)> = Vec::new();
    let stored = folder.path().join("exports/a b/crm/contacts");
    for name in crate::world::names_in(&stored) {
        if let Some(key) = name.strip_suffix("._S3rver_object") {
            objects.push((key.to_owned(), std::fs::read_to_string(stored.join(&name)).expect("reads")));
        }
    }
    let mut expected: Vec<(String, String)> = [1, 2]
        .map(|place| (format!("{}.jsonl", BatchId::new(run(1), &[place])), format!("{{\"id\": {place}}}\n[]\n")))
        .into();
    expected.sort();
    assert_eq!(objects, expected);
    // And: the test of a datastore leaves nothing, and says what is wrong
    let s3 = S3::new(client());
    let test = async |key: &str, value: &str| {
        let mut config = config.clone();
        config[key] = value.into();
        s3.test(&Datastore::read(&config).expect("reads"), "uploadObject").await
    };
    assert_eq!(test("bucket", "exports").await, Ok(()));
    assert_eq!(crate::world::names_in(&folder.path().join("exports")), ["a b"]);
    for (key, code, hint) in [
        ("bucket", "NoSuchBucket", "Create the bucket, or correct the datastore's bucket."),
        ("access_key_id", "InvalidAccessKeyId", "Enter the datastore's access_key_id and secret_access_key again."),
    ] {
        let error = test(key, "another").await.expect_err("it must fail");
        assert_eq!((&error["provider"]["code"], &error["hint"]), (&json!(code), &json!(hint)), "{error}");
        assert!(error["message"].as_str().is_some_and(|it| it.contains(code)), "{error}");
    }
}

/// What a server answers to all requests, and the requests that it had.
struct Scripted {
    answer: Mutex<(StatusCode, &'static str, &'static str)>,
    requests: Mutex<Vec<String>>,
}

async fn scripted(answer: (StatusCode, &'static str, &'static str)) -> (Arc<Scripted>, Value) {
    let scripted = Arc::new(Scripted { answer: Mutex::new(answer), requests: Mutex::default() });
    let handler = async |State(scripted): State<Arc<Scripted>>, method: Method, uri: Uri, _: Bytes| -> Response {
        scripted.requests.lock().expect("locks").push(format!("{method} {}", uri.path()));
        let (status, header, body) = *scripted.answer.lock().expect("locks");
        let mut headers = HeaderMap::new();
        if !header.is_empty() {
            headers.insert("retry-after", header.parse().expect("a header"));
        }
        (status, headers, body).into_response()
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("binds");
    let base_url = format!("http://{}", listener.local_addr().expect("is bound"));
    let router = Router::new().fallback(handler).with_state(scripted.clone());
    tokio::spawn(async { axum::serve(listener, router).await });
    (scripted, config(&base_url))
}

#[tokio::test]
async fn a_passing_error_is_a_pause_and_another_one_is_said() {
    let (server, config) = scripted((StatusCode::OK, "", "")).await;
    let slow_down = "<Error><Code>SlowDown</Code><Message>Slow down</Message></Error>";
    for (answer, seconds) in [
        ((StatusCode::SERVICE_UNAVAILABLE, "", slow_down), 10),
        ((StatusCode::TOO_MANY_REQUESTS, "7", ""), 7),
        ((StatusCode::INTERNAL_SERVER_ERROR, "99999999", ""), 3600),
        ((StatusCode::SERVICE_UNAVAILABLE, "Wed, 21 Oct 2015 07:28:00 GMT", ""), 10),
    ] {
        *server.answer.lock().expect("locks") = answer;
        let delivered = deliver(&config, 1, "uploadObject", &["1"]).await;
        assert_eq!(delivered, Err(DeliveryError::RetryAfter { seconds }), "{answer:?}");
    }
    let moved = "<Error><Code>PermanentRedirect</Code><Message>Elsewhere</Message><Signature>s</Signature></Error>";
    *server.answer.lock().expect("locks") = (StatusCode::MOVED_PERMANENTLY, "", moved);
    let Err(DeliveryError::Failed(error)) = deliver(&config, 1, "uploadObject", &["1"]).await else {
        panic!("it must fail");
    };
    assert_eq!(error["statusCode"], 301);
    assert_eq!(
        error["hint"],
        "The bucket is in another region. Correct the datastore's region, and its base_url if it has one."
    );
    assert_eq!(error["raw_response"], json!({"Code": "PermanentRedirect", "Message": "Elsewhere"}));
    let key = format!("PUT /exports/a%20b/crm/contacts/{}.jsonl", BatchId::new(run(1), &[1]));
    assert_eq!(*server.requests.lock().expect("locks"), vec![key; 5]);
}

#[tokio::test]
async fn nobody_at_the_address_is_a_pause_and_an_error_of_the_test() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("binds");
    let address = listener.local_addr().expect("is bound");
    drop(listener);
    let config = config(&format!("http://{address}"));
    let delivered = deliver(&config, 1, "uploadObject", &["1"]).await;
    assert_eq!(delivered, Err(DeliveryError::RetryAfter { seconds: 10 }));
    let datastore = Datastore::read(&config).expect("reads");
    let error = S3::new(client()).test(&datastore, "uploadObject").await.expect_err("it must fail");
    let message = error["message"].as_str().expect("a message");
    assert!(message.starts_with("The datastore at 127.0.0.1 can't be reached ("), "{message}");
    assert!(message.contains("refused") && !message.contains("X-Amz"), "{message}");
    assert_eq!(error["statusCode"], 502);
}

#[tokio::test]
async fn a_method_that_writes_no_object_is_refused_before_any_request() {
    let (server, config) = scripted((StatusCode::OK, "", "")).await;
    let Err(DeliveryError::Failed(error)) = deliver(&config, 1, "insertOne", &["1"]).await else {
        panic!("it must fail");
    };
    let message =
        "\"insertOne\" is no method of an s3 datastore, so nothing was written. Use \"uploadObject\" in the job.";
    assert_eq!((&error["statusCode"], &error["message"]), (&json!(400), &json!(message)));
    let datastore = Datastore::read(&config).expect("reads");
    let tested = S3::new(client()).test(&datastore, "insertOne").await.expect_err("it must fail");
    assert_eq!(tested, error);
    deliver(&config, 1, "uploadObject", &[]).await.expect("delivers");
    assert!(server.requests.lock().expect("locks").is_empty());
}
