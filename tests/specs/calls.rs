//! Calls that programs make through Relink with an account's credential.

use anyhow::{Context, Result};
use relink_tests::{provider::Provider, relink::Relink, session::Session};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};

/// An account at a provider, and a program with an API token of Relink's.
struct World {
    _session: Session,
    relink: Relink,
    provider: Provider,
    account: String,
    token: String,
    client: Client,
}

impl World {
    async fn new() -> Result<Self> {
        let session = Session::start().await?;
        let relink = Relink::start(&session).await?;
        let provider = Provider::start().await?;
        let account = provider.connect(&relink).await?;
        let made = relink.post("/relink/api-tokens", json!({ "name": "program" })).await?;
        let token = made["token"].as_str().context("no token")?.to_owned();
        Ok(Self { _session: session, relink, provider, account, token, client: Client::new() })
    }

    fn via(&self, path: &str) -> String {
        format!("{}/via/{}{path}", self.relink.base_url(), self.account)
    }

    async fn call(&self, path: &str) -> Result<Response> {
        Ok(self.client.get(self.via(path)).bearer_auth(&self.token).send().await?)
    }

    async fn status(&self) -> Result<Value> {
        Ok(self.relink.get(&format!("/integrated-account/{}", self.account)).await?["status"].clone())
    }
}

#[tokio::test]
async fn a_program_calls_the_provider_with_relinks_token_wherever_its_sdk_puts_it() -> Result<()> {
    let world = World::new().await?;
    let get = || world.client.get(world.via("/api/me"));
    for request in [
        get().bearer_auth(&world.token),
        get().header("authorization", format!("token {}", world.token)),
        get().basic_auth("me", Some(&world.token)),
        get().header("x-api-key", &world.token),
    ] {
        let response = request.send().await?;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.json::<Value>().await?["name"], "Ada Lovelace");
    }
    for refused in [get(), get().bearer_auth("unknown"), get().bearer_auth("x".repeat(43))] {
        let response = refused.send().await?;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.json::<Value>().await?["code"], "unauthorized");
    }
    let named = format!("{}/via/nobody/api/me", world.relink.base_url());
    assert_eq!(world.client.get(named).bearer_auth(&world.token).send().await?.status(), StatusCode::NOT_FOUND);
    let account = world.relink.get(&format!("/relink/accounts/{}", world.account)).await?;
    let name = account["name"].as_str().context("no name")?.replace(' ', "%20");
    let named = format!("{}/via/{name}/api/me", world.relink.base_url());
    assert_eq!(world.client.get(named).bearer_auth(&world.token).send().await?.status(), StatusCode::OK);
    assert_eq!(world.status().await?, "active");
    world.relink.stop().await
}

#[tokio::test]
async fn a_401_is_followed_by_one_refresh_and_a_refused_one_by_the_event_until_the_person_signs_in_again() -> Result<()>
{
    let world = World::new().await?;
    assert_eq!(world.call("/api/me").await?.status(), StatusCode::OK);
    let refreshes = world.provider.count("refresh_token.ok").await?;

    // Given access tokens that the provider no longer accepts, when many calls are made at once, then one refresh is enough.
    world.provider.control("POST", "/expire", json!({})).await?;
    let calls = futures_util::future::join_all((0..100).map(|_| world.call("/api/me"))).await;
    for response in calls {
        let response = response?;
        let status = response.status();
        let text = response.text().await?;
        assert_eq!(status, StatusCode::OK, "{text}");
    }
    assert_eq!(world.provider.count("refresh_token.ok").await?, refreshes + 1);
    assert_eq!(world.status().await?, "active");

    // Given a sign-in that was revoked, then the caller gets the refusal, and the person is informed once.
    world.provider.control("POST", "/revoke", json!({})).await?;
    let calls = futures_util::future::join_all((0..100).map(|_| world.call("/api/me"))).await;
    for response in calls {
        let response = response?;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.json::<Value>().await?["truto_is_remote_error"], true);
    }
    assert_eq!(world.status().await?, "needs_reauth");
    assert_eq!(world.relink.account_events().await?, ["created", "active", "authentication_error"]);

    let link = world.relink.magic_link(json!({ "integrated_account_id": world.account })).await?;
    world.provider.complete_link(&world.relink, &link).await?;
    assert_eq!(world.call("/api/me").await?.status(), StatusCode::OK);
    assert_eq!(
        world.relink.account_events().await?,
        ["created", "active", "authentication_error", "updated", "active"]
    );
    world.relink.stop().await
}

#[tokio::test]
async fn a_program_that_waits_goes_on_when_the_person_has_signed_in_again() -> Result<()> {
    let world = World::new().await?;
    world.provider.control("POST", "/revoke", json!({})).await?;
    let call = world.client.get(world.via("/api/me")).bearer_auth(&world.token).header("relink-wait", "10m").send();
    let person = async {
        let mut after = 0;
        while world.status().await? != "needs_reauth" {
            let events = world.relink.get(&format!("/relink/events?after={after}&wait=20")).await?;
            after = events["latest"].as_i64().context("no number")?;
        }
        let link = world.relink.magic_link(json!({ "integrated_account_id": world.account })).await?;
        world.provider.complete_link(&world.relink, &link).await
    };
    let (answer, signed_in) = tokio::join!(call, person);
    signed_in?;
    let answer = answer?;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.json::<Value>().await?["name"], "Ada Lovelace");
    assert_eq!(
        world.relink.account_events().await?,
        ["created", "active", "authentication_error", "updated", "active"]
    );
    world.relink.stop().await
}

#[tokio::test]
async fn nothing_leads_out_of_the_providers_api() -> Result<()> {
    let world = World::new().await?;
    let before = world.provider.count("api.ok").await?;
    // A client that doesn't tidy up the path before it sends it.
    let host = world.relink.base_url().strip_prefix("http://").context("http")?.to_owned();
    for (path, status) in [("/../control", 400), ("/%2e%2e/control", 400), ("/a%0d%0ax", 400)] {
        let request = format!(
            "GET /via/{}{path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
            world.account, world.token
        );
        let answer = raw(&host, &request).await?;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
    }
    assert_eq!(world.provider.count("api.ok").await?, before);
    let (status, body) = world
        .relink
        .try_request_with("none", Method::GET, &format!("/via/{}/api/me", world.account), Value::Null)
        .await?;
    assert_eq!((status, &body["code"]), (401, &json!("unauthorized")));
    world.relink.stop().await
}

#[tokio::test]
async fn a_program_calls_the_methods_of_a_definition_and_paths_of_its_own() -> Result<()> {
    let world = World::new().await?;
    let call = |method: Method, path: &str| {
        let separator = if path.contains('?') { '&' } else { '?' };
        let url = format!("{}{path}{separator}integrated_account_id={}", world.relink.base_url(), world.account);
        world.client.request(method, url).bearer_auth(&world.token)
    };
    let list = call(Method::GET, "//proxy/items?limit=1").send().await?;
    assert_eq!((list.status(), &list.headers()["content-type"]), (StatusCode::OK, &"application/json".parse()?));
    let list: Value = list.json().await?;
    assert_eq!((&list["result"][1]["title"], &list["result_count"]), (&json!("Compiler"), &json!(2)));
    assert_eq!((&list["next_cursor"], list.get("limit")), (&Value::Null, None));
    // An empty body counts as none, whatever its type.
    let me = call(Method::POST, "/proxy/people/me").header("content-type", "application/json").send().await?;
    assert_eq!(me.json::<Value>().await?["name"], "Ada Lovelace");

    let custom = call(Method::GET, "/custom/api/items").send().await?.json::<Value>().await?;
    assert_eq!((&custom["result"]["items"][0]["id"], &custom["next_cursor"]), (&json!(1), &Value::Null));
    let config = json!({"methodConfig": {"response_path": "items.title", "method": "get"}});
    let custom = call(Method::POST, "/custom/api/items").json(&config).send().await?.json::<Value>().await?;
    assert_eq!(custom["result"], json!(["Analytical engine", "Compiler"]));

    for (method, path, status, code) in [
        (Method::GET, "/proxy/Items", 404, "resource_not_found"),
        (Method::GET, "/proxy/items/1", 404, "method_not_found"),
        (Method::POST, "/proxy/_/refresh", 404, "not_found"),
        (Method::PUT, "/proxy/items", 405, "no_such_method"),
    ] {
        let refused = call(method, path).send().await?;
        assert_eq!(refused.status(), status, "{path}");
        assert_eq!(refused.json::<Value>().await?["code"], code, "{path}");
    }
    let missing =
        world.client.get(format!("{}/proxy/items", world.relink.base_url())).bearer_auth(&world.token).send().await?;
    assert_eq!(
        (missing.status().as_u16(), missing.json::<Value>().await?["code"].clone()),
        (400, json!("integrated_account_id_missing"))
    );

    // Given an access token that the provider no longer accepts, then one refresh follows, and the method runs once more.
    let refreshes = world.provider.count("refresh_token.ok").await?;
    world.provider.control("POST", "/expire", json!({})).await?;
    assert_eq!(call(Method::GET, "/proxy/items").send().await?.status(), StatusCode::OK);
    assert_eq!(world.provider.count("refresh_token.ok").await?, refreshes + 1);
    assert_eq!(world.status().await?, "active");
    world.relink.stop().await
}

async fn raw(host: &str, request: &str) -> Result<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(host).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
