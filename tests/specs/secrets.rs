//! Secrets are where they belong, whatever happens.

use anyhow::{Context, Result};
use relink_tests::{canary, provider::Provider, receiver::Receiver, relink::Relink, session::Session};
use serde_json::{Value, json};

#[tokio::test]
async fn twenty_secrets_through_a_whole_life_and_a_crash_leave_no_trace() -> Result<()> {
    let session = Session::start().await?;
    let provider = Provider::start().await?;
    let receiver = Receiver::start().await?;
    provider.control("PATCH", "", json!({ "rotation": "rotate" })).await?;
    let relink = Relink::start(&session).await?;
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a text");
    let mut secrets = Vec::new();

    secrets.push(text(&relink.post("/webhook", json!({ "target_url": receiver.url() })).await?["secret"])?);
    let id = provider.connect(&relink).await?;
    for _ in 0..6 {
        relink.post(&format!("/relink/accounts/{id}/refresh"), Value::Null).await?;
        secrets.push(text(
            &relink.post(&format!("/relink/accounts/{id}/access-token"), Value::Null).await?["access_token"],
        )?);
    }
    for name in ["one", "two", "three", "four", "five", "six"] {
        secrets.push(text(&relink.post("/relink/api-tokens", json!({ "name": name })).await?["token"])?);
    }
    for _ in 0..4 {
        let link = relink.magic_link(json!({ "integrated_account_id": id })).await?;
        secrets.push(link.split("link_token=").nth(1).context("a token")?.to_owned());
    }
    let client = relink
        .post("/relink/integrations/google/client", json!({ "id": "client", "secret": "canary-client-secret-0001" }))
        .await?;
    assert_eq!(client["name"], "google");
    secrets.push("canary-client-secret-0001".to_owned());
    let key = provider.control("POST", "/api-keys", json!({})).await?;
    secrets.push(text(&key["api_key"])?);
    // What the keychain holds is secret too, and is found in it and nowhere else.
    let held = session.keyring_text()?;
    let kept: Vec<_> = held
        .split("\\\"")
        .chain(held.split('"'))
        .filter(|part| part.len() == 43 && !part.contains(' '))
        .map(str::to_owned)
        .collect();
    assert!(!kept.is_empty(), "the refresh token is in the keychain: {held}");
    secrets.extend(kept);
    receiver.wait_for("integrated_account:active").await?;
    provider.control("POST", "/revoke", json!({})).await?;
    relink.try_ask(reqwest::Method::POST, &format!("/relink/accounts/{id}/refresh"), Value::Null).await?;
    let told = receiver.wait_for("integrated_account:authentication_error").await?;
    secrets.sort();
    secrets.dedup();
    assert!(secrets.len() >= 20, "{}", secrets.len());

    let pid = relink.pid();
    let running = canary::found(&secrets, &[relink.data_dir()], pid);
    assert_eq!(running, Vec::<String>::new(), "while it runs");
    let log = relink.logged();
    let data_dir = relink.data_dir().to_owned();
    relink.kill().await?;
    let after = canary::found(&secrets, &[&data_dir, session.folder()], None);
    let after: Vec<_> = after.into_iter().filter(|place| !place.contains("/data/keyrings/")).collect();
    assert_eq!(after, Vec::<String>::new(), "after a crash");
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "a secret was logged");
        assert!(!told.body.to_string().contains(secret.as_str()), "a secret was told");
    }
    Ok(())
}
