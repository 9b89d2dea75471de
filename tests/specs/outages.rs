//! Failures of the environment: a locked keychain, no network, a clock that jumps, a killed process.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use relink_tests::{
    crash,
    fake_clock::Clock,
    network::{self, Network, RemoteProvider},
    provider::Provider,
    receiver::{Delivery, Receiver},
    relink::Relink,
    session::Session,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

#[tokio::test]
async fn a_keychain_locked_at_start_and_unlocked_later() -> Result<()> {
    let session = Session::start().await?;
    let provider = Provider::start().await?;
    let relink = Relink::start(&session).await?;
    let id = provider.connect(&relink).await?;
    provider.control("PATCH", "", json!({ "token_lifetime_secs": 4 })).await?;
    relink.post(&format!("/relink/accounts/{id}/refresh"), Value::Null).await?;
    relink.stop().await?;

    // The refresh becomes due while the keychain is locked.
    session.lock()?;
    let relink = Relink::start(&session).await?;
    relink.logs("deferred").await?;
    let (status, refused) =
        relink.try_request(Method::POST, &format!("/relink/accounts/{id}/access-token"), Value::Null).await?;
    assert_eq!((status, refused["code"].as_str()), (503, Some("keychain_locked")));
    assert_eq!(relink.cli(&session, &["token", &id]).await?.code, 5);
    let account = relink.get(&format!("/relink/accounts/{id}")).await?;
    assert_eq!(account["status"], "active", "a locked keychain does not make the account fail");

    // After the unlock, Relink refreshes automatically.
    let before = provider.count("refresh_token.ok").await?;
    session.unlock()?;
    provider.sees("refresh_token.ok", before + 1).await?;
    assert_eq!(relink.account_events().await?, ["created", "active"]);
    relink.stop().await
}

#[tokio::test]
async fn a_restarted_keychain_daemon_and_an_item_removed_by_the_person() -> Result<()> {
    let mut session = Session::start().await?;
    let provider = Provider::start().await?;
    let relink = Relink::start(&session).await?;
    let id = provider.connect(&relink).await?;
    session.restart_keyring().await?;
    relink.post(&format!("/relink/accounts/{id}/refresh"), Value::Null).await?;

    session.remove_item(&format!("account/{id}"))?;
    let (status, refused) =
        relink.try_request(Method::POST, &format!("/relink/accounts/{id}/refresh"), Value::Null).await?;
    assert_eq!((status, refused["code"].as_str()), (401, Some("credential_missing")));
    relink.stop().await
}

#[test]
fn offline_and_online_again() -> Result<()> {
    network::run_in_own_network(async |network| network_down_and_up(&network).await)
}

async fn network_down_and_up(network: &Network) -> Result<()> {
    let session = Session::start().await?;
    let provider = Provider::start().await?;
    let remote_provider = RemoteProvider::start(&provider, session.folder()).await?;
    let relink = Relink::start_with(&session, &remote_provider.trust()).await?;
    relink.post("/relink/integrations", json!({ "text": remote_provider.definition() })).await?;
    let link = relink.magic_link(json!({ "tenant_id": "acme-1" })).await?;
    let flow = provider.complete_link(&relink, &link).await?;
    let id = flow["outcome"]["account"]["id"].as_str().with_context(|| flow.to_string())?;

    // The refresh becomes due while the machine is offline. Relink doesn't try it, so nothing fails.
    provider.control("PATCH", "", json!({ "token_lifetime_secs": 4 })).await?;
    relink.post(&format!("/relink/accounts/{id}/refresh"), Value::Null).await?;
    network.down()?;
    relink.logs("deferred").await?;
    let before = provider.count("refresh_token.ok").await?;
    let account = relink.get(&format!("/relink/accounts/{id}")).await?;
    assert_eq!((account["status"].as_str(), account["last_error"].is_null()), (Some("active"), true), "{account}");
    assert_eq!(relink.cli(&session, &["status"]).await?.code, 0, "loopback still works");

    // A run of a sync job, such as one that a trigger starts after waking, waits as well.
    let records = json!({ "name": "records", "type": "request", "resource": "records", "method": "list" });
    let job = relink.post("/sync-job", json!({ "default_runtime_version": 4, "resources": [records] })).await?;
    let new = json!({ "sync_job_id": job["id"], "integrated_account_id": id });
    let run = relink.post("/sync-job-run", new).await?;
    let run = run["id"].as_str().context("no run")?;
    let log = format!("/log?log_type=rapid_bridge&log_type_filter[sync_job_run_id]={run}");
    let says_so = |log: &Value| log["result"][0]["message"].as_str().is_some_and(|it| it.contains("offline"));
    relink.until(&log, says_so).await?;
    let path = format!("/sync-job-run/{run}");
    assert_eq!(relink.get(&path).await?["status"], "running");

    // Online again, Relink refreshes automatically.
    network.up()?;
    provider.sees("refresh_token.ok", before + 1).await?;
    let is_over = |run: &Value| matches!(run["status"].as_str(), Some("completed" | "failed"));
    let run = relink.until(&path, is_over).await?;
    assert_eq!(run["status"], "completed", "{run}, {}", relink.get(&log).await?);
    assert_eq!(relink.account_events().await?, ["created", "active"]);
    relink.stop().await
}

#[tokio::test]
async fn a_clock_that_jumps_a_day_spreads_due_refreshes() -> Result<()> {
    let session = Session::start().await?;
    let provider = Provider::start().await?;
    let mut clock = Clock::new(session.folder())?;
    let relink = Relink::start_with(&session, &clock.environment()).await?;
    let id = provider.connect(&relink).await?;
    let before = provider.count("refresh_token.ok").await?;
    clock.jump(24 * 60 * 60)?;
    // This takes up to the interval of the clock check plus the spread of the due refreshes.
    relink.logs("the clock jumped").await?;
    provider.sees("refresh_token.ok", before + 1).await?;
    let timeline = relink.get(&format!("/relink/timeline?account={id}")).await?;
    assert!(timeline.to_string().contains("deferred: waiting for the network"), "{timeline}");
    assert_eq!(relink.account_events().await?, ["created", "active"]);
    relink.stop().await
}

#[tokio::test]
async fn a_thousand_requests_for_an_expired_token_cause_one_exchange() -> Result<()> {
    let session = Session::start().await?;
    let provider = Provider::start().await?;
    let mut clock = Clock::new(session.folder())?;
    let relink = Arc::new(Relink::start_with(&session, &clock.environment()).await?);
    let id = provider.connect(&relink).await?;
    let expired = relink.post(&format!("/relink/accounts/{id}/access-token"), Value::Null).await?;
    let before = provider.count("refresh_token.ok").await?;
    clock.jump(24 * 60 * 60)?;
    assert_ne!(request_token_a_thousand_times(&relink, &id).await?, expired["access_token"]);
    assert_eq!(provider.count("refresh_token.ok").await? - before, 1);
    Ok(())
}

#[tokio::test]
async fn a_thousand_requests_after_a_start_cause_one_exchange() -> Result<()> {
    let session = Session::start().await?;
    let provider = Provider::start().await?;
    let relink = Relink::start(&session).await?;
    let id = provider.connect(&relink).await?;
    relink.stop().await?;
    // After a start there is no access token, so the first request causes one exchange.
    let before = provider.count("refresh_token.ok").await?;
    let relink = Arc::new(Relink::start(&session).await?);
    request_token_a_thousand_times(&relink, &id).await?;
    assert_eq!(provider.count("refresh_token.ok").await? - before, 1);
    Ok(())
}

/// Requests the access token 1000 times in parallel. Returns the token, which must be the same every time.
async fn request_token_a_thousand_times(relink: &Arc<Relink>, id: &str) -> Result<Value> {
    let mut asked = JoinSet::new();
    for _ in 0..1000 {
        let (relink, path) = (Arc::clone(relink), format!("/relink/accounts/{id}/access-token"));
        asked.spawn(async move { relink.post(&path, Value::Null).await });
    }
    let given = asked.join_next().await.context("no answer")???["access_token"].take();
    while let Some(answer) = asked.join_next().await {
        ensure!(answer??["access_token"] == given, "the responses contain different tokens");
    }
    Ok(given)
}

#[tokio::test]
async fn kill_9_at_each_crash_point_loses_nothing_recoverable() -> Result<()> {
    for point in crash::Point::ALL {
        for rotation in crash::ROTATIONS {
            let tally = crash::run(*point, rotation, 2).await?;
            let is_only_in_memory = matches!(
                point,
                crash::Point::RefreshAnswered | crash::Point::StepRefreshRequested | crash::Point::StepRefreshAnswered
            );
            let lossy = is_only_in_memory && rotation != "grace";
            assert_eq!(tally.survived + tally.lost, 2);
            if lossy {
                assert_eq!(
                    tally.reported_lost_response, tally.lost,
                    "{point:?} {rotation}: the cause of each loss is reported"
                );
            } else {
                assert_eq!(tally.lost, 0, "{point:?} {rotation}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_failing_webhook_is_retried_and_receives_events_in_order() -> Result<()> {
    let session = Session::start().await?;
    let provider = Provider::start().await?;
    let receiver = Receiver::start().await?;
    let relink = Relink::start(&session).await?;
    let wanted = ["integrated_account:created", "integrated_account:active"];
    relink.post("/webhook", json!({ "target_url": receiver.url(), "event_types": wanted })).await?;
    receiver.refuse(2);
    provider.connect(&relink).await?;
    receiver.wait_for("integrated_account:active").await?;
    assert_eq!(receiver.receives(4).await?, ["created", "created", "created", "active"], "the first two were refused");
    let seen = receiver.seen();
    let ids: Vec<_> = seen.iter().map(Delivery::id).collect();
    assert_eq!(ids[..3], [ids[0]; 3], "a retried delivery keeps its id");
    assert_ne!(ids[3], ids[0]);
    relink.stop().await
}
