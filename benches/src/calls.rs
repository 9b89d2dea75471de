//! The cost of getting a token, over HTTP and on the command line.

use std::{fs, time::Instant};

use anyhow::{Context, Result};
use futures_util::StreamExt;
use relink_tests::{process, provider::Provider, relink::Relink, session::Session};
use reqwest::Client;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

use crate::{
    apps,
    figures::{Figures, micros, table},
};

/// With this argument, this program runs as the baseline server, which does nothing.
pub(crate) const STATIC: &str = "static";
const REQUESTS: usize = 5_000;
const SPAWNS: usize = 200;

/// Answers every request with the text of a token response. Uses the same server stack as Relink, without any logic.
pub(crate) async fn serve_static_response() -> Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let respond = || async {
        let body = r#"{"access_token":"an-access-token-of-a-usual-length-0123456789abcdef","token_type":"Bearer","expires_at":"2026-01-01T00:00:00Z"}"#;
        ([("content-type", "application/json")], body)
    };
    let router =
        axum::Router::new().route("/", axum::routing::post(respond)).route("/drain", axum::routing::post(drain));
    axum::serve(listener, router).await?;
    Ok(())
}

/// Reads the request's body.
async fn drain(body: axum::body::Body) -> Result<(), axum::http::StatusCode> {
    let mut data = body.into_data_stream();
    while let Some(part) = data.next().await {
        part.map_err(|_| axum::http::StatusCode::BAD_REQUEST)?;
    }
    Ok(())
}

/// Starts the baseline server. Gives its URL.
pub(crate) async fn start_baseline(session: &Session) -> Result<(Child, String)> {
    let mut command = session.command(&apps::built("bench").to_string_lossy());
    command.arg(STATIC).stdout(std::process::Stdio::piped());
    let mut baseline = process::spawn(command)?;
    let mut address = String::new();
    BufReader::new(baseline.stdout.take().context("no output")?).read_line(&mut address).await?;
    Ok((baseline, format!("http://{}", address.trim())))
}

pub(crate) async fn measure() -> Result<()> {
    let session = Session::start().await?;
    let provider = Provider::start().await?;
    let relink = Relink::start(&session).await?;
    let account = provider.connect(&relink).await?;

    let (_baseline, bare_url) = start_baseline(&session).await?;

    let found: Value = serde_json::from_str(&fs::read_to_string(relink.data_dir().join("engine.json"))?)?;
    let key = found["token"].as_str().context("no token")?;
    let token_url = format!("{}/relink/accounts/{account}/access-token", relink.base_url());
    let client = Client::new();
    let (mut token, mut bare) = (Figures::default(), Figures::default());
    for round in 0..REQUESTS {
        for (url, figures) in [(&token_url, &mut token), (&bare_url, &mut bare)] {
            let start = Instant::now();
            let answer = client.post(url).bearer_auth(key).send().await?.error_for_status()?;
            answer.bytes().await?;
            if round >= REQUESTS / 10 {
                figures.add(micros(start.elapsed()));
            }
        }
    }

    let program = relink_tests::relink::program();
    let (mut spawned, mut nothing) = (Figures::default(), Figures::default());
    for round in 0..SPAWNS {
        for (command, figures) in
            [([program.as_str(), "token", &account].as_slice(), &mut spawned), (&["/bin/true"], &mut nothing)]
        {
            let start = Instant::now();
            let mut spawn = session.command(command[0]);
            spawn.args(&command[1..]).env("RELINK_DATA_DIR", relink.data_dir());
            anyhow::ensure!(spawn.output()?.status.success(), "{} failed", command[0]);
            if round >= SPAWNS / 10 {
                figures.add(micros(start.elapsed()));
            }
        }
    }
    table(
        "A token over HTTP",
        "µs",
        "static response of the same server stack",
        &[("one request after the other", &token, &bare)],
    );
    table("A token on the command line", "µs", "`/bin/true`", &[("whole process", &spawned, &nothing)]);
    println!(
        "\n`relink token` without the bare process spawn: {:.2} ms.",
        (spawned.median() - nothing.median()) / 1_000.0
    );
    relink.stop().await
}
