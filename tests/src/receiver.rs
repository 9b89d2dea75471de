//! A server that receives webhook deliveries.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};

use crate::relink::DEADLINE;

/// A received delivery.
#[derive(Debug, Clone)]
pub struct Delivery {
    headers: HeaderMap,
    raw: Bytes,
    /// The parsed body.
    pub body: Value,
}

#[derive(Debug, Clone)]
struct Shared {
    seen: watch::Sender<Vec<Delivery>>,
    refuse: Arc<Mutex<u32>>,
}

#[derive(Debug)]
pub struct Receiver {
    url: String,
    shared: Shared,
    server: JoinHandle<()>,
}

impl Receiver {
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/hook", listener.local_addr()?);
        let shared = Shared { seen: watch::Sender::new(Vec::new()), refuse: Arc::default() };
        let router = Router::new().route("/hook", post(receive)).with_state(shared.clone());
        let server = tokio::spawn(async move {
            // The server stops at the end of the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, shared, server })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes the next `count` deliveries fail with status 500.
    pub fn refuse(&self, count: u32) {
        *self.shared.refuse.lock().unwrap_or_else(PoisonError::into_inner) = count;
    }

    /// All deliveries, in order of arrival.
    pub fn seen(&self) -> Vec<Delivery> {
        self.shared.seen.borrow().clone()
    }

    /// The number of deliveries so far.
    pub fn count(&self) -> usize {
        self.shared.seen.borrow().len()
    }

    /// Waits for the first delivery of this event.
    pub async fn wait_for(&self, event: &str) -> Result<Delivery> {
        let mut seen = self.shared.seen.subscribe();
        let find = |seen: &Vec<Delivery>| seen.iter().find(|delivery| delivery.body["event"] == event).cloned();
        let found = timeout(DEADLINE, seen.wait_for(|seen| find(seen).is_some())).await;
        let found = found.with_context(|| format!("no {event} was delivered"))??;
        find(&found).context("the delivery is missing")
    }

    /// Waits for this many account events. Returns all of them in order, without their prefix.
    pub async fn receives(&self, count: usize) -> Result<Vec<String>> {
        let account = |delivery: &Delivery| {
            delivery.body["event"].as_str()?.strip_prefix("integrated_account:").map(str::to_owned)
        };
        let names_of = |seen: &Vec<Delivery>| seen.iter().filter_map(account).collect::<Vec<_>>();
        let mut seen = self.shared.seen.subscribe();
        let seen = timeout(DEADLINE, seen.wait_for(|seen| names_of(seen).len() >= count)).await;
        Ok(names_of(&*seen.context("too few deliveries")??))
    }

    /// Waits for this many deliveries in total.
    pub async fn wait_for_count(&self, count: usize) -> Result<()> {
        let mut seen = self.shared.seen.subscribe();
        timeout(DEADLINE, seen.wait_for(|seen| seen.len() >= count)).await.context("too few deliveries")??;
        Ok(())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(State(shared): State<Shared>, headers: HeaderMap, raw: Bytes) -> StatusCode {
    let body = serde_json::from_slice(&raw).unwrap_or(Value::Null);
    let refused = {
        let mut left = shared.refuse.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = *left > 0;
        *left = left.saturating_sub(1);
        refused
    };
    shared.seen.send_modify(|seen| seen.push(Delivery { headers, raw, body }));
    if refused { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
}

impl Delivery {
    /// The stable id of the delivery.
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The headers whose values are text.
    pub fn headers(&self) -> BTreeMap<&str, &str> {
        self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect()
    }

    /// The body as it arrived.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether both signatures, Truto's and Standard Webhooks', are valid for this secret.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let truto = format!("format=sha256,v={}", hmac(secret, &[&self.raw]));
        let (id, timestamp) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let standard = hmac(secret, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", &self.raw]);
        self.header("x-truto-signature") == truto
            && self.header("webhook-signature") == format!("v1,{standard}")
            && self.body["id"] == id
    }
}

fn hmac(secret: &str, parts: &[&[u8]]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    for part in parts {
        mac.update(part);
    }
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}
