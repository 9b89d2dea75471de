//! MCP servers (contract section 10.2).

use relink_domain::{
    caller::{Caller, Grant, TokenLevel},
    token_limits::TokenLimits,
};
use reqwest::{Method, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::world::World;

/// An account's server: its path and its id.
async fn server(world: &World, account: &str, new: Value) -> (String, String) {
    let made = world.post(&format!("/integrated-account/{account}/mcp"), new).await;
    let url = made["url"].as_str().expect("a URL");
    assert!(url.ends_with(made["token"].as_str().expect("a token")), "{made}");
    let path = url.strip_prefix(world.base()).expect("our own address");
    (path.to_owned(), made["id"].as_str().expect("an id").to_owned())
}

/// A message with no more than what Truto's own clients send.
async fn send(world: &World, path: &str, message: &Value) -> Response {
    let url = format!("{}{path}", world.base());
    world.client.post(url).body(message.to_string()).send().await.expect("an answer")
}

async fn answer(world: &World, path: &str, message: Value) -> Value {
    let answer = send(world, path, &message).await;
    let content_type = answer.headers().get(header::CONTENT_TYPE).map(|it| it.to_str().expect("text").to_owned());
    let status = answer.status();
    let text = answer.text().await.expect("a body");
    assert_eq!((status, content_type.as_deref()), (StatusCode::OK, Some("application/json")), "{text}");
    assert!(!text.contains('\n'), "one line: {text}");
    serde_json::from_str(&text).expect("JSON")
}

fn names(listed: &Value) -> Vec<&str> {
    let tools = listed["result"]["tools"].as_array().unwrap_or_else(|| panic!("{listed}"));
    tools.iter().map(|tool| tool["name"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn an_agent_finds_and_calls_the_accounts_tools() {
    let world = World::new().await;
    world.sandbox().await;
    let account = world.account("acme").await;
    let (path, _) = server(&world, &account, json!({ "name": "claude" })).await;
    // Without "jsonrpc" and without an id, as Truto's SDKs send it.
    let params =
        json!({"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}});
    let begun = answer(&world, &path, json!({"method": "initialize", "params": params})).await;
    assert_eq!((&begun["jsonrpc"], &begun["id"]), (&json!("2.0"), &Value::Null), "{begun}");
    assert_eq!(begun["result"]["protocolVersion"], "2024-11-05", "{begun}");
    assert_eq!(begun["result"]["serverInfo"]["name"], "relink", "{begun}");
    let notified = send(&world, &path, &json!({"method": "notifications/initialized"})).await;
    assert_eq!((notified.status(), notified.text().await.expect("a body").as_str()), (StatusCode::ACCEPTED, ""));

    let listed = answer(&world, &path, json!({"jsonrpc": "2.0", "id": "a", "method": "tools/list"})).await;
    assert_eq!(listed["id"], "a");
    let of_account = world.get(&format!("/integrated-account/{account}/tools")).await;
    let expected: Vec<_> = of_account["result"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|tool| tool["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names(&listed), expected);
    let name = "list_all_sandbox_items";
    let list = listed["result"]["tools"].as_array().and_then(|tools| tools.iter().find(|tool| tool["name"] == name));
    let list = list.unwrap_or_else(|| panic!("{listed}"));
    assert_eq!((&list["inputSchema"]["type"], &list["annotations"]["readOnlyHint"]), (&json!("object"), &json!(true)));
    assert!(list["inputSchema"]["properties"]["next_cursor"].is_object(), "{list}");

    let called = json!({"id": 1.5, "method": "tools/call", "params": {"name": name, "arguments": {"limit": 2}}});
    let called = answer(&world, &path, called).await;
    assert_eq!((&called["id"], &called["result"]["isError"]), (&json!(1.5), &json!(false)), "{called}");
    let text = called["result"]["content"][0]["text"].as_str().expect("a text");
    let page: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(page["result"].as_array().map(Vec::len), Some(2), "{page}");
    let program = world.get(&format!("/relink/accounts/{account}/calls")).await["result"][0]["program"].clone();
    assert_eq!(program, "MCP server claude");
}

#[tokio::test]
async fn what_goes_wrong_is_said_where_the_agent_reads_it() {
    let world = World::new().await;
    world.sandbox().await;
    let account = world.account("acme").await;
    let (path, _) = server(&world, &account, json!({ "name": "claude" })).await;
    let call = |name: &str, arguments: Value| json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}});
    let unknown = answer(&world, &path, call("list_all_sandbox_dreams", json!({}))).await;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    // The provider answers with an error.
    let fault = json!({ "kind": "status_503", "on": "api", "count": 1 });
    let (status, said) = world.as_person(Method::POST, "/relink/sandbox/control/faults", fault).await;
    assert!(status.is_success(), "{said}");
    let failed = answer(&world, &path, call("list_all_sandbox_items", json!({}))).await;
    assert_eq!(failed["result"]["isError"], true, "{failed}");
    let text = failed["result"]["content"][0]["text"].as_str().expect("a text");
    let envelope: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(
        (&envelope["statusCode"], &envelope["truto_is_remote_error"]),
        (&json!(503), &json!(true)),
        "{envelope}"
    );
    let unreadable = answer(&world, &path, json!({"jsonrpc": "2.0", "id": 3, "method": "tools/dream"})).await;
    assert_eq!((&unreadable["id"], &unreadable["error"]["code"]), (&json!(3), &json!(-32601)), "{unreadable}");
    for (message, code) in
        [("{", -32700), ("[]", -32600), (r#"{"id": 1}"#, -32600), (r#"{"id": [], "method": "ping"}"#, -32600)]
    {
        let url = format!("{}{path}", world.base());
        let answer = world.client.post(url).body(message).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{message}");
        let error: Value = answer.json().await.expect("JSON");
        assert_eq!(error["error"]["code"], code, "{message}: {error}");
    }
    let get = world.client.get(format!("{}{path}", world.base())).send().await.expect("an answer");
    assert_eq!(get.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_server_offers_what_its_config_names_and_its_token_is_shown_once() {
    let world = World::new().await;
    world.sandbox().await;
    let account = world.account("acme").await;
    let servers = format!("/integrated-account/{account}/mcp");
    let config = json!({"methods": ["list"], "tags": ["sample"]});
    let (path, id) = server(&world, &account, json!({ "name": "lists", "config": config })).await;
    let listed = answer(&world, &path, json!({"id": 1, "method": "tools/list"})).await;
    assert_eq!(names(&listed), ["list_all_sandbox_items"]);
    let rows = world.get(&servers).await;
    assert_eq!((&rows["result"][0]["id"], rows["result"].as_array().map(Vec::len)), (&json!(id), Some(1)));
    let row = world.get(&format!("{servers}/{id}")).await;
    assert_eq!(row, rows["result"][0]);
    let token = path.strip_prefix("/mcp/").expect("a token");
    assert!(!rows.to_string().contains(token), "{rows}");
    assert_eq!(row["config"], json!({"methods": ["list"], "tags": ["sample"], "require_api_token_auth": false}));
    assert_eq!((&row["integrated_account_id"], &row["expires_at"]), (&json!(account), &Value::Null));

    for (new, field) in [
        (json!({"name": "x", "config": {"methods": ["dream"]}}), "config"),
        (json!({"name": "x", "config": {"tags": ["none"]}}), "config"),
        (json!({"name": " ", "config": {}}), "name"),
        (json!({"name": "x", "expires_at": "2001-01-01T00:00:00Z"}), "expires_at"),
    ] {
        let (status, refused) = world.ask(Method::POST, &servers, new.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{new}: {refused}");
        assert_eq!(refused["details"]["failures"][0]["path"], field, "{refused}");
    }
    let changed = json!({"name": "all", "config": {}, "expires_at": "2999-01-01T00:00:00Z"});
    let (status, changed) = world.ask(Method::PATCH, &format!("{servers}/{id}"), changed).await;
    assert_eq!((status, &changed["name"]), (StatusCode::OK, &json!("all")), "{changed}");
    let listed = answer(&world, &path, json!({"id": 1, "method": "tools/list"})).await;
    assert!(names(&listed).len() > 1, "{listed}");
    let (_, kept) = world.ask(Method::PATCH, &format!("{servers}/{id}"), json!({"name": "kept"})).await;
    assert_eq!(kept["expires_at"], changed["expires_at"], "what isn't given stays");
    let (_, endless) = world.ask(Method::PATCH, &format!("{servers}/{id}"), json!({"expires_at": null})).await;
    assert_eq!(endless["expires_at"], Value::Null);

    let other = world.account("other").await;
    let (status, _) = world.ask(Method::GET, &format!("/integrated-account/{other}/mcp/{id}"), Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "it is another account's");
    let (status, gone) = world.ask(Method::DELETE, &format!("{servers}/{id}"), Value::Null).await;
    assert_eq!((status, &gone["id"]), (StatusCode::OK, &json!(id)));
    let refused = send(&world, &path, &json!({"id": 1, "method": "ping"})).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let refused: Value = refused.json().await.expect("JSON");
    let message = refused["message"].as_str().expect("a text");
    assert!(message.starts_with("This isn't the address of an MCP server, or the server was deleted"), "{message}");
}

#[tokio::test]
async fn a_server_ends_with_the_api_token_that_made_it_and_with_its_account() {
    let world = World::new().await;
    world.sandbox().await;
    let account = world.account("acme").await;
    let access = world.engine.access();
    let (maker, secret) =
        access.create_api_token(&Caller::Person, "maker".into(), TokenLevel::Program, None).await.expect("made");
    let new = json!({ "name": "short-lived" });
    let made = world.ask_with(secret.expose(), Method::POST, &format!("/integrated-account/{account}/mcp"), new).await;
    let path = made.1["url"].as_str().expect("a URL").strip_prefix(world.base()).expect("our own").to_owned();
    assert_eq!(made.1["created_by"], json!(maker.id), "{made:?}");
    let ping = json!({"id": 1, "method": "ping"});
    assert_eq!(answer(&world, &path, ping.clone()).await["result"], json!({}));
    access.revoke_api_token(&Caller::Person, maker.id).await.expect("revoked");
    assert_eq!(send(&world, &path, &ping).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(world.get(&format!("/integrated-account/{account}/mcp")).await["result"], json!([]));

    let (path, _) = server(&world, &account, json!({ "name": "claude" })).await;
    world.ask(Method::DELETE, &format!("/integrated-account/{account}"), Value::Null).await;
    let gone = send(&world, &path, &json!({"id": 1, "method": "tools/list"})).await;
    assert_eq!(gone.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_argument_neither_asks_for_another_method_nor_names_another_account() {
    let world = World::new().await;
    world.sandbox().await;
    let (account, other) = (world.account("acme").await, world.account("other").await);
    let (path, _) = server(&world, &account, json!({ "name": "claude" })).await;
    for (arguments, said) in [
        (json!({ "_method": "DELETE" }), "another method"),
        (json!({ "X-HTTP-Method-Override": "DELETE" }), "another method"),
        (json!({ "integrated_account_id": other }), "no argument integrated_account_id"),
        (json!({ "truto_body_passthrough": true }), "no argument truto_body_passthrough"),
    ] {
        let params = json!({ "name": "list_all_sandbox_items", "arguments": arguments });
        let refused = answer(&world, &path, json!({ "id": 1, "method": "tools/call", "params": params })).await;
        assert_eq!(refused["result"]["isError"], true, "{refused}");
        assert!(refused["result"]["content"][0]["text"].as_str().expect("a text").contains(said), "{refused}");
    }
}

#[tokio::test]
async fn a_program_changes_only_the_servers_that_it_made() {
    let world = World::new().await;
    world.sandbox().await;
    let account = world.account("acme").await;
    let servers = format!("/integrated-account/{account}/mcp");
    let (path, id) =
        server(&world, &account, json!({ "name": "narrow", "config": { "methods": ["list"], "tags": ["sample"] } }))
            .await;
    let access = world.engine.access();
    let (_, program) =
        access.create_api_token(&Caller::Person, "program".into(), TokenLevel::Program, None).await.expect("made");
    let ask =
        async |method: Method, path: &str, body: Value| world.ask_with(program.expose(), method, path, body).await;
    let (status, _) = ask(Method::PATCH, &format!("{servers}/{id}"), json!({ "config": {} })).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = ask(Method::DELETE, &format!("{servers}/{id}"), Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let listed = answer(&world, &path, json!({"id": 1, "method": "tools/list"})).await;
    assert_eq!(names(&listed), ["list_all_sandbox_items"]);
    let (_, own) = ask(Method::POST, &servers, json!({ "name": "own" })).await;
    let own = own["id"].as_str().expect("an id");
    let (status, _) = ask(Method::PATCH, &format!("{servers}/{own}"), json!({ "name": "renamed" })).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = ask(Method::DELETE, &format!("{servers}/{own}"), Value::Null).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_server_that_requires_an_api_token_takes_only_one_that_may_use_its_account() {
    let world = World::new().await;
    world.sandbox().await;
    let (account, other) = (world.account("acme").await, world.account("other").await);
    let config = json!({ "require_api_token_auth": true });
    let (path, _) = server(&world, &account, json!({ "name": "strict", "config": config })).await;
    let ping = json!({"id": 1, "method": "ping"});
    assert_eq!(send(&world, &path, &ping).await.status(), StatusCode::UNAUTHORIZED);
    let narrow = async |account: &str| {
        let accounts = Some(vec![account.parse().expect("an id")]);
        let grant = Grant { level: TokenLevel::Program, limits: TokenLimits { accounts, ..TokenLimits::default() } };
        let made = world.engine.access().create_api_token(&Caller::Person, "narrow".into(), grant, None).await;
        made.expect("made").1
    };
    for (token, expected) in
        [(narrow(&account).await, StatusCode::OK), (narrow(&other).await, StatusCode::UNAUTHORIZED)]
    {
        let (status, _) = world.ask_with(token.expose(), Method::POST, &path, ping.clone()).await;
        assert_eq!(status, expected);
    }
}

#[tokio::test]
async fn one_server_has_the_tools_of_all_accounts_that_the_api_token_may_use() {
    let world = World::new().await;
    world.sandbox().await;
    let (own, other) = (world.account("own").await, world.account("other").await);
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let (status, listed) = world.ask(Method::POST, "/relink/mcp?tags=sample&methods=list", list.clone()).await;
    assert_eq!(status, StatusCode::OK, "{listed}");
    let all = names(&listed);
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(all.iter().zip([&own, &other]).all(|(name, id)| name.ends_with(&id[id.len() - 6..])), "{all:?}");
    assert!(all.iter().all(|name| name.starts_with("list_all_sandbox_items__")), "{all:?}");
    let (_, listed) =
        world.ask(Method::POST, &format!("/relink/mcp?tags=sample&methods=list&accounts={own}"), list.clone()).await;
    assert_eq!(names(&listed), all[..1]);
    let (_, unknown) = world.ask(Method::POST, "/relink/mcp?accounts=nobody", list.clone()).await;
    assert_eq!(unknown["error"]["message"], "There is no account nobody", "{unknown}");
    let (_, unknown) = world.ask(Method::POST, "/relink/mcp?methods=list,raed", list.clone()).await;
    let message = unknown["error"]["message"].as_str().unwrap_or_else(|| panic!("{unknown}"));
    assert!(message.starts_with("No account has a method raed. There are: read, write, custom, get,"), "{message}");
    let (_, listed) = world.ask(Method::POST, "/relink/mcp?methods=write", list.clone()).await;
    assert!(listed["result"]["tools"].is_array(), "a word that is known may name nothing: {listed}");

    let limits =
        TokenLimits { accounts: Some(vec![other.parse().expect("an id")]), read_only: true, ..TokenLimits::default() };
    let grant = Grant { level: TokenLevel::Program, limits };
    let made = world.engine.access().create_api_token(&Caller::Person, "narrow".into(), grant, None).await;
    let (_, narrow) = made.expect("made");
    let (_, listed) = world.ask_with(narrow.expose(), Method::POST, "/relink/mcp", list).await;
    let hints = listed["result"]["tools"].as_array().expect("a list").iter();
    assert!(
        hints.clone().count() > 0 && hints.clone().all(|tool| tool["annotations"]["readOnlyHint"] == true),
        "{listed}"
    );
    let name = names(&listed).into_iter().find(|name| name.starts_with("list_all_sandbox_items")).expect("a tool");
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": name, "arguments": {}}});
    let (_, called) = world.ask_with(narrow.expose(), Method::POST, "/relink/mcp?tags=sample&methods=list", call).await;
    assert_eq!(called["result"]["isError"], false, "{called}");
}
