//! Parts of Truto that Relink lacks (contract section 10.4): a program that asks for them at its start runs on, and one that wants to use
//! them learns that they aren't here.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

const KINDS: [&str; 7] = [
    "alarm",
    "daemon",
    "daemon-job",
    "daemon-job-cron-trigger",
    "daemon-job-run",
    "notification-destination",
    "static-gate",
];

#[tokio::test]
async fn a_list_of_what_is_absent_is_an_empty_page() {
    let world = World::new().await;
    for kind in KINDS {
        let page = world.get(&format!("/{kind}?limit=10&next_cursor=&integration_id=x")).await;
        assert_eq!(page, json!({ "result": [], "next_cursor": null, "limit": 10 }), "{kind}");
        let (status, error) = world.ask(Method::GET, &format!("/{kind}?limit=x"), Value::Null).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{kind}: {error}");
        let (status, error) = world.ask(Method::GET, &format!("/{kind}/7"), Value::Null).await;
        assert_eq!((status, &error["code"]), (StatusCode::NOT_FOUND, &json!("not_found")), "{kind}: {error}");
    }
}

#[tokio::test]
async fn what_would_make_or_use_it_is_refused_with_501() {
    let world = World::new().await;
    let mut requests: Vec<_> = KINDS
        .iter()
        .flat_map(|kind| {
            let (all, one) = (format!("/{kind}"), format!("/{kind}/7"));
            [(Method::POST, all), (Method::PATCH, one.clone()), (Method::DELETE, one)]
        })
        .collect();
    for path in ["/daemon-job-cron-trigger/7/schedule", "/notification-destination/test", "/file"] {
        requests.push((Method::POST, path.to_owned()));
    }
    for (method, path) in requests {
        let (status, error) = world.ask(method.clone(), &path, json!({ "name": "x" })).await;
        assert_eq!(status, StatusCode::NOT_IMPLEMENTED, "{method} {path}: {error}");
        let shape = (&error["statusCode"], &error["error"], &error["code"]);
        assert_eq!(shape, (&json!(501), &json!("Not Implemented"), &json!("not_in_relink")), "{method} {path}");
        assert!(error["message"].as_str().is_some_and(|text| text.starts_with("Relink has no ")), "{error}");
    }
}
