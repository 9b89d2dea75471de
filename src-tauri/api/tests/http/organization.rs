//! The environment, the team, its user and the categories (contract section 11), as Truto's clients read them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

const NOBODYS: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";

async fn the_one(world: &World, kind: &str) -> Value {
    let page = world.get(&format!("/{kind}")).await;
    assert_eq!((&page["next_cursor"], &page["limit"]), (&Value::Null, &json!(5000)), "{kind}");
    let [one] = page["result"].as_array().expect("a list").as_slice() else { panic!("{kind}: {page}") };
    one.clone()
}

#[tokio::test]
async fn there_is_one_environment_one_team_and_one_user_and_they_belong_together() {
    let world = World::new().await;
    let [environment, team, user] =
        [the_one(&world, "environment").await, the_one(&world, "team").await, the_one(&world, "user").await];
    let status = world.get("/relink/status").await;
    assert_eq!(environment["id"], status["environment_id"], "the one that every row names");
    assert_eq!(environment["team_id"], team["id"]);
    assert_eq!((&user["team"], &user["environment"]), (&json!([team["id"]]), &json!([environment["id"]])));
    assert_eq!((&user["is_active"], &user["is_staff"], &user["email"]), (&json!(true), &json!(false), &Value::Null));
    for (kind, row) in [("environment", &environment), ("team", &team), ("user", &user)] {
        let id = row["id"].as_str().expect("an id");
        assert_eq!(world.get(&format!("/{kind}/{id}")).await, *row, "{kind}");
        for unknown in [NOBODYS, "x"] {
            let (status, error) = world.ask(Method::GET, &format!("/{kind}/{unknown}"), Value::Null).await;
            assert_eq!((status, &error["code"]), (StatusCode::NOT_FOUND, &json!("not_found")), "{kind}: {error}");
        }
        let none = world.get(&format!("/{kind}?id={NOBODYS}")).await;
        assert_eq!(none["result"], json!([]), "{kind}: another id");
    }
}

#[tokio::test]
async fn the_environment_and_the_team_are_renamed_and_keep_what_is_not_given() {
    let world = World::new().await;
    let (environment, team) = (the_one(&world, "environment").await, the_one(&world, "team").await);
    let path = |kind: &str, row: &Value| format!("/{kind}/{}", row["id"].as_str().expect("an id"));
    let change = async |path: &str, body: Value| world.ask(Method::PATCH, path, body).await;

    let (status, renamed) = change(&path("environment", &environment), json!({ "name": " Production " })).await;
    assert_eq!((status, &renamed["name"]), (StatusCode::OK, &json!("Production")));
    assert_eq!(the_one(&world, "environment").await, renamed);

    let given = json!({ "domain": "example.com", "logo": "https://example.com/l.svg" });
    let (status, changed) = change(&path("team", &team), given).await;
    assert_eq!((status, &changed["name"], &changed["domain"]), (StatusCode::OK, &team["name"], &json!("example.com")));
    let (_, changed) = change(&path("team", &team), json!({ "name": "Acme", "domain": "" })).await;
    assert_eq!((&changed["name"], &changed["domain"]), (&json!("Acme"), &Value::Null));
    assert_eq!(changed["logo"], "https://example.com/l.svg");
    assert_eq!(the_one(&world, "team").await, changed);

    for (path, body, field) in [
        (path("environment", &environment), json!({ "name": "a\nb" }), "name"),
        (path("team", &team), json!({ "domain": "x".repeat(101) }), "domain"),
    ] {
        let (status, error) = change(&path, body).await;
        assert_eq!(
            (status, &error["details"]["failures"][0]["path"]),
            (StatusCode::BAD_REQUEST, &json!(field)),
            "{error}"
        );
    }
    let (status, _) = change(&format!("/team/{NOBODYS}"), json!({ "name": "x" })).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_categories_are_those_of_the_catalog() {
    let world = World::new().await;
    let page = world.get("/category").await;
    let names: Vec<_> = page["result"].as_array().expect("a list").iter().map(|it| it["name"].clone()).collect();
    let mut known: Vec<_> = world.get("/integration").await["result"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|integration| integration["category"].clone())
        .collect();
    assert!(names.contains(&json!("crm")) && names.iter().all(|name| known.contains(name)), "{names:?}");
    known.retain(|name| !names.contains(name));
    assert_eq!(known, Vec::<Value>::new(), "each is listed");
    let crm = world.get("/category?name=crm").await;
    assert_eq!(crm["result"][0]["label"], "CRM");
}

#[tokio::test]
async fn an_api_token_is_neither_made_nor_changed_nor_deleted_by_trutos_route() {
    let world = World::new().await;
    let id = world.get("/api-token").await["result"][0]["id"].as_str().expect("an id").to_owned();
    let one = format!("/api-token/{id}");
    for token in [&world.token, &world.person] {
        for (method, path) in [(Method::POST, "/api-token"), (Method::DELETE, &one), (Method::PATCH, &one)] {
            let (status, said) = world.ask_with(token, method.clone(), path, json!({ "name": "x" })).await;
            let refused = (StatusCode::METHOD_NOT_ALLOWED, &json!("no_such_method"));
            assert_eq!((status, &said["code"]), refused, "{method} {path}: {said}");
        }
    }
    assert_eq!(world.get(&one).await["id"], json!(id), "it is still there");
}
