//! Kills during the steps that an integration runs after a sign-in, and in place of a refresh.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{Harness, StateBefore};
use crate::{
    canary::Canaries,
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

/// The name of an integration whose own steps refresh its accounts.
const REFRESHED_BY_STEPS: &str = "refreshed-by-steps";

/// Connects an account that an integration's own steps refresh: a request gets new tokens, another one uses them. Between them, the steps
/// leave the refresh token alone, and fail if the account's context says so.
pub(super) async fn connect_by_steps(provider: &Provider, relink: &Relink) -> Result<(&'static str, String)> {
    let refresh = json!({ "type": "request", "config": {
        "path": "/token", "method": "post", "no_auth": true, "body_format": "form",
        "body": {
            "grant_type": "refresh_token", "refresh_token": "{{oauth.token.refresh_token}}", "client_id": "relink-sandbox",
        },
    } });
    let update = |expression: &str| json!({ "type": "update_context", "config": { "expression": expression } });
    let rotated = update("{ \"oauth\": { \"token\": { \"refresh_token\": $previous.refresh_token } } }");
    let fails = json!({ "type": "request", "run_if": "context.fails", "config": { "path": "/nowhere" } });
    let renewed = update("{ \"oauth\": { \"token\": steps[0] } }");
    let uses = json!({ "type": "request", "config": { "path": "/api/me" } });
    let mut definition: Value = serde_json::from_str(&provider.definition())?;
    definition["name"] = REFRESHED_BY_STEPS.into();
    definition["config"]["actions"] = json!({ "refresh_token": { "steps": [refresh, rotated, fails, renewed, uses] } });
    relink.post("/relink/integrations", json!({ "text": definition.to_string() })).await?;
    let link = relink.magic_link(json!({ "tenant_id": "acme-1" })).await?;
    let flow = provider.complete(relink, &link, REFRESHED_BY_STEPS, &mut Canaries::default()).await?;
    let id = flow["outcome"]["account"]["id"].as_str().with_context(|| format!("not connected: {flow}"))?;
    Ok((REFRESHED_BY_STEPS, id.to_owned()))
}

impl Harness {
    /// Says whether the steps of a refresh fail behind their new refresh token.
    pub(super) async fn let_steps_fail(&self, relink: &Relink, fails: bool) -> Result<()> {
        let path = format!("/integrated-account/{}", self.account);
        relink.request(Method::PATCH, &path, json!({ "context": { "fails": fails } })).await?;
        Ok(())
    }

    /// Asserts that the steps, which Relink tries again by itself, fail as before the kill. Then they work again, and a person refreshes.
    pub(super) async fn check_failed_again(&self, relink: &Relink) -> Result<()> {
        let path = format!("/relink/accounts/{}", self.account);
        relink.until(&path, |account| !account["last_error"].is_null()).await?;
        self.let_steps_fail(relink, false).await?;
        relink.post(&format!("{path}/refresh"), Value::Null).await?;
        Ok(())
    }

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
