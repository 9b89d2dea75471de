//! Attacks through the texts of a provider, and through its addresses.

use std::fs;

use anyhow::{Context, Result, ensure};
use relink_tests::{
    browser::Browser,
    canary,
    echoing_provider::{API_KEY, EchoingProvider, Mood, NAME, Refusal},
    receiver::Receiver,
    relink::{Relink, link_token},
    session::Session,
};
use reqwest::Method;
use serde_json::{Value, json};

const NO_PLACES: Vec<String> = Vec::new();

struct World {
    session: Session,
    relink: Relink,
    provider: EchoingProvider,
    receiver: Receiver,
    http: reqwest::Client,
}

impl World {
    async fn start() -> Result<Self> {
        let (session, provider) = (Session::start().await?, EchoingProvider::start().await?);
        let relink = Relink::start_with(&session, &[("RELINK_LOG", "trace".to_owned())]).await?;
        let receiver = Receiver::start().await?;
        relink.post("/webhook", json!({ "target_url": receiver.url() })).await?;
        relink.post("/relink/integrations", json!({ "text": provider.definition() })).await?;
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { session, relink, provider, receiver, http })
    }

    /// Begins a flow of a new link. Returns the flow.
    async fn begin(&self, body: Value) -> Result<Value> {
        let link = self.relink.magic_link(json!({ "tenant_id": "acme-1" })).await?;
        let request = self.http.post(format!("{}/connect-account/flows", self.relink.base_url()));
        Ok(request.header("x-relink-link-token", link_token(&link)?).json(&body).send().await?.json().await?)
    }

    /// Signs in with OAuth in the browser. Returns the account's id.
    async fn connect_with_oauth(&self, browser: &Browser) -> Result<String> {
        let link = self.relink.magic_link(json!({ "tenant_id": "acme-1" })).await?;
        browser.open(&format!("{link}&integration={NAME}")).await?;
        browser.press("Continue to").await?;
        browser.newest_tab().await?;
        browser.shows("Connection successful").await?;
        let accounts = self.relink.get("/relink/accounts").await?;
        accounts["result"][0]["id"].as_str().map(str::to_owned).with_context(|| format!("no account: {accounts}"))
    }

    /// Connects with an API key, and waits for the end of the flow.
    async fn connect_with_key(&self) -> Result<Value> {
        let body = json!({ "integration": NAME, "format": "api_key", "fields": { "api_key": API_KEY } });
        let mut flow = self.begin(body).await?;
        let (id, key) = (text(&flow["id"])?.to_owned(), text(&flow["key"])?.to_owned());
        while !matches!(flow["phase"].as_str(), Some("succeeded" | "failed")) {
            let url = format!("{}/connect-account/flows/{id}?after={}", self.relink.base_url(), flow["version"]);
            flow = self.http.get(url).header("x-relink-flow-key", &key).send().await?.json().await?;
        }
        Ok(flow)
    }

    /// Returns to Relink with an error that repeats secrets.
    async fn refuse_in_callback(&self) -> Result<()> {
        let flow = self.begin(json!({ "integration": NAME, "format": "oauth2" })).await?;
        let url = url::Url::parse(text(&flow["authorize_url"])?)?;
        let parameter =
            |name: &str| url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
        let mut callback = url::Url::parse(&parameter("redirect_uri").context("no redirect URI")?)?;
        let state = parameter("state").context("no state")?;
        callback.query_pairs_mut().extend_pairs([
            ("state", &*state),
            ("error", &self.provider.echo(&state)),
            ("error_description", &format!("Not with {}", self.provider.echo(&state))),
        ]);
        self.http.get(callback).send().await?;
        Ok(())
    }

    async fn refresh(&self, id: &str) -> Result<Value> {
        Ok(self.relink.try_request(Method::POST, &format!("/relink/accounts/{id}/refresh"), Value::Null).await?.1)
    }

    async fn check(&self, id: &str) -> Result<Value> {
        Ok(self.relink.try_request(Method::POST, &format!("/relink/accounts/{id}/check"), Value::Null).await?.1)
    }

    /// What the API and the command line answer about all of it.
    async fn answers(&self) -> Result<Vec<(String, String)>> {
        let mut answers = Vec::new();
        for path in [
            "/relink/accounts",
            "/integrated-account",
            "/relink/timeline?limit=500",
            "/relink/events",
            "/relink/status",
        ] {
            answers.push((path.to_owned(), self.relink.get(path).await?.to_string()));
        }
        for arguments in [
            &["accounts"][..],
            &["--json", "accounts"],
            &["timeline", "--limit", "500"],
            &["--json", "timeline", "--limit", "500"],
            &["events", "--once"],
            &["--json", "events", "--once"],
        ] {
            let printed = self.relink.cli(&self.session, arguments).await?;
            ensure!(printed.code == 0, "{arguments:?}: {}", printed.err);
            answers.push((format!("{arguments:?}"), printed.out + &printed.err));
        }
        answers.push(("deliveries".to_owned(), format!("{:?}", self.receiver.seen())));
        Ok(answers)
    }
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().with_context(|| format!("not a string: {value}"))
}

/// Which of these texts are in the other. JSON and quoted texts are searched in their own notation, too.
fn found(needles: &[String], place: &str, text: &str) -> Vec<String> {
    let unquoted = text.replace("\\\"", "\"").replace("\\\\", "\\");
    let is_found = |needle: &&String| text.contains(needle.as_str()) || unquoted.contains(needle.as_str());
    needles.iter().filter(is_found).map(|needle| format!("{needle} in {place}")).collect()
}

#[tokio::test]
async fn nothing_that_a_provider_repeats_of_a_secret_is_kept() -> Result<()> {
    let world = World::start().await?;
    let browser = Browser::start(&world.session).await?;
    let id = world.connect_with_oauth(&browser).await?;
    browser.close().await?;
    let account = world.relink.get(&format!("/relink/accounts/{id}")).await?;
    assert_eq!((&account["identity"], &account["scopes"][0]), (&json!("ada"), &json!("read")), "the rest is kept");

    let mut kept = Vec::new();
    let enough = EchoingProvider::repertoire();
    for turn in 0.. {
        if world.provider.said() > enough && turn % 6 == 0 {
            break;
        }
        match turn % 6 {
            0..=2 => {
                let refusals = [Refusal::Body, Refusal::Challenge, Refusal::Redirect];
                world.provider.behaves(Mood::RefusesTokens(refusals[turn % 3]));
                kept.push(world.refresh(&id).await?.to_string());
            }
            3 => {
                world.provider.behaves(Mood::Works);
                world.refresh(&id).await?;
                world.provider.behaves(Mood::RefusesCalls([400, 401, 403, 422, 500][turn / 6 % 5]));
                kept.push(world.check(&id).await?.to_string());
            }
            4 => {
                let mood = if turn / 6 % 3 == 0 { Mood::RefusesCalls(401) } else { Mood::Works };
                world.provider.behaves(mood);
                kept.push(world.connect_with_key().await?.to_string());
            }
            _ => world.refuse_in_callback().await?,
        }
    }
    assert!(kept.iter().any(|text| text.contains("(hidden) is not known")), "what is no secret is kept: {kept:?}");

    let needles = world.provider.needles();
    for text in &kept {
        assert_eq!(found(&needles, "a response", text), NO_PLACES);
    }
    for (place, text) in world.answers().await? {
        assert_eq!(found(&needles, &place, &text), NO_PLACES);
    }
    // Labels in the keychain. Its file is encrypted, and its secrets are where they belong.
    let labels: Vec<String> =
        world.session.keyring_text()?.lines().filter(|line| line.starts_with("label")).map(str::to_owned).collect();
    assert!(!labels.is_empty() && labels.iter().all(|label| label.len() < 400), "{:.999}", labels.join("\n"));
    assert_eq!(found(&needles, "a label", &labels.join("\n")), NO_PLACES);
    let log = world.relink.kill().await?;
    assert_eq!(found(&needles, "the log", &log), NO_PLACES);
    let folders = [world.session.folder()];
    assert_eq!(canary::found(&needles, &folders, []), NO_PLACES, "in files, such as the database and its log");
    // The search finds what is there.
    fs::write(world.session.folder().join("planted"), &needles[0])?;
    assert_eq!(canary::found(&needles[..1], &folders, []).len(), 1);
    Ok(())
}
