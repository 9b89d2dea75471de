//! How costs grow with the number of accounts: the same requests with few accounts and with many.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use relink_tests::{
    provider::Provider,
    receiver::Receiver,
    relink::{DEADLINE, Relink, program},
    session::Session,
};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::{
    figures::{Figures, growth_table, micros, millis},
    seed::{self, Sizes},
};

const SMALL: Sizes = Sizes { accounts: 100, timeline: 3_000, deliveries: 200 };
const LARGE: Sizes = Sizes { accounts: 10_000, timeline: 300_000, deliveries: 10_000 };
/// The database for the measurement of `relink accounts`.
const LISTED_SIZES: Sizes = Sizes { accounts: 5_000, timeline: 0, deliveries: 0 };
const PAGE: usize = 100;
const REQUESTS: usize = 200;
const DRAINS: usize = 5;
const LISTS: usize = 20;
/// Longer than the benchmark runs, so that no token expires.
const TOKEN_LIFETIME_SECS: u32 = 30 * 24 * 60 * 60;

/// Method and path of a request to a stage's Relink.
type RequestOf = fn(&Installation) -> (Method, String);

/// A Relink with accounts, in its own session.
struct Installation {
    session: Session,
    relink: Relink,
    account: String,
    receiver: Receiver,
}

/// A page of accounts.
fn list(query: &str) -> (Method, String) {
    (Method::GET, format!("/integrated-account?limit={PAGE}&{query}"))
}

pub(crate) async fn measure() -> Result<()> {
    let provider = Provider::start().await?;
    provider.control("PATCH", "", json!({ "token_lifetime_secs": TOKEN_LIFETIME_SECS })).await?;
    let small = Installation::of(&provider, SMALL).await?;
    let large = Installation::of(&provider, LARGE).await?;

    let requests: [(&str, RequestOf); 13] = [
        ("list of accounts, a page of 100", |_| list("")),
        ("the same, `sort=-updated_at`", |_| list("sort=-updated_at")),
        ("of one tenant, `sort=-updated_at`", |_| list("tenant_id=acme-1&sort=-updated_at")),
        ("of one status", |_| list("status=active")),
        ("of one integration, `sort=updated_at`", |_| list("integration.name=sandbox&sort=updated_at")),
        ("with two statuses", |_| list("status[in]=active,needs_reauth")),
        ("`tenant_id[like]=nobody%`", |_| list("tenant_id[like]=nobody%")),
        ("`is_sandbox=false`, of which there is none", |_| list("is_sandbox=false")),
        ("`created_at[gt]` a time to come", |_| list("created_at[gt]=2100-01-01T00:00:00Z")),
        ("one account", |installation| (Method::GET, format!("/integrated-account/{}", installation.account))),
        ("timeline, the newest 100", |_| (Method::GET, format!("/relink/timeline?limit={PAGE}"))),
        ("status", |_| (Method::GET, "/relink/status".to_owned())),
        ("token", |installation| (Method::POST, format!("/relink/accounts/{}/access-token", installation.account))),
    ];
    let client = Client::new();
    let mut rows = Vec::new();
    for (name, request) in requests {
        let (mut few, mut many) = (Figures::default(), Figures::default());
        for round in 0..REQUESTS {
            for (installation, figures) in [(&small, &mut few), (&large, &mut many)] {
                let took = installation.request(&client, request(installation)).await?;
                if round >= REQUESTS / 10 {
                    figures.add(micros(took));
                }
            }
        }
        rows.push((name, few, many));
    }
    let (small, few) = small.drain().await?;
    let (large, many) = large.drain().await?;
    rows.push(("delivery drain, 100 deliveries", few, many));
    let sizes = |sizes: Sizes| format!("{} accounts, {} timeline entries", sizes.accounts, sizes.timeline);
    growth_table("Few accounts and many", "µs", [&sizes(SMALL), &sizes(LARGE)], &rows);
    println!("\nThe drain: {} pending deliveries beside {}.", SMALL.deliveries, LARGE.deliveries);
    small.relink.stop().await?;
    large.relink.stop().await?;

    let installation = Installation::of(&provider, LISTED_SIZES).await?;
    let (mut list, mut nothing) = (Figures::default(), Figures::default());
    for _ in 0..LISTS {
        list.add(millis(installation.run(&program(), &["accounts"])?));
        nothing.add(millis(installation.run("/bin/true", &[])?));
    }
    println!(
        "\n`relink accounts` with {} accounts: {:.0} ms ({:.0} – {:.0}), of which a bare process spawn {:.1} ms. The aim is 100 ms.",
        LISTED_SIZES.accounts,
        list.median(),
        list.quantile(0.0),
        list.quantile(1.0),
        nothing.median(),
    );
    installation.relink.stop().await
}

impl Installation {
    /// Connects one account, and copies it within the program's database.
    async fn of(provider: &Provider, sizes: Sizes) -> Result<Self> {
        let session = Session::start().await?;
        let relink = Relink::start(&session).await?;
        let account = provider.connect(&relink).await?;
        let receiver = Receiver::start().await?;
        let webhook = json!({ "target_url": receiver.url(), "is_active": true, "allow_private": true });
        relink.post("/relink/webhooks", webhook).await?;
        // Make one delivery, as the template for the copies.
        relink.post(&format!("/relink/accounts/{account}/rename"), json!({ "name": "Acme" })).await?;
        relink.post(&format!("/relink/accounts/{account}/refresh"), Value::Null).await?;
        let id = relink.get("/webhook").await?["result"][0]["id"].as_str().context("no webhook")?.to_owned();
        relink.post("/webhook/test", json!({ "id": id })).await?;
        receiver.wait_for_count(1).await?;
        let database = relink.data_dir().join("relink.db");
        relink.stop().await?;
        seed::copy_accounts(&database, &account, sizes)?;
        Ok(Self { relink: Relink::start(&session).await?, session, account, receiver })
    }

    async fn request(&self, client: &Client, (method, path): (Method, String)) -> Result<Duration> {
        let start = Instant::now();
        let request = client.request(method, format!("{}{path}", self.relink.base_url()));
        let response = request.bearer_auth(self.relink.token()).send().await?.error_for_status()?;
        response.bytes().await?;
        Ok(start.elapsed())
    }

    /// The time per 100 deliveries, counted from the first delivery after a start.
    async fn drain(mut self) -> Result<(Self, Figures)> {
        let database = self.relink.data_dir().join("relink.db");
        let mut figures = Figures::default();
        for _ in 0..DRAINS {
            self.relink.stop().await?;
            seed::make_deliveries_pending(&database)?;
            let before = self.receiver.count();
            self.relink = Relink::start(&self.session).await?;
            self.receiver.wait_for_count(before + 1).await?;
            let start = Instant::now();
            self.receiver.wait_for_count(before + 1 + PAGE).await?;
            figures.add(micros(start.elapsed()));
        }
        Ok((self, figures))
    }

    /// The time of a whole process, from start to exit.
    fn run(&self, program: &str, arguments: &[&str]) -> Result<Duration> {
        let mut command: Command = self.session.command(program);
        command.args(arguments).env("RELINK_DATA_DIR", self.relink.data_dir());
        let start = Instant::now();
        let output = command.output()?;
        let took = start.elapsed();
        ensure!(output.status.success() && took < DEADLINE, "{program} failed");
        Ok(took)
    }
}
