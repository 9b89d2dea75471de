//! `docs/embedding.md`: its blocks, taken from the document and run as they stand there. And Truto's own cURL command.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use axum::{
    Router,
    http::header::CONTENT_TYPE,
    response::IntoResponse,
    routing::{get, post},
};
use relink_tests::{
    browser::Browser,
    process,
    relink::{DEADLINE, Relink},
    session::Session,
};
use serde_json::{Value, json};
use tokio::{
    fs,
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::Command,
    time::timeout,
};

/// The block in this language after “Complete”.
async fn block(language: &str) -> Result<String> {
    let text = fs::read_to_string(process::workspace().join("docs/embedding.md")).await?;
    let complete = text.split("\nComplete").skip(1);
    let mut blocks = complete.filter_map(|rest| rest.split_once("```")?.1.split("\n```").next());
    let block = blocks.find_map(|block| block.strip_prefix(language)?.strip_prefix('\n'));
    Ok(block.with_context(|| format!("no block of {language}"))?.to_owned() + "\n")
}

struct World {
    session: Session,
    relink: Relink,
    browser: Browser,
    token: String,
}

impl World {
    async fn new() -> Result<Self> {
        let session = Session::start().await?;
        let relink = Relink::start(&session).await?;
        relink.post("/relink/integrations/sandbox/install", Value::Null).await?;
        let browser = Browser::start(&session).await?;
        let token = relink.cli(&session, &["api-token", "create", "my-app"]).await?.out.trim().to_owned();
        Ok(Self { session, relink, browser, token })
    }

    /// A program with the variables that the document exports.
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.session.command(program);
        command.args(arguments).env("RELINK_URL", self.relink.base_url()).env("RELINK_TOKEN", &self.token);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.into()
    }

    /// Opens a link, and signs in.
    async fn sign_in(&self, link: &str) -> Result<()> {
        self.browser.open(link).await?;
        self.browser.sign_in_at_sandbox("ada").await?;
        self.browser.shows("Connection successful").await
    }

    async fn accounts(&self, tenant: &str) -> Result<Vec<Value>> {
        let list = self.relink.get(&format!("/integrated-account?tenant_id={tenant}")).await?;
        Ok(list["result"].as_array().cloned().unwrap_or_default())
    }

    async fn close(self) -> Result<()> {
        self.browser.close().await?;
        self.relink.stop().await
    }
}

async fn printed(mut command: Command) -> Result<String> {
    let output = command.output().await?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{}: {out}{err}", output.status);
    Ok(out.trim().to_owned())
}

#[tokio::test]
async fn the_curl_block_prints_a_link_that_connects_an_account() -> Result<()> {
    let world = World::new().await?;
    let link = printed(world.command("bash", &["-euo", "pipefail", "-c", &block("sh").await?])).await?;
    world.sign_in(&link).await?;
    assert_eq!(world.accounts("acme-curl").await?.len(), 1);
    world.close().await
}

#[tokio::test]
async fn the_python_block_waits_for_the_account() -> Result<()> {
    let world = World::new().await?;
    let mut program = world.command("python3", &["-c", &block("python").await?]).kill_on_drop(true).spawn()?;
    let mut lines = BufReader::new(program.stdout.take().context("no output")?).lines();
    let mut line = async || anyhow::Ok(timeout(DEADLINE, lines.next_line()).await??.context("it has ended")?);
    world.sign_in(&line().await?).await?;
    let account = line().await?;
    assert_eq!(world.accounts("acme-python").await?[0]["id"], account);
    world.close().await
}

#[tokio::test]
async fn the_link_sdk_page_shows_the_accounts_id() -> Result<()> {
    let world = World::new().await?;
    // “But for host”: the port is the test's.
    let page = block("html").await?.replace("http://127.0.0.1:7417", world.relink.base_url());
    let sdk = process::workspace().join("tests/node_modules/@truto/truto-link-sdk/dist/main.js");
    let sdk = fs::read_to_string(sdk).await.context("npm's modules in tests/ are missing; run make setup")?;
    let link = world.relink.post("/link-token", json!({ "tenant_id": "acme-page" })).await?;
    let file = |kind: &'static str, text: String| get(async move || ([(CONTENT_TYPE, kind)], text).into_response());
    let router = Router::new()
        .route("/", file("text/html", page))
        .route("/truto-link-sdk.js", file("text/javascript", sdk))
        .route("/link-token", post(async move || axum::Json(link)));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let app = format!("http://{}", listener.local_addr()?);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });

    let browser = &world.browser;
    browser.open(&app).await?;
    let pop_up = browser.opens_by(browser.click("#connect")).await?;
    browser.opens_by(browser.press("Continue to")).await?;
    browser.click("#person-ada").await?;
    browser.click("#allow").await?;
    browser.closes(&pop_up).await?;
    browser.switch_to_first().await?;
    browser.shows("Connected: ").await?;
    let accounts = world.accounts("acme-page").await?;
    browser.shows(accounts[0]["id"].as_str().context("no account")?).await?;
    server.abort();
    world.close().await
}

#[tokio::test]
async fn trutos_own_curl_command_reauthorizes_an_account() -> Result<()> {
    let world = World::new().await?;
    let link = world.relink.magic_link(json!({ "tenant_id": "acme-1" })).await?;
    world.sign_in(&format!("{link}&integration=sandbox")).await?;
    world.browser.back_to_first_tab().await?;
    let account = world.accounts("acme-1").await?[0]["id"].as_str().context("no account")?.to_owned();
    // As in Truto's guide, but for host and token.
    let command = format!(
        "curl --location '{}/link-token' \\\n--header 'Content-Type: application/json' \\\n\
         --header 'Authorization: Bearer {}' \\\n--data '{{\n\"integrated_account_id\": \"{account}\"\n}}'",
        world.relink.base_url(),
        world.token
    );
    let answer: Value = serde_json::from_str(&printed(world.command("bash", &["-c", &command])).await?)?;
    let token = answer["link_token"].as_str().context("no token")?;
    assert_eq!(answer, json!({ "link_token": token }), "and nothing else");
    let shape: Vec<_> = token.split('-').map(str::len).collect();
    assert_eq!(shape, [8, 4, 4, 4, 12], "a UUID: {token}");

    world.browser.open(&format!("{}/connect-account?link_token={token}", world.relink.base_url())).await?;
    world.browser.shows("Reauthorize Sandbox").await?;
    world.browser.sign_in_at_sandbox("ada").await?;
    world.browser.shows("Connection successful").await?;
    let accounts = world.accounts("acme-1").await?;
    assert_eq!((accounts.len(), &accounts[0]["id"]), (1, &json!(account)), "its ID stays");
    world.close().await
}
