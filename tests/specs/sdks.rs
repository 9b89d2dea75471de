//! Providers' own SDKs and curl through Relink, at the providers' twins. Only their base URL and token differ.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use relink_tests::{process, relink::Relink, session::Session, twin::Twin};
use serde_json::{Value, json};

struct World {
    session: Session,
    relink: Relink,
    twin: Twin,
    account: String,
    token: String,
}

impl World {
    async fn new(provider: &'static str) -> Result<Self> {
        let session = Session::start().await?;
        let relink = Relink::start(&session).await?;
        let twin = Twin::start(provider).await?;
        let account = twin.connect(&relink).await?;
        let made = relink.post("/relink/api-tokens", json!({ "name": "sdk" })).await?;
        let token = made["token"].as_str().context("no token")?.to_owned();
        Ok(Self { session, relink, twin, account, token })
    }

    /// The account as a base URL.
    fn base_url(&self) -> String {
        format!("{}/via/{}", self.relink.base_url(), self.account)
    }

    /// What a program prints, as JSON.
    async fn run(&self, mut command: Command) -> Result<Value> {
        command.env("RELINK_TOKEN", &self.token).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = process::spawn(command)?.wait_with_output().await?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{}: {out}{err}", output.status);
        serde_json::from_str(&out).with_context(|| format!("no JSON: {out}{err}"))
    }
}

#[tokio::test]
async fn octokit_works_at_github_through_relink() -> Result<()> {
    let world = World::new("github").await?;
    let mut command = world.session.command("node");
    command.arg(process::workspace().join("tests/sdks/octokit.mjs")).arg(world.base_url());
    let found = world.run(command).await.context("run make test-setup, which installs octokit")?;
    assert_eq!(
        found,
        json!({ "login": "ada-twin", "repositories": 45, "title": "From octokit", "missing": 404 }),
        "all pages, what it wrote, and an error"
    );
    world.relink.stop().await
}

#[tokio::test]
async fn slack_sdk_works_at_slack_through_relink() -> Result<()> {
    let world = World::new("slack").await?;
    let python = process::target().join("python/slack_sdk/bin/python");
    let mut command = world.session.command(&python.to_string_lossy());
    command.arg(process::workspace().join("tests/sdks/slack.py")).arg(world.base_url() + "/");
    let found = world.run(command).await.context("run make test-setup, which installs slack_sdk")?;
    assert_eq!(
        found,
        json!({ "user": "ada", "channels": 210, "text": "From slack_sdk", "error": "channel_not_found" })
    );
    world.relink.stop().await
}

#[tokio::test]
async fn curl_works_at_hubspot_through_relink_and_gets_its_rate_limit() -> Result<()> {
    let world = World::new("hubspot").await?;
    let curl = |arguments: &[&str]| {
        let mut command = world.session.command("curl");
        command.args(["--silent", "--show-error", "--header", &format!("Authorization: Bearer {}", world.token)]);
        command.args(arguments);
        command
    };
    let contacts = format!("{}/crm/v3/objects/contacts", world.base_url());
    let made = world
        .run(curl(&["--json", r#"{"properties":{"email":"curl@example.com"}}"#, &contacts]))
        .await
        .context("run make test-setup, which installs curl")?;
    let id = made["id"].as_str().with_context(|| format!("no ID: {made}"))?;
    let read = world.run(curl(&[&format!("{contacts}/{id}")])).await?;
    assert_eq!(read["properties"]["email"], "curl@example.com");
    world.twin.limit(11).await?;
    let refused = world.run(curl(&[&contacts])).await?;
    assert_eq!((&refused["category"], &refused["policyName"]), (&json!("RATE_LIMITS"), &json!("TEN_SECONDLY_ROLLING")));
    world.relink.stop().await
}

/// What the SDK's client of the Model Context Protocol finds with the GitHub twin's account.
fn found_by_an_agent(account: &str) -> Value {
    let named = |name: &str| format!("{name}{account}");
    json!({
        "server": "relink",
        "names": [
            named("list_all_github-twin_assignees"),
            named("create_a_github-twin_issue_comment"),
            named("delete_a_github-twin_issue_comment_by_id"),
            named("get_single_github-twin_issue_comment_by_id"),
            named("list_all_github-twin_issue_comments"),
            named("update_a_github-twin_issue_comment_by_id"),
            named("list_all_github-twin_issue_search"),
            named("create_a_github-twin_issue"),
            named("get_single_github-twin_issue_by_id"),
            named("list_all_github-twin_issues"),
            named("update_a_github-twin_issue_by_id"),
            named("get_single_github-twin_repository_by_id"),
            named("list_all_github-twin_repositories"),
            named("get_single_github-twin_user_by_id"),
        ],
        "read_only": 9,
        "repositories": 45,
        "missing": [true, 404],
        "refused": [true, "These arguments are missing: id, owner, repo."],
        "unknown": -32602,
    })
}

#[tokio::test]
async fn an_agent_uses_an_accounts_tools_over_http() -> Result<()> {
    let world = World::new("github").await?;
    let servers = format!("/integrated-account/{}/mcp", world.account);
    let made = world.relink.post(&servers, json!({ "name": "agent" })).await?;
    let mut command = world.session.command("node");
    command.arg(process::workspace().join("tests/sdks/mcp.mjs")).arg(made["url"].as_str().context("no URL")?);
    let found = world.run(command).await.context("run make test-setup, which installs the SDK")?;
    assert_eq!(found, found_by_an_agent(""));
    world.relink.stop().await
}

#[tokio::test]
async fn an_agent_uses_all_accounts_tools_over_standard_input_and_output() -> Result<()> {
    let world = World::new("github").await?;
    let mut command = world.session.command("node");
    command.arg(process::workspace().join("tests/sdks/mcp.mjs")).arg(relink_tests::relink::program());
    command.arg("--data-dir").arg(world.relink.data_dir()).arg("mcp");
    let found = world.run(command).await.context("run make test-setup, which installs the SDK")?;
    assert_eq!(found, found_by_an_agent("__ada_twin"));
    world.relink.stop().await
}
