//! Attacks by programs with an API token that may do less than the person.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use relink_tests::{
    relink::{DEADLINE, Relink},
    session::Session,
};
use reqwest::Method;
use serde_json::{Value, json};

struct World {
    session: Session,
    relink: Relink,
    program: String,
    full: String,
}

impl World {
    async fn new() -> Result<Self> {
        let session = Session::start().await?;
        let relink = Relink::start(&session).await?;
        let create = async |arguments: &[&str]| {
            let printed = relink.cli(&session, &[&["api-token", "create"], arguments].concat()).await?;
            ensure!(printed.code == 0, "{printed:?}");
            anyhow::Ok(printed.out.trim().to_owned())
        };
        let program = create(&["agent"]).await?;
        let full = create(&["deployer", "--admin", "--yes"]).await?;
        Ok(Self { session, relink, program, full })
    }

    /// What the person sees that a program could have changed.
    async fn seen(&self) -> Result<Value> {
        let mut seen = json!({});
        for path in ["/api-token", "/relink/redirect-uris", "/webhook", "/environment-integration", "/relink/accounts"]
        {
            seen[path] = self.relink.get(path).await?;
        }
        // The time of a token's last use changes with each attempt.
        for token in seen["/api-token"]["result"].as_array_mut().context("no tokens")? {
            token["last_used_at"] = Value::Null;
        }
        Ok(seen)
    }
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().with_context(|| format!("{value} is no text"))
}

#[tokio::test]
async fn no_token_does_what_is_left_to_the_person() -> Result<()> {
    let world = World::new().await?;
    let relink = &world.relink;
    let hook = json!({ "target_url": "https://10.0.0.1/hook", "allow_private": true });
    let tokens = relink.get("/api-token").await?;
    let id = text(&tokens["result"][0]["id"])?;
    let before = world.seen().await?;
    let left_to_the_person = [
        (Method::POST, "/relink/api-tokens".to_owned(), json!({ "name": "heir" })),
        (Method::POST, "//relink/api-tokens".to_owned(), json!({ "name": "heir", "level": "full" })),
        (Method::DELETE, format!("/relink/api-tokens/{id}"), Value::Null),
        (Method::PUT, "/relink/redirect-uris".to_owned(), json!({ "redirect_uris": ["https://evil.example/"] })),
        (Method::GET, "/relink/redirect-uris".to_owned(), Value::Null),
        (Method::POST, "/relink/webhooks".to_owned(), hook),
        (Method::GET, "/relink/sandbox/control".to_owned(), Value::Null),
        (Method::POST, "/relink/sandbox/control/revoke".to_owned(), json!({})),
        (Method::POST, "/relink/callback".to_owned(), json!({ "url": "app.relink.desktop:/oauth/callback/x?code=a" })),
    ];
    let for_full_access = [
        (Method::POST, "/relink/integrations".to_owned(), json!({ "text": "{}" })),
        (Method::POST, "/relink/integrations/sandbox/install".to_owned(), json!({})),
        (Method::POST, "/relink/integrations/github/client".to_owned(), json!({ "id": "mine", "secret": "mine" })),
        (Method::DELETE, format!("/integrated-account/{id}"), Value::Null),
        (Method::PATCH, format!("/integrated-account/{id}"), json!({ "context": {} })),
        (Method::DELETE, format!("/environment-integration/{id}"), Value::Null),
        (Method::GET, "/api-token".to_owned(), Value::Null),
    ];
    for (token, refused) in [
        (&world.full, left_to_the_person.to_vec()),
        (&world.program, [left_to_the_person.as_slice(), for_full_access.as_slice()].concat()),
    ] {
        for (method, path, body) in refused {
            let (status, answer) = relink.try_request_with(token, method.clone(), &path, body).await?;
            ensure!((status, &answer["code"]) == (403, &json!("forbidden")), "{method} {path}: {status} {answer}");
            let (message, hint) = (text(&answer["message"])?, text(&answer["hint"])?);
            ensure!(message.starts_with("The API token ") && hint.contains("elink"), "{answer}");
        }
    }
    ensure!(world.seen().await? == before, "a refused request changed something");
    let (status, installed) =
        relink.try_request_with(&world.full, Method::POST, "/relink/integrations/sandbox/install", json!({})).await?;
    ensure!(status == 200, "full access includes integrations: {status} {installed}");
    world.relink.stop().await
}

#[tokio::test]
async fn a_programs_link_ends_with_its_token() -> Result<()> {
    let world = World::new().await?;
    let relink = &world.relink;
    relink.post("/relink/integrations/sandbox/install", json!({})).await?;
    let soon = Command::new("date").args(["-u", "-d", "+6 seconds", "+%FT%TZ"]).output()?;
    let short = json!({ "name": "short", "expires_at": String::from_utf8(soon.stdout)?.trim() });
    let short = text(&relink.post("/relink/api-tokens", short).await?["token"])?.to_owned();
    let link_of = async |token: &str| {
        let body = json!({ "tenant_id": "acme-1" });
        let (status, link) = relink.try_request_with(token, Method::POST, "/link-token", body).await?;
        ensure!(status == 200, "{status} {link}");
        Ok(format!("{}/connect-account?link_token={}", relink.base_url(), text(&link["link_token"])?))
    };
    let (expiring, doomed, kept) =
        (link_of(&short).await?, link_of(&world.program).await?, link_of(&world.full).await?);
    for link in [&doomed, &kept] {
        ensure!(relink.link_is_good(link).await?, "it can be used");
    }
    let tokens = relink.get("/api-token").await?;
    let tokens = tokens["result"].as_array().context("no list")?;
    let agent = tokens.iter().find(|token| token["name"] == "agent").context("no token")?;
    relink.request(Method::DELETE, &format!("/relink/api-tokens/{}", text(&agent["id"])?), Value::Null).await?;
    ensure!(relink.status_with_token(&world.program).await? == 401, "the revoked token is refused");
    ensure!(!relink.link_is_good(&doomed).await?, "the link outlived the revoked token");
    let ends = async {
        while relink.link_is_good(&expiring).await? {
            tokio::task::yield_now().await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(DEADLINE, ends).await.context("the link outlived the expired token")??;
    ensure!(relink.status_with_token(&short).await? == 401, "the token had expired, too");
    ensure!(relink.link_is_good(&kept).await?, "the other token's link stays");
    world.relink.stop().await
}

#[tokio::test]
async fn a_program_reaches_only_the_webhooks_that_it_created() -> Result<()> {
    let world = World::new().await?;
    let relink = &world.relink;
    let hook = json!({ "target_url": "http://127.0.0.1:9/hook", "is_active": false });
    let persons = relink.post("/webhook", hook.clone()).await?;
    let (status, own) = relink.try_request_with(&world.program, Method::POST, "/webhook", hook).await?;
    ensure!(status == 200, "{status} {own}");
    let (persons, own) = (text(&persons["id"])?, text(&own["id"])?);
    let ask = async |token: &str, method: Method, path: String, body: Value| {
        anyhow::Ok(relink.try_request_with(token, method, &path, body).await?)
    };
    for (id, is_own) in [(persons, false), (own, true)] {
        for (method, path, body, expected) in [
            (Method::GET, format!("/webhook/{id}"), Value::Null, 200),
            (Method::PATCH, format!("/webhook/{id}"), json!({ "event_types": ["test"] }), 200),
            // Nobody is at the target.
            (Method::POST, "/webhook/test".to_owned(), json!({ "id": id }), 502),
            (Method::GET, format!("/relink/webhooks/{id}/deliveries"), Value::Null, 200),
            (Method::POST, format!("/relink/webhooks/{id}/replay"), Value::Null, 200),
            (Method::DELETE, format!("/webhook/{id}"), Value::Null, 200),
        ] {
            let expected = if is_own { expected } else { 404 };
            let (status, answer) = ask(&world.program, method.clone(), path.clone(), body).await?;
            ensure!(status == expected, "{method} {path}: {status} {answer}");
        }
    }
    let (_, listed) = ask(&world.program, Method::GET, "/webhook".to_owned(), Value::Null).await?;
    ensure!(listed["result"] == json!([]), "{listed}");
    let (status, _) = ask(&world.full, Method::GET, format!("/webhook/{persons}"), Value::Null).await?;
    ensure!(status == 200, "full access includes it");
    world.relink.stop().await
}

#[tokio::test]
async fn full_access_is_given_only_after_a_confirmation() -> Result<()> {
    let world = World::new().await?;
    let printed = world.relink.cli(&world.session, &["api-token", "create", "unasked", "--admin"]).await?;
    ensure!(printed.code == 1 && printed.out.is_empty() && printed.err.contains("--yes"), "{printed:?}");
    let listed = world.relink.cli(&world.session, &["api-token", "list"]).await?.out;
    ensure!(listed.contains("full access") && listed.contains("program") && !listed.contains("unasked"), "{listed}");
    world.relink.stop().await
}
