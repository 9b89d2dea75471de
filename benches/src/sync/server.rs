//! The provider: a list of any number of contacts, by pages.

use std::{fmt::Write as _, process::Stdio};

use anyhow::{Context, Result};
use axum::{Router, extract::RawQuery, http::header::CONTENT_TYPE, response::IntoResponse, routing::get};
use relink_tests::{process, session::Session};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::Child,
};

use crate::apps;

/// With this argument, this program is the provider.
pub(crate) const PROVIDER: &str = "sync-provider";

/// Starts the provider in a process of its own. Gives its URL; a list of so many records is at `/{records}`.
pub(super) async fn start(session: &Session) -> Result<(Child, String)> {
    let mut command = session.command(&apps::built("bench").to_string_lossy());
    command.arg(PROVIDER).stdout(Stdio::piped());
    let mut provider = process::spawn(command)?;
    let mut address = String::new();
    BufReader::new(provider.stdout.take().context("no output")?).read_line(&mut address).await?;
    Ok((provider, format!("http://{}", address.trim())))
}

pub(crate) async fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/{records}", get(page))).await?;
    Ok(())
}

async fn page(axum::extract::Path(records): axum::extract::Path<u64>, RawQuery(query): RawQuery) -> impl IntoResponse {
    let query = query.unwrap_or_default();
    let number = |name: &str| {
        let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        value.and_then(|value| value.parse::<u64>().ok())
    };
    let (first, limit) = (number("cursor").unwrap_or_default(), number("limit").unwrap_or(100));
    let end = records.min(first + limit);
    let mut body = String::with_capacity(usize::try_from(end.saturating_sub(first)).unwrap_or_default() * 400);
    body.push_str(r#"{"results":["#);
    for id in first..end {
        if id > first {
            body.push(',');
        }
        // Writing to a string doesn't fail.
        let _ = write!(
            body,
            r#"{{"id":{id},"first_name":"Ada","last_name":"Person {id}","emails":[{{"address":"Ada.{id}@example.com","kind":"work"}},{{"address":"{id}@home.example.com","kind":"home"}}],"address":{{"street":"1 Long Street","city":"Springfield","country":"US"}},"status":"active","score":{id}.5,"created_at":"2026-01-02T03:04:05.000Z","updated_at":"2026-11-28T10:00:00.000Z"}}"#
        );
    }
    let next = if end < records { format!("\"{end}\"") } else { "null".to_owned() };
    let _ = write!(body, r#"],"next":{next}}}"#);
    ([(CONTENT_TYPE, "application/json")], body)
}
