//! Secrets don't leak during the whole lifecycle of an account, including kills and crashes.

use std::{fs, path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};
use relink_tests::{
    browser::Browser,
    canary::{self, Canaries},
    page, process,
    process_watch::ProcessWatch,
    provider::Provider,
    receiver::Receiver,
    recording_proxy::ProxiedProvider,
    relink::{Printed, Relink, link_token},
    session::Session,
};
use reqwest::Method;
use serde_json::{Value, json};

const NO_PLACES: Vec<String> = Vec::new();
const CLIENT_SECRET: &str = "canary-of-the-oauth-client-0001";
const REFUSED_KEY: &str = "canary-of-a-key-that-is-refused";

/// Stored together with secrets, but not secret.
const PUBLIC: [&str; 1] = ["relink-sandbox-service"];

/// The environment that produces the most output.
const VERBOSE_ENVIRONMENT: [(&str, &str); 2] = [("RELINK_LOG", "trace"), ("RUST_BACKTRACE", "full")];

/// A Relink whose secrets are all used and recorded: an account is connected, refreshed, revoked and reauthorized; an
/// API key and a client secret are typed; API tokens are created; a webhook receives events.
struct Scenario {
    session: Session,
    provider: Provider,
    proxied: ProxiedProvider,
    receiver: Receiver,
    canaries: Canaries,
    account: String,
    watch: ProcessWatch,
}

impl Scenario {
    async fn start() -> Result<Self> {
        let watch = ProcessWatch::start();
        let provider = Provider::start().await?;
        provider.control("PATCH", "", json!({ "rotation": "rotate" })).await?;
        let proxied = ProxiedProvider::start(&provider).await?;
        let (session, receiver) = (Session::start().await?, Receiver::start().await?);
        let (canaries, account) = (Canaries::default(), String::new());
        Ok(Self { session, provider, proxied, receiver, canaries, account, watch })
    }

    async fn relink(&self, more: &[(&str, &str)]) -> Result<Relink> {
        let environment: Vec<_> =
            VERBOSE_ENVIRONMENT.iter().chain(more).map(|(name, value)| (*name, (*value).to_owned())).collect();
        Relink::start_with(&self.session, &environment).await
    }

    /// Runs a command. Returns its output.
    async fn cli(&self, relink: &Relink, arguments: &[&str], input: &str) -> Result<String> {
        let printed = relink.cli_with_input(&self.session, arguments, input).await?;
        self.check(arguments, &printed)
    }

    /// Runs a command, which gets its input only after the watch has seen its arguments.
    async fn watched_cli(&self, relink: &Relink, arguments: &[&str], input: &str) -> Result<String> {
        let last = arguments.last().context("no arguments")?;
        let seen = async {
            page::until(|| self.watch.saw("arguments", last).then_some(())).await;
        };
        let printed = relink.cli_with_input_after(&self.session, arguments, input, seen).await?;
        ensure!(self.watch.saw("arguments", last), "the watch doesn't see the commands' arguments");
        self.check(arguments, &printed)
    }

    /// Returns the output of a command that succeeded.
    fn check(&self, arguments: &[&str], printed: &Printed) -> Result<String> {
        ensure!(printed.code == 0, "{arguments:?}: {}", printed.err);
        let found = self.canaries.in_text(&format!("{arguments:?} on standard error"), &printed.err);
        ensure!(found.is_empty(), "{found:?}");
        Ok(printed.out.trim().to_owned())
    }

    async fn connect(&mut self, relink: &Relink) -> Result<()> {
        let definition = self.proxied.definition();
        let definition = definition.replace("\"client_secret\": \"never\"", "\"client_secret\": \"optional\"");
        relink.post("/relink/integrations", json!({ "text": definition })).await?;
        self.canaries.add("client secret", CLIENT_SECRET)?;
        let client = ["integrations", "client", "provider", "--id", "relink-sandbox", "--secret-stdin"];
        self.watched_cli(relink, &client, CLIENT_SECRET).await?;

        let hook = relink.post("/webhook", json!({ "target_url": self.receiver.url() })).await?;
        self.canaries.add("webhook secret", text(&hook["secret"])?)?;
        let hook = self.cli(relink, &["--json", "webhook", "add", self.receiver.url()], "").await?;
        let hook: Value = serde_json::from_str(&hook)?;
        self.canaries.add("webhook secret", text(&hook["secret"])?)?;

        let link = self.cli(relink, &["connect", "provider"], "").await?;
        let flow = self.provider.complete_link_recording(relink, &link, &mut self.canaries).await?;
        text(&flow["outcome"]["account"]["id"])?.clone_into(&mut self.account);
        self.receiver.wait_for("integrated_account:active").await.map(drop)
    }

    /// Records the current tokens: the access token, which the provider accepts, and the stored refresh token.
    async fn record_tokens(&mut self, relink: &Relink) -> Result<()> {
        let access = self.cli(relink, &["token", &self.account], "").await?;
        ensure!(self.provider.accepts(&access).await?, "the provider doesn't accept the access token");
        self.canaries.add("access token", &access)?;
        let item = self.session.item(&format!("account/{}", self.account))?;
        self.canaries.add("refresh token", text(&item["secrets"]["refresh_token"])?)
    }

    /// Records the PKCE verifiers of all exchanges, which only the provider receives (RFC 7636).
    fn record_verifiers(&mut self) -> Result<()> {
        for verifier in self.proxied.verifiers() {
            self.canaries.add("PKCE verifier", &verifier)?;
        }
        Ok(())
    }

    async fn refresh_revoke_and_reauthorize(&mut self, relink: &Relink) -> Result<()> {
        self.record_tokens(relink).await?;
        for _ in 0..4 {
            relink.post(&format!("/relink/accounts/{}/refresh", self.account), Value::Null).await?;
            self.record_tokens(relink).await?;
        }
        self.provider.control("POST", "/revoke", json!({})).await?;
        let refused = relink.cli(&self.session, &["refresh", &self.account]).await?;
        ensure!(refused.code == 4, "{refused:?}");
        self.receiver.wait_for("integrated_account:authentication_error").await?;
        let link = self.cli(relink, &["reauthorize", &self.account], "").await?;
        let flow = self.provider.complete_link_recording(relink, &link, &mut self.canaries).await?;
        ensure!(flow["outcome"]["reauthorized"] == true, "{flow}");
        self.record_tokens(relink).await
    }

    async fn create_api_tokens(&mut self, relink: &Relink) -> Result<()> {
        let by_api = relink.post("/relink/api-tokens", json!({ "name": "by the API" })).await?;
        let by_cli = self.cli(relink, &["api-token", "create", "by the command line"], "").await?;
        for token in [text(&by_api["token"])?, &by_cli] {
            ensure!(relink.status_with_token(token).await? == 200, "the API rejects the token");
            self.canaries.add("API token", token)?;
        }
        Ok(())
    }

    /// Types an invalid API key, a valid one and a client secret into the connect page's forms.
    async fn fill_connect_forms(&mut self, relink: &Relink, browser: &Browser) -> Result<()> {
        let key = self.provider.control("POST", "/api-keys", json!({})).await?;
        let client = self.provider.control("POST", "/clients", json!({})).await?;
        self.canaries.add("refused key", REFUSED_KEY)?;
        self.canaries.add("API key", text(&key["api_key"])?)?;
        self.canaries.add("service's secret", text(&client["client_secret"])?)?;
        for (way, field, secret, shows) in [
            ("API key", "api_key", REFUSED_KEY, "doesn’t accept this key"),
            ("API key", "api_key", text(&key["api_key"])?, "Connection successful"),
            ("Client credentials", "client_secret", text(&client["client_secret"])?, "Connection successful"),
        ] {
            let link = relink.magic_link(json!({ "tenant_id": "acme-1" })).await?;
            self.canaries.add("link token", link_token(&link)?)?;
            browser.open(&format!("{link}&integration=provider")).await?;
            browser.press(way).await?;
            browser.fill(field, secret).await?;
            browser.press("Connect").await?;
            browser.shows(shows).await?;
        }
        for account in relink.get("/relink/accounts").await?["result"].as_array().context("no accounts")? {
            let path = format!("/relink/accounts/{}/access-token", text(&account["id"])?);
            let given = relink.post(&path, Value::Null).await?;
            self.canaries.add("access token", text(&given["access_token"])?)?;
        }
        Ok(())
    }

    /// Asserts that the common responses of the API and the command line contain no secret.
    async fn assert_no_secret_in_responses(&self, relink: &Relink) -> Result<()> {
        let hooks = relink.get("/webhook").await?;
        let deliveries = format!("/relink/webhooks/{}/deliveries", text(&hooks["result"][0]["id"])?);
        let paths = [
            "/relink/status",
            "/relink/accounts",
            "/integrated-account",
            "/relink/timeline",
            "/relink/events",
            "/relink/integrations",
            "/integration",
            "/environment-integration",
            "/webhook",
            "/api-token",
            &deliveries,
        ];
        for path in paths {
            let answer = relink.get(path).await?.to_string();
            assert_eq!(self.canaries.in_text(path, &answer), NO_PLACES);
        }
        for command in ["status", "accounts", "timeline", "integrations"] {
            let printed = self.cli(relink, &["--json", command], "").await?;
            assert_eq!(self.canaries.in_text(command, &printed), NO_PLACES);
        }
        assert_eq!(self.canaries.in_text("a delivery", &format!("{:?}", self.receiver.seen())), NO_PLACES);
        Ok(())
    }

    /// Asserts that files and processes contain no secret, and that the search finds other known texts in each of them.
    fn assert_no_secret_in_files_and_processes(&self, relink: &Relink) -> Result<()> {
        let processes = canary::processes_of(self.session.folder());
        assert_eq!(self.canaries.found(&[self.session.folder()], &processes), NO_PLACES);

        let pid = relink.pid().context("Relink has exited")?;
        self.assert_account_is_found(&relink.data_dir().join("relink.db-wal"));
        let data_dir = [relink.data_dir().display().to_string()];
        assert_ne!(canary::found(&data_dir, &[], [pid]), NO_PLACES, "the search reads the program's arguments");
        ensure!(processes.len() >= 6 && processes.contains(&pid), "bus, keyring, programs, browser: {processes:?}");
        Ok(())
    }

    fn assert_account_is_found(&self, file: &Path) {
        let account = [self.account.clone()];
        assert_ne!(canary::found(&account, &[file], None), NO_PLACES, "the search reads {}", file.display());
    }

    /// Makes Relink panic at this crash point, and asserts that neither its output nor its files contain a secret.
    async fn crash_at(&mut self, point: &str) -> Result<()> {
        let relink = self.relink(&[("RELINK_PANIC_AT", point)]).await?;
        let printed = format!("crash-point {point}");
        tokio::select! {
            triggered = self.trigger(point, &relink) => triggered?,
            reached = relink.logs(&printed) => reached?,
        }
        // The backtrace follows the message.
        relink.logs("stack backtrace:").await?;
        let log = relink.kill().await?;
        self.record_verifiers()?;
        let panic = log.lines().find(|line| line.contains(&printed)).context("the log contains no panic")?;
        assert!(panic.contains("<redacted>"), "the panic message contains redacted values: {panic}");
        for secret in self.session.kept()?.iter().filter(|secret| !PUBLIC.contains(&secret.as_str())) {
            self.canaries.add("kept secret", secret)?;
        }
        assert_eq!(self.canaries.in_text("what a crash prints", &log), NO_PLACES);
        assert_eq!(self.canaries.found(&[self.session.folder()], &[]), NO_PLACES, "after a crash at {point}");
        Ok(())
    }

    async fn trigger(&mut self, point: &str, relink: &Relink) -> Result<()> {
        match point {
            "refresh-kept" => {
                let path = format!("/relink/accounts/{}/refresh", self.account);
                relink.try_request(Method::POST, &path, Value::Null).await?;
            }
            "delivery-sending" => {
                let hooks = relink.get("/webhook").await?;
                let id = json!({ "id": hooks["result"][0]["id"] });
                relink.try_request(Method::POST, "/webhook/test", id).await?;
            }
            _ => {
                let purpose = if point == "connect-kept" {
                    json!({ "tenant_id": "another" })
                } else {
                    json!({ "integrated_account_id": self.account })
                };
                let link = relink.magic_link(purpose).await?;
                self.provider.complete_link_recording(relink, &link, &mut self.canaries).await?;
            }
        }
        // The crash happens in another task.
        std::future::pending().await
    }
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().with_context(|| format!("not a string: {value}"))
}

#[tokio::test]
async fn twenty_secrets_through_the_whole_lifecycle_and_crashes_leave_no_trace() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    let relink = scenario.relink(&[]).await?;
    // This command runs all the time, and its output is one of the session's files.
    let mut follows = relink.command(&scenario.session, &["--json", "events"]);
    follows.stdout(fs::File::create(scenario.session.folder().join("events"))?).stderr(Stdio::null());
    let follower = process::spawn(follows)?;
    let browser = Browser::start(&scenario.session).await?;

    scenario.connect(&relink).await?;
    scenario.refresh_revoke_and_reauthorize(&relink).await?;
    scenario.create_api_tokens(&relink).await?;
    scenario.fill_connect_forms(&relink, &browser).await?;
    scenario.record_verifiers()?;
    let kinds = scenario.canaries.kinds();
    let each =
        ["API key", "API token", "PKCE verifier", "access token", "authorization code", "client secret", "flow key"];
    let further =
        ["link token", "refresh token", "refused key", "return key", "service's secret", "state", "webhook secret"];
    assert_eq!(kinds.keys().copied().collect::<Vec<_>>(), [&each[..], &further].concat());
    assert!(kinds.values().sum::<usize>() >= 20, "{kinds:?}");

    scenario.assert_no_secret_in_responses(&relink).await?;
    scenario.assert_no_secret_in_files_and_processes(&relink)?;
    browser.close().await?;
    let log = relink.kill().await?;
    drop(follower);
    assert!(log.contains(&scenario.account), "the log mentions the account");
    assert_eq!(scenario.canaries.in_text("the log", &log), NO_PLACES);
    assert_eq!(scenario.canaries.found(&[scenario.session.folder()], &[]), NO_PLACES, "after kill -9");

    for point in ["refresh-kept", "connect-kept", "replace-kept", "delivery-sending"] {
        scenario.crash_at(point).await.with_context(|| point.to_owned())?;
    }

    // So far, most data was in the write-ahead log. Now it is in the database file.
    let database = scenario.session.folder().join("relink/relink.db");
    let mut write_back = process::command("python3");
    write_back
        .args(["-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint(TRUNCATE)')"]);
    ensure!(write_back.arg(&database).status()?.success(), "the write-ahead log could not be written back");
    scenario.assert_account_is_found(&database);
    assert_eq!(scenario.canaries.found(&[scenario.session.folder()], &[]), NO_PLACES, "in the database");
    assert_eq!(scenario.watch.found(&scenario.canaries), NO_PLACES);
    Ok(())
}
