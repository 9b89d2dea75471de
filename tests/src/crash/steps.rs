//! Kills during the steps that an integration runs after a sign-in.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{Harness, StateBefore};
use crate::{
    provider::Provider,
    relink::{DEADLINE, POLL_INTERVAL, Relink},
};

/// The name of an integration that runs steps after a sign-in at the provider.
pub(super) const WITH_STEPS: &str = "with-steps";

pub(super) fn with_steps(provider: &Provider) -> Result<String> {
    let mut definition: Value = serde_json::from_str(&provider.definition())?;
    definition["name"] = WITH_STEPS.into();
    let me = json!({ "type": "request", "config": { "path": "/api/me" } });
    let found =
        json!({ "type": "update_context", "config": { "expression": "{ \"found\": $string($exists($previous)) }" } });
    definition["config"]["actions"] =
        json!({ "post_install": { "steps": [me, found] }, "validation": { "steps": [me] } });
    Ok(definition.to_string())
}

impl Harness {
    /// Asserts that the new account goes on with its steps by itself and is active after them, with what they found and with
    /// exactly its two events.
    pub(super) async fn check_onboarded(&self, relink: &Relink, state_before: &StateBefore) -> Result<Option<String>> {
        let accounts = relink.get("/integrated-account").await?;
        let accounts = accounts["result"].as_array().context("no accounts")?;
        ensure!(accounts.len() == state_before.accounts + 1, "the account was not kept: {accounts:?}");
        let new = accounts.iter().find(|it| it["id"] != self.account.as_str()).context("no new account")?;
        let path = format!("/integrated-account/{}", new["id"].as_str().context("no ID")?);
        let is_done = async {
            loop {
                let account = relink.get(&path).await?;
                if account["status"] != "connecting" {
                    return anyhow::Ok(account);
                }
                sleep(POLL_INTERVAL).await;
            }
        };
        let account = timeout(DEADLINE, is_done).await.context("its steps were never run")??;
        if account["status"] != "active" {
            return Ok(Some(format!("the steps did not pass: {account}")));
        }
        ensure!(account["context"]["found"].is_string(), "what a step found is gone: {account}");
        let run = &account["last_action_run_result"];
        ensure!(run["action"] == "validation" && run["success"] == true, "the validation did not run: {run}");
        let events = relink.get("/relink/events?after=0&limit=500").await?;
        let events = events["result"].as_array().context("no events")?;
        let ours = events.iter().filter(|event| event["payload"]["id"] == account["id"]);
        let names: Vec<_> = ours.filter_map(|event| event["event"].as_str()).collect();
        ensure!(names == ["integrated_account:created", "integrated_account:active"], "its events are {names:?}");
        ensure!(!relink.link_is_good(state_before.link()?).await?, "a link was used twice");
        relink.request(Method::DELETE, &path, Value::Null).await?;
        Ok(None)
    }
}
