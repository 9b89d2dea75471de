//! The keychain locked, the network gone, the clock set, the process killed.

use std::fs;

use anyhow::{Context, Result};
use relink_tests::{crash, network::Network, provider::Provider, relink::Relink, session::Session};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn the_keychain_locked_at_start_and_unlocked_later() -> Result<()> {
    let session = Session::start().await?;
    let provider = Provider::start().await?;
    let relink = Relink::start(&session).await?;
    let id = provider.connect(&relink).await?;
    relink.stop().await?;

    session.lock()?;
    let relink = Relink::start(&session).await?;
    let (status, refused) =
        relink.try_ask(Method::POST, &format!("/relink/accounts/{id}/refresh"), Value::Null).await?;
    assert_eq!((status, refused["code"].as_str()), (503, Some("keychain_locked")));
    let account = relink.get(&format!("/relink/accounts/{id}")).await?;
    assert_eq!(account["status"], "active", "a locked keychain is no failure of the account");
    assert_eq!(relink.cli(&session, &["token", &id]).await?.code, 5);

    session.unlock()?;
    relink.logs("POST").await.ok();
    relink.post(&format!("/relink/accounts/{id}/refresh"), Value::Null).await?;
    assert_eq!(relink.told().await?, ["created", "active"]);
    relink.stop().await
}

#[tokio::test]
async fn the_keychains_daemon_restarted_and_an_item_removed_by_its_person() -> Result<()> {
    let mut session = Session::start().await?;
    let provider = Provider::start().await?;
    let relink = Relink::start(&session).await?;
    let id = provider.connect(&relink).await?;
    session.restart_keyring().await?;
    relink.post(&format!("/relink/accounts/{id}/refresh"), Value::Null).await?;

    session.remove_item(&format!("account/{id}"))?;
    let (status, refused) =
        relink.try_ask(Method::POST, &format!("/relink/accounts/{id}/refresh"), Value::Null).await?;
    assert_eq!((status, refused["code"].as_str()), (400, Some("credential_missing")));
    relink.stop().await
}

#[tokio::test]
async fn offline_and_back() -> Result<()> {
    let network = Network::new()?;
    let session = Session::start_within(network.prefix()).await?;
    let relink = Relink::start(&session).await?;
    // Everything that asks it is inside, too.
    let cli = async |arguments: &[&str]| relink.cli(&session, arguments).await;
    let definition = session.folder().join("far.json");
    let provider = Provider::start().await?;
    let far = provider.definition().replace("http://127.0.0.1", "https://10.77.0.1");
    fs::write(&definition, far)?;
    assert_eq!(cli(&["integrations", "add", &definition.to_string_lossy()]).await?.code, 0);
    network.down()?;
    let status = cli(&["status", "--json"]).await?;
    assert_eq!(status.code, 0, "loopback stays: {}", status.err);
    network.up()?;
    assert_eq!(cli(&["status"]).await?.code, 0);
    Ok(())
}

#[tokio::test]
async fn a_clock_that_jumps_a_day_spreads_what_is_due() -> Result<()> {
    let session = Session::start().await?;
    let provider = Provider::start().await?;
    let clock = session.folder().join("clock");
    fs::write(&clock, "+0")?;
    let library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
    let clock_text = clock.to_string_lossy().into_owned();
    let environment = [
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", clock_text.as_str()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ];
    let relink = Relink::start_with(&session, &environment).await?;
    let id = provider.connect(&relink).await?;
    let before = provider.count("refresh_token.ok").await?;
    fs::write(&clock, "+1d")?;
    // Within the longest that the wall clock isn't looked at, and the spread.
    relink.logs("the clock jumped").await?;
    let refreshed = async {
        while provider.count("refresh_token.ok").await? == before {
            provider.control("GET", "/log?after=999999&wait=1", Value::Null).await?;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), refreshed).await.context("it was not refreshed")??;
    let timeline = relink.get(&format!("/relink/timeline?account={id}")).await?;
    assert!(timeline.to_string().contains("put off until the network is back"), "{timeline}");
    assert_eq!(relink.told().await?, ["created", "active"]);
    relink.stop().await
}

#[tokio::test]
async fn a_thousand_programs_ask_for_an_expired_token_and_the_provider_sees_one_exchange() -> Result<()> {
    let session = Session::start().await?;
    let provider = Provider::start().await?;
    let relink = Relink::start(&session).await?;
    let id = provider.connect(&relink).await?;
    relink.stop().await?;
    // After a start there is no access token: the first caller pays one exchange.
    let relink = std::sync::Arc::new(Relink::start(&session).await?);
    let before = provider.count("refresh_token.ok").await?;
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let (relink, id) = (relink.clone(), id.clone());
        asked.spawn(async move { relink.post(&format!("/relink/accounts/{id}/access-token"), Value::Null).await });
    }
    let mut tokens = std::collections::HashSet::new();
    while let Some(answer) = asked.join_next().await {
        tokens.insert(answer??["access_token"].to_string());
    }
    assert_eq!(tokens.len(), 1);
    assert_eq!(provider.count("refresh_token.ok").await? - before, 1);
    Ok(())
}

#[tokio::test]
async fn kill_9_at_each_crash_point_loses_nothing_that_can_be_kept() -> Result<()> {
    for point in crash::Point::ALL {
        for rotation in crash::ROTATIONS {
            let tally = crash::run(*point, rotation, 2).await?;
            let lossy = *point == crash::Point::RefreshAnswered && rotation != "grace";
            assert_eq!(tally.survived + tally.lost, 2);
            if lossy {
                assert_eq!(tally.told_lost_response, tally.lost, "{point:?} {rotation}: what is lost is explained");
            } else {
                assert_eq!(tally.lost, 0, "{point:?} {rotation}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_failing_webhook_is_tried_again_and_told_in_order() -> Result<()> {
    let session = Session::start().await?;
    let provider = Provider::start().await?;
    let receiver = relink_tests::receiver::Receiver::start().await?;
    let relink = Relink::start(&session).await?;
    relink.post("/webhook", json!({ "target_url": receiver.url() })).await?;
    receiver.refuse(2);
    provider.connect(&relink).await?;
    receiver.wait_for("integrated_account:active").await?;
    let events: Vec<_> = receiver.seen().iter().filter_map(|it| it.body["event"].as_str().map(str::to_owned)).collect();
    let of_account: Vec<_> = events.iter().filter(|event| event.starts_with("integrated_account")).collect();
    assert_eq!(of_account.last().map(|event| event.as_str()), Some("integrated_account:active"));
    let first_active = of_account.iter().position(|event| event.ends_with(":active"));
    let last_created = of_account.iter().rposition(|event| event.ends_with(":created"));
    assert!(last_created < first_active, "{of_account:?}");
    relink.stop().await
}
