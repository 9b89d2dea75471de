//! `/sandbox-integrated-account`: accounts that programs mark, and that can then only read.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    answering_provider::{Provider, SignIn, name},
    world::World,
};

const PATH: &str = "/sandbox-integrated-account";

/// A world with two accounts of a real provider, the first of which is marked.
struct Pair {
    world: World,
    provider: Provider,
    marked: String,
    other: String,
}

impl Pair {
    async fn new() -> Self {
        let world = World::new().await;
        let provider = Provider::start(true).await;
        let marked = provider.connect(&world, SignIn::OAuth, 1).await;
        let other = provider.connect(&world, SignIn::ApiKey, 2).await;
        let row = world.post(PATH, json!({ "id": marked })).await;
        assert_eq!((&row["id"], &row["integrated_account"]["id"]), (&json!(marked), &json!(marked)), "{row}");
        Self { world, provider, marked, other }
    }

    async fn unmark(&self) -> (StatusCode, Value) {
        self.world.ask(Method::DELETE, &format!("{PATH}/{}", self.marked), Value::Null).await
    }

    async fn write(&self, account: &str) -> (StatusCode, Value) {
        self.world.ask(Method::POST, &format!("/proxy/items?integrated_account_id={account}"), json!({ "a": 1 })).await
    }
}

#[tokio::test]
async fn a_marked_account_is_listed_and_shown_as_the_account_that_it_is() {
    let it = Pair::new().await;
    let account = it.world.get(&format!("/integrated-account/{}", it.marked)).await;
    assert_eq!((&account["is_sandbox"], &account["status"]), (&json!(true), &json!("active")));
    let row = it.world.get(&format!("{PATH}/{}", it.marked)).await;
    let mut keys: Vec<_> = row.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["created_at", "id", "integrated_account", "updated_at"]);
    assert_eq!(row["integrated_account"], account);
    assert_eq!(row["updated_at"], account["updated_at"]);
    assert!(row["created_at"].as_str() > account["created_at"].as_str(), "since it was marked: {row}");
    let page = it.world.get(&format!("{PATH}?next_cursor=&limit=5000")).await;
    assert_eq!(page, json!({ "result": [row], "next_cursor": null, "limit": 5000 }));
    let listed = it.world.get("/integrated-account?is_sandbox=true").await;
    assert_eq!(listed["result"], json!([account]));
    for (query, count) in
        [(format!("id={}", it.marked), 1), (format!("id={}", it.other), 0), ("created_at[lt]=2021-01-01".to_owned(), 0)]
    {
        let page = it.world.get(&format!("{PATH}?{query}")).await;
        assert_eq!(page["result"].as_array().map(Vec::len), Some(count), "{query}: {page}");
    }
}

#[tokio::test]
async fn pages_are_in_the_order_of_the_marks_and_skip_nothing_when_one_is_taken_away() {
    let it = Pair::new().await;
    let third = it.provider.connect(&it.world, SignIn::ApiKey, 3).await;
    it.world.post(PATH, json!({ "id": third })).await;
    it.world.post(PATH, json!({ "id": it.other })).await;
    let page = async |query: &str| {
        let page = it.world.get(&format!("{PATH}?limit=1&{query}")).await;
        (page["result"][0]["id"].as_str().map(str::to_owned), page["next_cursor"].as_str().map(str::to_owned))
    };
    for (sort, order) in [
        ("created_at", [&it.marked, &third, &it.other]),
        ("-created_at", [&it.other, &third, &it.marked]),
        ("updated_at", [&it.marked, &third, &it.other]),
        ("-updated_at", [&it.other, &third, &it.marked]),
    ] {
        let mut cursor = String::new();
        for (at, expected) in order.into_iter().enumerate() {
            let (id, next) = page(&format!("sort={sort}&next_cursor={cursor}")).await;
            assert_eq!((id.as_ref(), next.is_some()), (Some(expected), at < 2), "{sort}, page {at}");
            cursor = next.unwrap_or_default();
        }
    }

    let (first, next) = page("sort=created_at").await;
    assert_eq!(first.as_ref(), Some(&it.marked));
    it.unmark().await;
    let (second, _) = page(&format!("sort=created_at&next_cursor={}", next.expect("more"))).await;
    assert_eq!(second, Some(third));
}

#[tokio::test]
async fn a_marked_account_reads_and_does_not_write() {
    let it = Pair::new().await;
    let (status, refused) = it.write(&it.marked).await;
    let code = &refused["code"];
    assert_eq!((status, code), (StatusCode::METHOD_NOT_ALLOWED, &json!("sandbox_is_read_only")), "{refused}");
    it.world.get(&format!("/proxy/items?integrated_account_id={}", it.marked)).await;
    assert_eq!(it.write(&it.other).await.0, StatusCode::OK, "an account without a mark");
}

#[tokio::test]
async fn deleting_the_mark_leaves_the_account_which_writes_again() {
    let it = Pair::new().await;
    assert_eq!(it.unmark().await, (StatusCode::OK, json!({ "id": it.marked })));
    let account = it.world.get(&format!("/integrated-account/{}", it.marked)).await;
    assert_eq!((&account["is_sandbox"], &account["status"]), (&json!(false), &json!("active")));
    assert_eq!(it.world.get(PATH).await["result"], json!([]));
    assert_eq!(it.write(&it.marked).await.0, StatusCode::OK);
    for (method, id) in [(Method::GET, &it.marked), (Method::DELETE, &it.marked), (Method::GET, &it.other)] {
        let (status, error) = it.world.ask(method.clone(), &format!("{PATH}/{id}"), Value::Null).await;
        assert_eq!((status, &error["code"]), (StatusCode::NOT_FOUND, &json!("not_found")), "{method}: {error}");
    }
}

#[tokio::test]
async fn a_mark_is_an_update_once_with_its_line_in_the_timeline_and_outlives_a_reauthorization() {
    let it = Pair::new().await;
    let seq = it.world.latest_event();
    let events = async || {
        let events = it.world.get(&format!("/relink/events?after={seq}")).await;
        events["result"].as_array().expect("events").iter().map(|event| event["event"].clone()).collect::<Vec<_>>()
    };
    let again = it.world.post(PATH, json!({ "id": it.marked })).await;
    assert_eq!(again, it.world.get(&format!("{PATH}/{}", it.marked)).await);
    assert_eq!(events().await, Vec::<Value>::new(), "it was marked already");
    let newest = async || it.world.get(&format!("/relink/timeline?account={}&limit=1", it.marked)).await;
    let newest_entry = newest().await["result"][0].clone();
    assert_eq!(
        (&newest_entry["kind"], &newest_entry["title"]),
        (&json!("sandbox_marked"), &json!("Marked as a sandbox account"))
    );

    let link = json!({ "integrated_account_id": it.marked });
    Provider::sign_in(&it.world, SignIn::OAuth, &name(SignIn::OAuth, 1), link).await;
    assert_eq!(it.world.get(&format!("{PATH}/{}", it.marked)).await["created_at"], again["created_at"]);
    let seq = it.world.latest_event();
    it.unmark().await;
    let event = it.world.get(&format!("/relink/events?after={seq}")).await["result"][0].clone();
    assert_eq!(event["event"], "integrated_account:updated", "{event}");
    assert_eq!(event["payload"]["is_sandbox"], json!(false), "{event}");
    assert_eq!(newest().await["result"][0]["title"], "No longer a sandbox account");
    assert_eq!(it.provider.with(|state| state.api.len()), 1);
}

#[tokio::test]
async fn an_account_of_the_sandbox_is_one_from_its_beginning_and_an_unknown_account_is_not_found() {
    let world = World::new().await;
    world.sandbox().await;
    let account = world.account("acme-1").await;
    let row = world.get(&format!("{PATH}/{account}")).await;
    assert_eq!(row["created_at"], row["integrated_account"]["created_at"]);
    for id in ["0190a1b2-c3d4-7e5f-8a9b-000000000001", "nobody"] {
        let (status, error) = world.ask(Method::POST, PATH, json!({ "id": id })).await;
        assert_eq!((status, &error["code"]), (StatusCode::NOT_FOUND, &json!("not_found")), "{id}: {error}");
    }
    let (status, error) = world.ask(Method::POST, PATH, json!({})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{error}");
}
