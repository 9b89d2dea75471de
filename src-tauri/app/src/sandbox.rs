//! The Sandbox's controls.

use relink_engine::SANDBOX;
use serde_json::{Value, json};

use crate::{
    App, Result,
    types::{ErrorView, Rehearse, SandboxSettings},
};

impl App {
    /// What the Sandbox does now.
    pub async fn sandbox(&self) -> Result<SandboxSettings> {
        let found = self.control("GET", "/control", Value::Null).await?;
        let settings = &found["settings"];
        let number = |value: &Value| value.as_u64().and_then(|it| u32::try_from(it).ok()).unwrap_or_default();
        Ok(SandboxSettings {
            token_lifetime_secs: number(&settings["token_lifetime_secs"]),
            rotation: settings["rotation"].as_str().unwrap_or_default().to_owned(),
            faults_left: number(&found["faults_left"]),
        })
    }

    /// Does something to the Sandbox; how it is then.
    pub async fn rehearse(&self, rehearse: Rehearse) -> Result<SandboxSettings> {
        let (method, path, body) = match rehearse {
            Rehearse::Expire => ("POST", "/control/expire", json!({})),
            Rehearse::Revoke => ("POST", "/control/revoke", json!({})),
            Rehearse::Fault { kind, count } => ("POST", "/control/faults", json!({ "kind": kind, "count": count })),
            Rehearse::Clear => ("DELETE", "/control/faults", json!({})),
            Rehearse::Lifetime { secs } => ("PATCH", "/control", json!({ "token_lifetime_secs": secs })),
            Rehearse::Rotation { kind } => ("PATCH", "/control", json!({ "rotation": kind })),
        };
        self.control(method, path, body).await?;
        self.sandbox().await
    }

    async fn control(&self, method: &str, path: &str, body: Value) -> Result<Value> {
        self.0.sandbox_runner.rehearse(method, path, &body).await.map_err(|message| ErrorView {
            code: "sandbox_refused".to_owned(),
            title: "The Sandbox reported an error".to_owned(),
            message,
            hint: None,
            field: None,
        })
    }

    /// Waits until the Sandbox runs, or doesn't any more, after its integration was installed or uninstalled.
    pub(crate) async fn sandbox_follows(&self, name: &str, runs: bool) {
        if name == SANDBOX {
            self.0.sandbox_runner.follows(runs).await;
        }
    }
}
