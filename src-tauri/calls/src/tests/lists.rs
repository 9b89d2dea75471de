//! Lists over HTTP: where their links, cursors and redirects lead, and what their answers may be coded in.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::StatusCode;
use relink_domain::integration::resources::Verb;
use serde_json::{Value, json};

use super::{
    harness::{Got, Provider, text},
    methods::{World, contacts},
};
use crate::{MethodError, MethodTarget, PageError, ReadError, body::full};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const LIST: MethodTarget<'static> = MethodTarget::Named { resource: "contacts", method: "list", id: None };

/// The line of each request, as the provider's records.
fn line(request: &Got) -> Value {
    json!(format!("{} {}", request.method, request.uri))
}

/// Every answer leads to the next page with everything that the request was signed with.
async fn repeating() -> Provider {
    Provider::start(|request: Got, own| {
        let signed = "sig=at-12345678&token=at-12345678&jwt=Bearer%20at-12345678";
        let next = format!("{own}/v1/next?{signed}&page=2&view=1");
        let link = format!("<{next}>; rel=\"next\"");
        let body = json!({"data": [line(&request)], "next": next}).to_string();
        text(StatusCode::OK, &body, &[("content-type", "application/json"), ("link", &link), ("location", &next)])
    })
    .await
}

fn of_repeating(pagination: &Value) -> Value {
    let mut config = contacts(&json!({
        "list": {"path": "/a", "response_path": "data", "pagination": pagination, "query": {"token": "{{api_key}}", "view": "2"}},
        "get": {"path": "/a", "query": {"token": "{{api_key}}"}},
    }));
    config["query"] = json!({"sig": "{{api_key}}"});
    config
}

fn decoded(cursor: &Value) -> String {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor.as_str().expect("a cursor")).expect("base64");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn no_link_and_no_cursor_has_what_a_request_was_signed_with() {
    let provider = repeating().await;
    for pagination in [
        json!({"format": "link_header"}),
        json!({"format": "cursor", "config": {"cursor_path": "next", "is_link": true, "include_path": true}}),
    ] {
        let world = World::with_key(&provider, &of_repeating(&pagination), "at-12345678");
        let list = world.method("list", None, "").await.json();
        let cursor = decoded(&list["next_cursor"]);
        assert!(!cursor.contains("at-12345678") && cursor.contains("page=2&view=1"), "{cursor}");
        let query = format!("next_cursor={}", list["next_cursor"].as_str().expect("a cursor"));
        let next = world.method("list", None, &query).await.json();
        // It is signed again, and the rest of the link is the provider's.
        assert_eq!(next["result"], json!(["GET /v1/next?sig=at-12345678&token=at-12345678&page=2&view=1"]));
    }
    let world = World::with_key(&provider, &of_repeating(&json!({"format": "link_header"})), "at-12345678");
    let one = world.method("get", None, "").await;
    assert_eq!(one.header("location"), Some("http://relink/via/acme/next?page=2&view=1"));
    assert_eq!(one.header("link"), Some("<http://relink/via/acme/next?page=2&view=1>; rel=\"next\""));
}

#[tokio::test]
async fn a_cursor_with_a_secret_that_cannot_be_taken_out_is_given_to_nobody() {
    let cursor = |more: Value| {
        let mut config = json!({"cursor_path": "next"});
        config.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        json!({"format": "cursor", "config": config})
    };
    let (plain, link) = (cursor(json!({})), cursor(json!({"is_link": true, "include_path": true})));
    let in_header = cursor(json!({"cursor_path": "x-next", "cursor_path_object": "header"}));
    let dynamic = json!({"format": "dynamic", "config": {"get_cursor_from_response_expression": "response.data.next"}});
    for (pagination, next, has_secret) in [
        (&plain, json!("after:at-12345678"), true),
        (&plain, json!("after%3Aat%2D12345678"), true),
        (&plain, json!({"after": [1, "at-12345678"]}), true),
        (&plain, json!({"at-12345678": 1}), true),
        (&plain, json!("after:at-1234567"), false),
        (&link, json!("/v1/of/at-12345678/next"), true),
        (&link, json!("/v1/of/at%2D12345678/next?page=2"), true),
        (&link, json!("/v1/next?page=2#at-12345678"), false),
        (&in_header, json!("at-12345678.2"), true),
        (&dynamic, json!({"after": {"at": "at-12345678"}}), true),
        (&dynamic, json!({"after": "2"}), false),
        (&json!({"format": "link_header"}), json!("/v1/of/at-12345678/next"), true),
    ] {
        let answer = next.clone();
        let provider = Provider::start(move |_: Got, _| {
            let text_of = answer.as_str().unwrap_or_default();
            let link = format!("<{text_of}>; rel=\"next\"");
            let headers = [("content-type", "application/json"), ("x-next", text_of), ("link", &link)];
            text(StatusCode::OK, &json!({"data": [1], "next": answer}).to_string(), &headers)
        })
        .await;
        let list = contacts(&json!({"list": {"path": "/a", "response_path": "data", "pagination": pagination}}));
        let world = World::with_key(&provider, &list, "at-12345678");
        match world.run(LIST, "", "application/json", "").await {
            Ok(page) => {
                let cursor = decoded(&page.json()["next_cursor"]);
                assert!(!has_secret && !cursor.contains("at-12345678"), "{next}: {cursor}");
            }
            Err(MethodError::Page(PageError::SecretInCursor)) => assert!(has_secret, "{next}"),
            Err(other) => panic!("{next}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_cursor_leads_only_where_the_answer_of_its_own_list_pointed() {
    let provider = repeating().await;
    let mut config = of_repeating(&json!({"format": "link_header"}));
    config["resources"]["orders"] =
        json!({"list": {"path": "/orders", "method": "post", "pagination": {"format": "link_header"}}});
    let world = World::new(&provider, &config);
    let cursor = world.method("list", None, "").await.json()["next_cursor"].as_str().expect("a cursor").to_owned();
    let sent = provider.requests();
    let elsewhere = MethodTarget::Named { resource: "orders", method: "list", id: None };
    let custom = MethodTarget::Custom { verb: Verb::Post, path: "/orders" };
    let body = json!({"methodConfig": {"pagination": {"format": "link_header"}}}).to_string();
    for target in [elsewhere, custom] {
        let refused = world.run(target, &format!("next_cursor={cursor}"), "application/json", &body).await;
        assert!(matches!(refused, Err(MethodError::Page(PageError::ForeignCursor))), "{target:?}: {refused:?}");
    }
    assert_eq!(provider.requests(), sent);
}

#[tokio::test]
async fn pages_that_relink_skips_are_asked_for_as_later_ones() {
    let provider = Provider::start(|request: Got, _| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let is_first = request.uri.path() == "/v1/first";
        let records = if is_first { json!([]) } else { json!([format!("{} {body}", request.uri.path())]) };
        text(StatusCode::OK, &json!({"data": records, "next": if is_first { "c" } else { "" }}).to_string(), JSON)
    })
    .await;
    let world = World::new(
        &provider,
        &contacts(&json!({"list": {
            "path": "/first", "method": "post", "pagination_path": "/later", "ignore_body_in_pagination": true,
            "body": {"key": "{{api_key}}"}, "response_path": "data",
            "pagination": {"format": "cursor", "config": {"cursor_path": "next"}},
        }})),
    );
    assert_eq!(world.method("list", None, "").await.json()["result"], json!(["/v1/later "]));
    assert_eq!(provider.requests(), 2);
}

/// Answers `/v1/moved/N` with a redirect to `/v1/moved/N-1`, and `/v1/moved/0` with where it leads.
async fn redirecting(status: u16) -> Provider {
    Provider::start(move |request: Got, own| {
        let left: Option<usize> = request.uri.path().strip_prefix("/v1/moved/").and_then(|left| left.parse().ok());
        let to = match left {
            None => return text(StatusCode::OK, &json!([line(&request)]).to_string(), JSON),
            Some(0) => format!("{own}/v1/items?sig=at-1&page=1&page=2"),
            Some(9) => "https://files.example/x?sig=at-1&y=1".to_owned(),
            Some(left) => format!("/v1/moved/{}", left - 1),
        };
        let status = StatusCode::from_u16(status).expect("a status");
        text(status, "{\"moved\": true}", &[("content-type", "application/json"), ("location", &to)])
    })
    .await
}

fn moved() -> Value {
    contacts(&json!({
        "list": {"path": "/moved/{{query.n}}"},
        "pages": {"path": "/moved/{{query.n}}", "pagination": {"format": "page"}},
        "create": {"path": "/moved/0", "method": "post"},
    }))
}

#[tokio::test]
async fn a_redirect_within_the_api_is_followed_with_the_credential() {
    for status in [301, 302, 303, 307, 308] {
        let provider = redirecting(status).await;
        let world = World::new(&provider, &moved());
        for method in ["list", "pages"] {
            let list = world.method(method, None, "n=2&a=1").await.json();
            assert_eq!(list["result"], json!(["GET /v1/items?tenant=eu&sig=at-1&page=1&page=2"]), "{status} {method}");
        }
        let custom = MethodTarget::Custom { verb: Verb::Get, path: "/moved/1" };
        let answer = world.run(custom, "a=1&a=2", "application/json", "").await.expect("an answer").json();
        assert_eq!(answer["result"], json!(["GET /v1/items?tenant=eu&sig=at-1&page=1&page=2"]), "{status}");
    }
}

#[tokio::test]
async fn any_other_redirect_is_the_callers_to_follow_and_no_list() {
    let provider = redirecting(302).await;
    let world = World::new(&provider, &moved());
    for (method, query, location, requests) in [
        // Another origin.
        ("list", "n=9", "https://files.example/x?y=1", 1),
        ("pages", "n=9", "https://files.example/x?y=1", 1),
        // A write.
        ("create", "", "http://relink/via/acme/items?page=1&page=2", 1),
        // Too many.
        ("list", "n=8", "http://relink/via/acme/moved/2", 6),
    ] {
        let before = provider.requests();
        let answer = world.method(method, None, query).await;
        assert_eq!((answer.status, answer.header("location")), (302, Some(location)), "{method} {query}");
        assert_eq!(answer.body, "{\"moved\": true}", "{method} {query}");
        assert_eq!(provider.requests() - before, requests, "{method} {query}");
    }
}

/// A list with one long text, in this coding.
async fn coded(coding: &'static str, status: u16) -> Provider {
    Provider::start(move |request: Got, _| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let accepted = request.headers.get("accept-encoding").and_then(|value| value.to_str().ok()).unwrap_or("none");
        let body = json!([{"accepted": accepted, "text": "x".repeat(3 << 20)}]).to_string();
        encoder.write_all(body.as_bytes()).expect("written");
        let status = StatusCode::from_u16(status).expect("a status");
        let mut response = text(status, "", &[("content-type", "application/json"), ("content-encoding", coding)]);
        *response.body_mut() = full(Bytes::from(encoder.finish().expect("written")));
        response
    })
    .await
}

#[tokio::test]
async fn a_compressed_answer_is_read_whole() {
    let provider = coded("gzip", 200).await;
    let world = World::new(&provider, &contacts(&json!({"list": {"path": "/a"}})));
    for (headers, accepted) in [(&[("accept-encoding", "br, gzip")][..], "gzip"), (&[], "identity")] {
        let answer = world.run_with(LIST, "", headers, "").await.expect("a list");
        let record = &answer.json()["result"][0];
        assert_eq!(
            (record["accepted"].as_str(), record["text"].as_str().map(str::len)),
            (Some(accepted), Some(3 << 20))
        );
        assert_eq!(answer.header("content-encoding"), None);
    }
}

#[tokio::test]
async fn an_answer_in_a_coding_that_nobody_asked_for_is_an_error() {
    let world = async |status| {
        let provider = coded("br", status).await;
        let world = World::new(&provider, &contacts(&json!({"list": {"path": "/a"}})));
        Box::pin(world.run_with(LIST, "", &[], "")).await
    };
    let refused = world(200).await;
    let Err(MethodError::Read(ReadError::Coding(coding))) = refused else { panic!("{refused:?}") };
    assert_eq!(coding, "br");
    // An error stays one.
    assert_eq!(world(503).await.expect("an answer").status, 503);
}

/// A list whose body is this.
async fn answering(body: &'static [u8]) -> Provider {
    Provider::start(move |_, _| {
        let mut response = text(StatusCode::OK, "", JSON);
        *response.body_mut() = full(Bytes::from_static(body));
        response
    })
    .await
}

#[tokio::test]
async fn records_and_cursors_are_as_the_provider_wrote_them() {
    let body = br#" {"next": 1, "data": null,
        "data": [ {"id":9007199254740993 , "price":1.0,"a":1,"a":2}, "\u00e9\/\ud83d\ude00" ], "next" : 18446744073709551615 } "#;
    let provider = answering(body).await;
    let pagination = json!({"format": "cursor", "config": {"cursor_path": "next"}});
    let list = json!({"path": "/a", "response_path": "data", "pagination": pagination});
    let one = json!({"path": "/a", "response_path": "data"});
    let world = World::new(&provider, &contacts(&json!({"list": list, "get": one})));
    let answer = world.method("list", None, "").await;
    let written = r#"[ {"id":9007199254740993 , "price":1.0,"a":1,"a":2}, "\u00e9\/\ud83d\ude00" ]"#;
    let text = String::from_utf8(answer.body.to_vec()).expect("text");
    assert!(text.starts_with(&format!("{{\"result\":{written},\"next_cursor\":\"")), "{text}");
    assert!(text.ends_with("\",\"prev_cursor\":null,\"result_count\":2}"), "{text}");
    let cursor = decoded(&answer.json()["next_cursor"]);
    assert!(cursor.contains("\"c\":18446744073709551615"), "{cursor}");
    assert_eq!(world.method("get", Some("1"), "").await.body, written);
}

#[tokio::test]
async fn an_answer_that_is_malformed_anywhere_is_no_list() {
    for body in [
        &br#"{"data": [{"id": 1}, {"id": 2}], "more": tru}"#[..],
        br#"{"data": [{"id": 1}, {"id": 2}]} x"#,
        br#"{"data": [{"id": 1}, {"id": 2}]"#,
        b"{\"data\": [{\"id\": \"\xff\"}]}",
        b"{\"data\": [1], \"\xc3\": 1}",
    ] {
        let provider = answering(body).await;
        let list = |is_strict: bool| {
            let list = json!({"path": "/a", "response_path": "data", "throw_error_on_parse_error": is_strict});
            World::new(&provider, &contacts(&json!({ "list": list })))
        };
        let refused = list(true).run_with(LIST, "", &[], "").await;
        assert!(matches!(refused, Err(MethodError::Read(ReadError::Unparsable))), "{refused:?}");
        // The text is the data.
        let answer = list(false).method("list", None, "").await.json();
        assert_eq!(answer["result"], json!([String::from_utf8_lossy(body)]));
    }
}
