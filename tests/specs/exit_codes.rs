//! What the exit codes of the command line tell apart (docs/cli.md).

use anyhow::{Context, Result};
use relink_tests::provider::Provider;
use serde_json::{Value, json};

use crate::command_line::Terminal;

#[tokio::test]
async fn exit_codes_tell_kinds_of_failure_apart() -> Result<()> {
    let terminal = Terminal::new().await?;
    let id = terminal.connected().await?;
    terminal.exits_with(1, &["account", "nobody"]).await?;
    for words in [&["nonsense"][..], &["sandbox", "fault", "nonsense"], &["sandbox", "set", "--rotation", "x"]] {
        terminal.exits_with(2, words).await?;
    }
    let nowhere = terminal.session.folder().join("nowhere").to_string_lossy().into_owned();
    terminal.exits_with(3, &["accounts", "--data-dir", &nowhere]).await?;
    terminal.exits_with(6, &["serve", "--listen", "127.0.0.1:0"]).await?;

    // Relink retries an unknown error response until it has persisted for a while.
    terminal.exits_with(0, &["sandbox", "fault", "unknown_error_400"]).await?;
    terminal.exits_with(1, &["refresh", &id]).await?;
    terminal.exits_with(0, &["sandbox", "revoke"]).await?;
    for command in ["refresh", "check", "token"] {
        terminal.exits_with(4, &[command, &id]).await?;
    }
    assert!(!is_fresh(&terminal, &id).await?);

    terminal.session.lock()?;
    let locked = terminal.exits_with(5, &["refresh", &id]).await?;
    assert!(locked.err.contains("locked"), "{}", locked.err);
    terminal.relink.stop().await
}

#[tokio::test]
async fn without_a_client_there_is_no_link_that_leads_nowhere() -> Result<()> {
    let terminal = Terminal::new().await?;
    for arguments in [&["connect", "github"][..], &["connect", "github", "--open"], &["connect", "github", "--json"]] {
        let refused = terminal.exits_with(8, arguments).await?;
        assert!(refused.out.is_empty() && refused.err.contains("GitHub isn't set up yet"), "{refused:?}");
        assert!(refused.err.contains("client"), "it says what to do: {refused:?}");
    }
    // Nor is there one to reauthorize with.
    let provider = Provider::start().await?;
    let id = provider.connect(&terminal.relink).await?;
    let mut definition: Value = serde_json::from_str(&provider.definition())?;
    let config = &mut definition["config"];
    config["credentials"] = json!({ "oauth2": config["credentials"]["oauth2"] });
    config["authorization"] = json!({ "oauth2": config["authorization"]["oauth2"] });
    config["credentials"]["oauth2"]["config"]["client"]["id"] = json!("");
    terminal.exits_with(0, &["reauthorize", &id]).await?;
    terminal.relink.post("/relink/integrations", json!({ "text": definition.to_string() })).await?;
    let refused = terminal.exits_with(8, &["reauthorize", &id]).await?;
    assert!(refused.out.is_empty() && refused.err.contains("client"), "{refused:?}");
    terminal.relink.stop().await
}

#[tokio::test]
async fn a_token_that_can_not_be_refreshed_any_more_comes_with_a_warning() -> Result<()> {
    let terminal = Terminal::new().await?;
    let id = terminal.connected().await?;
    // The refresh token is refused for good, but the provider still accepts the access token.
    terminal.exits_with(0, &["sandbox", "fault", "invalid_grant"]).await?;
    terminal.exits_with(4, &["refresh", &id]).await?;
    let remaining = terminal.exits_with(0, &["token", &id]).await?;
    assert!(remaining.err.contains("can't be refreshed"), "{remaining:?}");
    let as_json: Value = serde_json::from_str(&terminal.exits_with(0, &["token", &id, "--json"]).await?.out)?;
    assert_eq!(as_json["needs_reauth"], true);
    assert!(is_fresh(&terminal, &id).await?);
    terminal.relink.stop().await
}

async fn is_fresh(terminal: &Terminal, id: &str) -> Result<bool> {
    let account: Value = serde_json::from_str(&terminal.exits_with(0, &["account", id, "--json"]).await?.out)?;
    account["is_fresh"].as_bool().context("no is_fresh")
}
