//! The Sandbox's controls.

use relink_contract::window::{ErrorView, SandboxAction, SandboxSettings};
use relink_engine::SANDBOX;
use serde_json::{Value, json};

use crate::{App, Result};

impl App {
    pub async fn sandbox(&self) -> Result<SandboxSettings> {
        let state = self.sandbox_request("GET", "/control", Value::Null).await?;
        let settings = &state["settings"];
        let number = |value: &Value| value.as_u64().and_then(|it| u32::try_from(it).ok()).unwrap_or_default();
        Ok(SandboxSettings {
            token_lifetime_secs: number(&settings["token_lifetime_secs"]),
            rotation: settings["rotation"].as_str().unwrap_or_default().to_owned(),
            faults_left: number(&state["faults_left"]),
        })
    }

    pub async fn control_sandbox(&self, action: SandboxAction) -> Result<SandboxSettings> {
        let (method, path, body) = match action {
            SandboxAction::Expire => ("POST", "/control/expire", json!({})),
            SandboxAction::Revoke => ("POST", "/control/revoke", json!({})),
            SandboxAction::Fault { kind, count } => {
                ("POST", "/control/faults", json!({ "kind": kind, "count": count }))
            }
            SandboxAction::Clear => ("DELETE", "/control/faults", json!({})),
            SandboxAction::Lifetime { secs } => ("PATCH", "/control", json!({ "token_lifetime_secs": secs })),
            SandboxAction::Rotation { kind } => ("PATCH", "/control", json!({ "rotation": kind })),
        };
        self.sandbox_request(method, path, body).await?;
        self.sandbox().await
    }

    async fn sandbox_request(&self, method: &str, path: &str, body: Value) -> Result<Value> {
        self.0.sandbox_runner.call_control(method, path, &body).await.map_err(|message| ErrorView {
            code: "sandbox_refused".to_owned(),
            title: "The Sandbox reported an error".to_owned(),
            message,
            hint: None,
            field: None,
        })
    }

    /// Waits until the Sandbox has started or stopped, after its integration was installed or uninstalled.
    pub(crate) async fn await_sandbox(&self, integration: &str, runs: bool) {
        if integration == SANDBOX {
            self.0.sandbox_runner.follows(runs).await;
        }
    }
}
