//! Every command of the command line, end to end: its output, its JSON and its exit code (docs/cli.md).

use std::{io::Write, process::Stdio};

use anyhow::{Context, Result, ensure};
use relink_tests::{
    provider::Provider,
    receiver::Receiver,
    relink::{Printed, Relink, program},
    session::Session,
};
use reqwest::Client;
use serde_json::{Value, json};

/// The documentation, which promises the fields of the JSON output.
const DOCUMENT: &str = include_str!("../../docs/cli.md");

const ACCOUNT: &str = "id name tenant_id integration integration_label status authentication_method is_sandbox identity \
    scopes verdict last_error next_try next_action_at waiting expires_at expiry_is_assumed is_fresh is_unchecked last_used_at created_at \
    updated_at";
const API_TOKEN: &str = "id name level accounts integrations read_only created_at expires_at last_used_at";
const WEBHOOK: &str = "id environment_id target_url is_active event_types signature_format failing_since disabled_at created_by created_at updated_at";
const INSTALLED: &str = "name environment_integration_id";
const LIST: &str = "result next_cursor limit";
const SETTINGS: &str = "token_lifetime_secs rotation grace_secs clock_skew_secs delay_millis";

/// A session with a running Relink, in which commands are run.
pub(crate) struct Terminal {
    pub(crate) session: Session,
    pub(crate) relink: Relink,
    http: Client,
}

impl Terminal {
    pub(crate) async fn new() -> Result<Self> {
        Self::with(&[]).await
    }

    /// Starts Relink with additional environment variables.
    pub(crate) async fn with(environment: &[(&str, String)]) -> Result<Self> {
        let session = Session::start().await?;
        let relink = Relink::start_with(&session, environment).await?;
        Ok(Self { session, relink, http: Client::new() })
    }

    /// Runs a command, and asserts its exit code.
    pub(crate) async fn exits_with(&self, code: i32, arguments: &[&str]) -> Result<Printed> {
        let printed = self.relink.cli(&self.session, arguments).await?;
        ensure!(printed.code == code, "{arguments:?} exited with {printed:?}");
        ensure!(code == 0 || !printed.err.trim().is_empty(), "{arguments:?} failed without an error message");
        Ok(printed)
    }

    /// Runs a command that prints exactly one line. Returns the line.
    pub(crate) async fn line(&self, arguments: &[&str]) -> Result<String> {
        let printed = self.exits_with(0, arguments).await?.out;
        let line = printed.strip_suffix('\n').context("no line")?;
        ensure!(!line.is_empty() && line.trim() == line && !line.contains('\n'), "{arguments:?} printed {printed:?}");
        Ok(line.to_owned())
    }

    /// Runs a command with `--json`. Returns the object, which must have exactly these fields.
    async fn json(&self, fields: &str, arguments: &[&str]) -> Result<Value> {
        let printed = self.exits_with(0, &[arguments, &["--json"]].concat()).await?.out;
        let value = serde_json::from_str(&printed).with_context(|| format!("{arguments:?} printed {printed:?}"))?;
        assert_fields(fields, &value);
        Ok(value)
    }

    /// Runs a command that prints a JSON list. Returns its entries, which must have exactly these fields.
    async fn list(&self, list: &str, fields: &str, arguments: &[&str]) -> Result<Vec<Value>> {
        let entries = self.json(list, arguments).await?["result"].as_array().context("not a list")?.clone();
        ensure!(!entries.is_empty(), "{arguments:?} lists nothing");
        for entry in &entries {
            assert_fields(fields, entry);
        }
        self.exits_with(0, arguments).await?;
        Ok(entries)
    }

    /// Runs a command that prints one JSON object per line. Returns the objects, which must have exactly these fields.
    pub(crate) async fn lines(&self, fields: &str, arguments: &[&str]) -> Result<Vec<Value>> {
        let printed = self.exits_with(0, &[arguments, &["--json"]].concat()).await?.out;
        let entries: Vec<Value> = printed.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        ensure!(!entries.is_empty(), "{arguments:?} printed nothing");
        for entry in &entries {
            assert_fields(fields, entry);
        }
        self.exits_with(0, arguments).await?;
        Ok(entries)
    }

    /// Runs a command with this standard input. Returns its output.
    fn run_with_input(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = self.session.command(&program());
        command.args(arguments).env("RELINK_DATA_DIR", self.relink.data_dir());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        child.stdin.take().context("no standard input")?.write_all(input.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "{arguments:?} exited with {}", output.status);
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The status of a GET request with this token.
    pub(crate) async fn status(&self, url: &str, token: &str) -> Result<u16> {
        Ok(self.http.get(url).bearer_auth(token).send().await?.status().as_u16())
    }

    /// The URL of this path at the Sandbox.
    pub(crate) async fn sandbox(&self, path: &str) -> Result<String> {
        let status = self.relink.get("/relink/status").await?;
        Ok(format!("{}{path}", status["sandbox"]["base_url"].as_str().context("the Sandbox is not running")?))
    }

    /// Completes a magic link of the Sandbox as Ada. `relink callback` receives the redirect instead of a browser.
    async fn complete_link(&self, link: &str, callback: impl AsyncFnOnce(&str) -> Result<Value>) -> Result<String> {
        let token = link.split(['=', '&']).nth(1).context("no link token")?;
        let flows = format!("{}/connect-account/flows", self.relink.base_url());
        let begin = self.http.post(&flows).header("x-relink-link-token", token);
        let begin = begin.json(&json!({ "integration": "sandbox", "format": "oauth2" }));
        let mut flow: Value = begin.send().await?.json().await?;
        let (id, key) = (text(&flow, "id")?, text(&flow, "key")?);

        let html = self.http.get(text(&flow, "authorize_url")?).send().await?.text().await?;
        let consent = html.split("name=\"consent\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let form = [("consent", consent.context("no consent page")?), ("person", "ada"), ("decision", "allow")];
        let no_redirects = Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let redirect = no_redirects.post(self.sandbox("/authorize").await?).form(&form).send().await?;
        let redirect = redirect.headers().get("location").context("no redirect")?.to_str()?.to_owned();
        let accepted = callback(&redirect).await?;
        assert_eq!(accepted["flow"], id);
        let page = text(&accepted, "confirm_url")?;
        let return_key = page.split("#return=").nth(1).context("no key of the return")?;

        while !matches!(flow["phase"].as_str(), Some("succeeded" | "failed" | "question")) {
            let request = match flow["phase"].as_str() {
                Some("returned") => {
                    self.http.post(format!("{flows}/{id}/claim")).header("x-relink-return-key", return_key)
                }
                _ => self.http.get(format!("{flows}/{id}?after={}", flow["version"])),
            };
            flow = request.header("x-relink-flow-key", &key).send().await?.json().await?;
        }
        flow["outcome"]["account"]["id"].as_str().map(str::to_owned).with_context(|| format!("the flow failed: {flow}"))
    }

    /// Connects an account as Ada. Returns the account's id.
    pub(crate) async fn connected(&self) -> Result<String> {
        let link = self.line(&["connect", "sandbox", "--tenant", "acme-1"]).await?;
        self.complete_link(&link, async |url| self.json("flow confirm_url", &["callback", url]).await).await
    }
}

pub(crate) fn text(value: &Value, name: &str) -> Result<String> {
    value[name].as_str().map(str::to_owned).with_context(|| format!("no {name} in {value}"))
}

/// Asserts that the value has exactly these fields, and that the documentation names each of them.
pub(crate) fn assert_fields(fields: &str, value: &Value) {
    let mut wanted: Vec<_> = fields.split_whitespace().collect();
    let mut found: Vec<_> = value.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    wanted.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, wanted, "{value}");
    for field in found {
        assert!(DOCUMENT.contains(&format!("\"{field}\"")), "docs/cli.md doesn't name {field}");
    }
}

#[tokio::test]
async fn an_account_from_its_link_to_its_deletion() -> Result<()> {
    let terminal = Terminal::new().await?;
    terminal.json("url", &["connect", "sandbox"]).await?;
    let id = terminal.connected().await?;
    let beginning = id.split('-').take(2).collect::<Vec<_>>().join("-");
    terminal.list("result", ACCOUNT, &["accounts"]).await?;
    for named in [id.as_str(), &beginning, "Ada Lovelace"] {
        assert_eq!(
            terminal.json(&format!("{ACCOUNT} context"), &["account", named]).await?["id"],
            id.as_str(),
            "{named}"
        );
    }
    let shown = terminal.exits_with(0, &["account", &id]).await?.out;
    assert!(shown.contains("Ada Lovelace") && shown.contains("working"), "{shown}");

    // The output is only the token, and the provider accepts it.
    let me = terminal.sandbox("/api/me").await?;
    let token = terminal.line(&["token", &id]).await?;
    assert_eq!(terminal.status(&me, &token).await?, 200);
    assert_eq!(
        terminal.json("access_token expires_at needs_reauth", &["token", &id]).await?["access_token"],
        token.as_str()
    );
    terminal.json(ACCOUNT, &["refresh", &id]).await?;
    let next = terminal.line(&["token", &id]).await?;
    assert_ne!(next, token);
    assert_eq!(terminal.status(&me, &next).await?, 200);

    let checked = terminal.json("outcome account", &["check", &id]).await?;
    assert_eq!(checked["outcome"], "accepted");
    assert_fields(ACCOUNT, &checked["account"]);
    assert_eq!(terminal.json(ACCOUNT, &["rename", &id, "Work"]).await?["name"], "Work");
    terminal.list("result", "seq account_id at kind tone title detail by event", &["timeline"]).await?;
    let latest = terminal.list(
        "result",
        "seq account_id at kind tone title detail by event",
        &["timeline", "Work", "--limit", "1"],
    );
    let latest = latest.await?;
    assert_eq!(latest.len(), 1);
    assert_eq!(latest[0]["by"], "by you", "the newest entry is the rename");

    // Revoke the access, and reauthorize with a link whose callback URL is passed on standard input.
    terminal.exits_with(0, &["sandbox", "revoke"]).await?;
    let refused = terminal.exits_with(4, &["refresh", "Work"]).await?;
    assert!(refused.err.contains("The provider said: invalid_grant"), "{}", refused.err);
    // The access token that was left is dead too, and is not handed out.
    terminal.exits_with(4, &["token", "Work"]).await?;
    let link = terminal.json("url", &["reauthorize", "Work"]).await?;
    let stdin =
        async |url: &str| Ok(serde_json::from_str(&terminal.run_with_input(&["callback", "-", "--json"], url)?)?);
    assert_eq!(terminal.complete_link(&text(&link, "url")?, stdin).await?, id);
    terminal.exits_with(0, &["check", "Work"]).await?;

    terminal.exits_with(1, &["delete", "Work"]).await?;
    assert_eq!(terminal.json("id revocation message", &["delete", "Work", "--yes"]).await?["id"], id.as_str());
    terminal.exits_with(1, &["account", &id]).await?;
    terminal.relink.stop().await
}

#[tokio::test]
async fn accounts_that_need_attention_are_listed_first() -> Result<()> {
    let terminal = Terminal::new().await?;
    let (first, second) = (terminal.connected().await?, terminal.connected().await?);
    terminal.exits_with(0, &["rename", &second, "Broken"]).await?;
    terminal.exits_with(0, &["sandbox", "fault", "invalid_grant"]).await?;
    terminal.exits_with(4, &["refresh", &second]).await?;
    let listed = terminal.list("result", ACCOUNT, &["accounts"]).await?;
    let order: Vec<_> = listed.iter().filter_map(|account| account["id"].as_str()).collect();
    assert_eq!(order, [second.as_str(), &first]);
    for name in ["code", "message", "hint"] {
        assert!(listed[0]["last_error"][name].is_string(), "{}", listed[0]);
    }
    assert!(terminal.exits_with(0, &["accounts"]).await?.out.starts_with(&second));

    let status = terminal
        .json("version base_url port_problem environment_id keychain sandbox accounts waiting", &["status"])
        .await?;
    assert_fields("state message", &status["keychain"]);
    assert_fields("base_url", &status["sandbox"]);
    assert_fields("total needs_reauth", &status["accounts"]);
    assert_eq!((status["accounts"]["total"].as_u64(), status["accounts"]["needs_reauth"].as_u64()), (Some(2), Some(1)));
    assert!(terminal.exits_with(0, &["status"]).await?.out.contains("2, 1 not working"));
    terminal.relink.stop().await
}

#[tokio::test]
async fn api_tokens_and_webhooks() -> Result<()> {
    let terminal = Terminal::new().await?;
    let accounts = format!("{}/integrated-account", terminal.relink.base_url());
    let token = terminal.line(&["api-token", "create", "script"]).await?;
    assert_eq!(terminal.status(&accounts, &token).await?, 200);
    let made =
        terminal.json(&format!("{API_TOKEN} token"), &["api-token", "create", "other", "--expires", "2"]).await?;
    let listed = terminal.list(LIST, API_TOKEN, &["api-token", "list"]).await?;
    assert_eq!(listed.len(), 2);
    assert_eq!(terminal.json("id", &["api-token", "revoke", &text(&made, "id")?]).await?["id"], made["id"]);
    assert_eq!(terminal.status(&accounts, &text(&made, "token")?).await?, 401);
    assert_eq!(terminal.status(&accounts, &token).await?, 200, "the other token is still valid");

    let receiver = Receiver::start().await?;
    let hook = terminal.json(&format!("{WEBHOOK} secret"), &["webhook", "add", receiver.url()]).await?;
    let id = text(&hook, "id")?;
    terminal.list(LIST, WEBHOOK, &["webhook", "list"]).await?;
    assert_eq!(terminal.json("success", &["webhook", "test", &id]).await?["success"], true);
    assert!(receiver.wait_for("test").await?.is_signed_with(&text(&hook, "secret")?));
    let delivery = "id event_id event state tries next_try last_status last_error created_at updated_at";
    let listed = terminal.list(LIST, delivery, &["webhook", "deliveries", &id, "--state", "delivered"]).await?;
    let sent = text(&listed[0], "id")?;
    let shown =
        terminal.json(&format!("{delivery} request_body attempts"), &["webhook", "delivery", &id, &sent]).await?;
    assert_eq!(shown["attempts"][0]["response"]["status"], 200);
    assert_eq!(terminal.json(WEBHOOK, &["webhook", "pause", &id]).await?["is_active"], false);
    assert_eq!(terminal.json(WEBHOOK, &["webhook", "resume", &id]).await?["is_active"], true);
    let changed = terminal.json(WEBHOOK, &["webhook", "change", &id, "--signature", "hex", "--events", "test"]).await?;
    assert_eq!((&changed["signature_format"], &changed["event_types"]), (&"hex".into(), &serde_json::json!(["test"])));
    assert_eq!(terminal.json("success", &["webhook", "replay", &id, &sent]).await?["success"], true);
    assert_eq!(terminal.json("replayed", &["webhook", "replay", &id]).await?["replayed"], 0);

    let account = terminal.connected().await?;
    let events = terminal.lines("seq id event payload created_at", &["events", "--once"]).await?;
    let of_account: Vec<_> = events.iter().filter(|event| event["payload"]["id"] == account.as_str()).collect();
    let names: Vec<_> = of_account.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(names, ["integrated_account:created", "integrated_account:active"]);
    let after = of_account[0]["seq"].to_string();
    let later = terminal.lines("seq id event payload created_at", &["events", "--once", "--after", &after]).await?;
    assert!(later.iter().all(|event| event["seq"].as_i64() > of_account[0]["seq"].as_i64()), "{later:?}");

    assert_eq!(terminal.json("id", &["webhook", "remove", &id]).await?["id"], id.as_str());
    terminal.exits_with(1, &["webhook", "deliveries", &id]).await?;
    terminal.relink.stop().await
}

#[tokio::test]
async fn the_catalog_and_added_integrations() -> Result<()> {
    let terminal = Terminal::new().await?;
    let fields = "id name label category built_in version installed environment_integration_id methods not_ready \
                  hides_built_in";
    let state = async |name: &str| -> Result<Value> {
        let listed = terminal.list("result", fields, &["integrations"]).await?;
        listed.into_iter().find(|entry| entry["name"] == name).with_context(|| format!("{name} is not listed"))
    };
    assert!(state("github").await?["not_ready"].is_string());
    let client = ["integrations", "client", "github", "--id", "client", "--secret-stdin", "--json"];
    let printed = terminal.run_with_input(&client, "canary-of-a-secret\n")?;
    assert!(!printed.contains("canary"), "{printed}");
    assert_fields("name not_ready", &serde_json::from_str(&printed)?);
    assert!(state("github").await?["not_ready"].is_null());
    terminal.json("name", &["integrations", "uninstall", "github"]).await?;
    assert_eq!(state("github").await?["installed"], false);
    terminal.json(INSTALLED, &["integrations", "install", "github"]).await?;
    assert_eq!(state("github").await?["installed"], true);

    let provider = Provider::start().await?;
    let file = terminal.session.folder().join("provider.json");
    std::fs::write(&file, provider.definition())?;
    let added = terminal
        .json(&format!("{INSTALLED} replaced accounts warnings"), &["integrations", "add", &file.to_string_lossy()])
        .await?;
    assert_eq!(state(&text(&added, "name")?).await?["installed"], true);
    std::fs::write(&file, "{\n  \"name\": 1\n}")?;
    let refused = terminal.exits_with(1, &["integrations", "add", &file.to_string_lossy()]).await?;
    assert!(refused.err.contains("name"), "the message names the field: {}", refused.err);
    terminal.relink.stop().await
}

#[tokio::test]
async fn the_sandbox_controls_work() -> Result<()> {
    let terminal = Terminal::new().await?;
    terminal.exits_with(1, &["sandbox", "status"]).await?;
    terminal.json(INSTALLED, &["sandbox", "start"]).await?;
    let id = terminal.connected().await?;
    let me = terminal.sandbox("/api/me").await?;
    let shape = "settings sign_ins faults_left counters people";
    assert_fields(SETTINGS, &terminal.json(shape, &["sandbox", "status"]).await?["settings"]);
    let wanted =
        ["--token-lifetime", "120", "--rotation", "strict", "--grace", "5", "--clock-skew", "-9", "--delay", "1"];
    let set = terminal.json(shape, &[&["sandbox", "set"], &wanted[..]].concat()).await?;
    let settings = json!({
        "token_lifetime_secs": 120, "rotation": "strict", "grace_secs": 5, "clock_skew_secs": -9, "delay_millis": 1
    });
    assert_eq!(set["settings"], settings);
    terminal.exits_with(1, &["sandbox", "set", "--clock-skew", "9223372036854775807"]).await?;

    let token = terminal.line(&["token", &id]).await?;
    assert_eq!(terminal.json("expired", &["sandbox", "expire", "--subject", "sandbox-grace"]).await?["expired"], 0);
    assert_eq!(terminal.status(&me, &token).await?, 200);
    assert_eq!(terminal.json("expired", &["sandbox", "expire"]).await?["expired"], 1);
    assert_eq!(terminal.status(&me, &token).await?, 401);

    let planned = ["sandbox", "fault", "too_many_requests", "--retry-after", "1", "--count", "2", "--after", "0"];
    assert_eq!(terminal.json("faults_left", &planned).await?["faults_left"], 2);
    let refused = terminal.exits_with(1, &["refresh", &id]).await?;
    assert!(refused.err.contains("limiting requests"), "{}", refused.err);
    assert_eq!(terminal.json("faults_left", &["sandbox", "clear"]).await?["faults_left"], 0);
    terminal.exits_with(0, &["refresh", &id]).await?;
    let unsupported = terminal.exits_with(1, &["sandbox", "fault", "no_expires_in", "--on", "revoke"]).await?;
    assert!(unsupported.err.contains("revocation endpoint"), "{}", unsupported.err);

    let key = terminal.line(&["sandbox", "api-key"]).await?;
    assert_eq!(terminal.status(&me, &key).await?, 200);
    let made = terminal.json("api_key subject", &["sandbox", "api-key", "--subject", "sandbox-grace"]).await?;
    assert_eq!(made["subject"], "sandbox-grace");
    terminal.json("client_id client_secret", &["sandbox", "client"]).await?;
    assert_eq!(terminal.json("revoked", &["sandbox", "revoke"]).await?["revoked"], 4, "a sign-in, two keys, a client");
    assert_eq!(terminal.status(&me, &key).await?, 401);
    terminal.lines("seq at endpoint grant_type outcome subject", &["sandbox", "log"]).await?;
    assert_eq!(terminal.json("reset", &["sandbox", "reset"]).await?["reset"], true);

    terminal.exits_with(1, &["sandbox", "remove"]).await?;
    terminal.exits_with(0, &["delete", &id, "--yes"]).await?;
    terminal.json("name", &["sandbox", "remove"]).await?;
    terminal.relink.stop().await
}
