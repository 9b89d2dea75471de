//! The app that is running on a desktop, regardless of what started it.

use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::time::timeout;

use super::Desktop;
use crate::{
    process,
    relink::{DEADLINE, POLL_INTERVAL},
};

/// The API of the app that is running on a desktop, regardless of what started it.
#[derive(Debug)]
pub struct RunningApp {
    base_url: String,
    token: String,
    pid: u32,
}

impl Drop for RunningApp {
    fn drop(&mut self) {
        // No test value owns a process that the system started, so stop it here.
        let _ = process::signal("KILL", self.pid);
    }
}

impl RunningApp {
    /// Finds the running app in the same way as the command line.
    pub fn of(desktop: &Desktop) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let file = desktop.data_dir().join("engine.json");
        let found: Value = serde_json::from_str(&fs::read_to_string(file)?)?;
        let text = |name: &str| found[name].as_str().map(str::to_owned).context("not a string");
        let pid = found["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).context("no pid")?;
        Ok(Self { base_url: text("base_url")?, token: text("token")?, pid })
    }

    async fn get(&self, path: &str) -> Result<Vec<Value>> {
        let request = reqwest::Client::new().get(format!("{}{path}", self.base_url)).bearer_auth(&self.token);
        let response: Value = request.send().await?.json().await?;
        Ok(response["result"].as_array().cloned().unwrap_or_default())
    }

    /// All accounts.
    pub async fn accounts(&self) -> Result<Vec<Value>> {
        self.get("/relink/accounts").await
    }

    /// The timeline of all accounts, as soon as it has this many entries.
    pub async fn timeline_until(&self, count: usize) -> Result<Vec<Value>> {
        let has = async {
            loop {
                let lines = self.get("/relink/timeline").await?;
                if lines.len() >= count {
                    return Ok(lines);
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        timeout(DEADLINE, has).await.context("too few timeline entries")?
    }
}
