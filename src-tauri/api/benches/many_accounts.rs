//! A call each on 10,000 accounts beside the same calls on one account: nothing of a call may grow with the number of accounts.
//! The keychain is in memory, because it isn't what is measured. Run by `make bench`; asserts nothing about time.

use std::{path::Path, time::Instant};

use axum::{Router, routing::get};
use futures_util::{StreamExt, stream};
use relink_api::{ServeOptions, Serving};
use relink_domain::{
    AccountId, Secret,
    account::AuthenticationMethod,
    caller::{Caller, TokenLevel},
};
use relink_engine::{
    Engine, Options,
    clock::Clock,
    keychain::{Keychain, MemoryKeychain},
    many_accounts::{Form, connect_many},
};
use serde_json::json;

const ACCOUNTS: usize = 10_000;
const ROUNDS: usize = 5;
/// Calls at a time.
const CALLING: usize = 8;

#[tokio::main]
async fn main() {
    let provider = serve_provider().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, serving) = start(folder.path()).await;
    engine.catalog().add(&Caller::Person, &definition(&provider)).await.expect("added");
    let form = |number: usize| Form {
        integration: "keys".to_owned(),
        format: AuthenticationMethod::ApiKey,
        fields: vec![("api_key", format!("key-of-a-usual-length-0123456789-{number}"))],
    };
    let accounts = connect_many(&engine, ACCOUNTS, form).await;
    let (_, token) = engine
        .access()
        .create_api_token(&Caller::Person, "benchmark".to_owned(), TokenLevel::Program, None)
        .await
        .expect("a token");
    let caller = Programs { client: reqwest::Client::new(), base_url: serving.base_url().to_string(), token };

    let one = vec![accounts[0]; ACCOUNTS];
    caller.call(&one).await;
    let first = caller.call(&accounts).await;
    let (mut on_all, mut on_one) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        on_one.push(caller.call(&one).await);
        on_all.push(caller.call(&accounts).await);
    }
    println!("\n### A call each on {ACCOUNTS} accounts\n");
    println!("| µs a call, median (min – max) | {ACCOUNTS} accounts | one account | ratio |\n|---|---|---|---|");
    let ratio = median(&on_all) / median(&on_one);
    println!("| `/via`, {CALLING} at a time | {} | {} | {ratio:.2} |", cell(&on_all), cell(&on_one));
    println!(
        "\nThe aim is at most 1.2. The first call of each account, for which it is read from the database and the keychain: {first:.0} µs."
    );
    serving.stop(&engine).await;
}

/// Programs that call through Relink.
struct Programs {
    client: reqwest::Client,
    base_url: String,
    token: Secret,
}

impl Programs {
    /// Makes a call with each of these accounts. Microseconds for one.
    async fn call(&self, accounts: &[AccountId]) -> f64 {
        let began = Instant::now();
        stream::iter(accounts)
            .for_each_concurrent(CALLING, |account| async move {
                let url = format!("{}/via/{account}/small", self.base_url);
                let response = self.client.get(url).bearer_auth(self.token.expose()).send().await.expect("a response");
                let body = response.error_for_status().expect("success").bytes().await.expect("a body");
                assert_eq!(body.len(), 1_000);
            })
            .await;
        let calls = u32::try_from(accounts.len()).expect("it fits");
        began.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
    }
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn cell(figures: &[f64]) -> String {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(0.0, f64::max);
    format!("{:.0} ({least:.0} – {most:.0})", median(figures))
}

/// Answers with 1 kB. Its origin.
async fn serve_provider() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("bound"));
    let router = Router::new().route("/small", get(async || "x".repeat(1_000)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    origin
}

async fn start(folder: &Path) -> (Engine, Serving) {
    let options = Options {
        data_dir: folder.to_owned(),
        keychain: Keychain::memory(MemoryKeychain::default()),
        clock: Clock::system(),
        takes_deep_links: false,
    };
    let engine = Engine::start(options).await.expect("the engine starts");
    let options = ServeOptions {
        listen: Some(([127, 0, 0, 1], 0).into()),
        runs_without_port: false,
        also_listen: false,
        data_dir: folder.to_owned(),
        runtime_dir: None,
    };
    let serving = relink_api::serve(engine.clone(), options).await.expect("it serves");
    (engine, serving)
}

fn definition(base_url: &str) -> String {
    json!({ "name": "keys", "config": {
        "label": "Keys",
        "base_url": base_url,
        "credentials": { "api_key": { "format": "api_key", "config": {
            "fields": [{ "name": "api_key", "label": "Key", "type": "password", "required": true }],
        } } },
        "authorization": { "api_key": { "format": "bearer", "config": { "path": "api_key" } } },
        "relink": { "allow_local": true },
    } })
    .to_string()
}
