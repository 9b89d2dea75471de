//! Attacks through the browser: swapped sign-ins, and links in another process's arguments and in the browser's history.

use std::{path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};
use relink_tests::{
    browser::Browser,
    canary::Canaries,
    opener::{Opener, address_in},
    process,
    process_watch::ProcessWatch,
    relink::{Relink, link_token},
    session::Session,
};
use serde_json::json;

const NO_PLACES: Vec<String> = Vec::new();

/// Signs in as Grace on the provider's page.
async fn sign_in(browser: &Browser, provider: &str) -> Result<()> {
    browser.open(provider).await?;
    browser.click("#person-grace").await?;
    browser.click("#allow").await?;
    browser.has_returned().await
}

#[tokio::test]
async fn a_sign_in_that_another_browser_began_needs_its_persons_confirmation() -> Result<()> {
    let (session, relink) = Relink::start_with_sandbox().await?;
    let (attacker, victim) = (Browser::start(&session).await?, Browser::start(&session).await?);
    let link = relink.magic_link(json!({ "tenant_id": "tenant-of-the-attacker" })).await?;
    for is_confirmed in [false, true] {
        let provider = attacker.begin_at_sandbox(&link).await?;
        ensure!(!provider.starts_with(relink.base_url()), "the provider's page: {provider}");
        sign_in(&victim, &provider).await?;

        // The person who signed in sees for whom. Whoever began it can't go on alone.
        victim.shows("Did you start this sign-in to Sandbox?").await?;
        victim.shows("tenant-of-the-attacker").await?;
        victim.shows("A new account").await?;
        attacker.shows("Continue where Sandbox returned").await?;
        let claim = "
            const done = arguments[0];
            const name = Object.keys(localStorage).filter((name) => name.startsWith('relink.flow.')).sort().at(-1);
            const key = JSON.parse(localStorage.getItem(name)).key;
            const flow = `/connect-account/flows/${name.replace('relink.flow.', '')}`;
            fetch(`${flow}/claim`, { method: 'POST', headers: { 'X-Relink-Flow-Key': key } })
                .then((response) => done(response.status));";
        assert_eq!(attacker.evaluate_async(claim).await?, json!(409));
        assert_eq!(relink.account_count().await?, 0);

        if is_confirmed {
            victim.press("Yes, connect it").await?;
            victim.shows("Connection successful").await?;
            attacker.shows("Connection successful").await?;
            assert_eq!(relink.account_count().await?, 1);
        } else {
            victim.press("No, discard the sign-in").await?;
            victim.shows("Nothing was connected").await?;
            attacker.shows("The sign-in was declined").await?;
            assert_eq!(relink.account_count().await?, 0);
        }
    }
    attacker.close().await?;
    victim.close().await?;
    relink.stop().await
}

/// Runs a command with `--open`. Returns the link that it prints, and what other users saw of the opener.
async fn open(relink: &Relink, session: &Session, arguments: &[&str]) -> Result<(String, String)> {
    let folder = session.folder().join("opener");
    let opener = Opener::install(&folder)?;
    let mut command = relink.command(session, arguments);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", folder.display())).stdout(Stdio::piped());
    let output = process::spawn(command)?.wait_with_output().await?;
    ensure!(output.status.success(), "{arguments:?} exited with {}", output.status);
    Ok((String::from_utf8(output.stdout)?.trim().to_owned(), opener.command_line().await?))
}

#[tokio::test]
async fn no_secret_is_in_any_programs_arguments() -> Result<()> {
    let watch = ProcessWatch::start();
    let (session, relink) = Relink::start_with_sandbox().await?;
    let mut canaries = Canaries::default();
    canaries.add("token of the run", relink.token())?;
    let browser = Browser::start(&session).await?;
    let (link, seen) = open(&relink, &session, &["connect", "sandbox", "--open"]).await?;
    canaries.add("link token", link_token(&link)?)?;
    assert_eq!(canaries.in_text("the opener's arguments", &seen), NO_PLACES, "{seen:?}");
    let address = address_in(&seen)?;

    // It opens the link, and the browser keeps nothing of it.
    browser.open(&address).await?;
    browser.shows("Connect Sandbox").await?;
    assert_eq!(browser.address().await?, format!("{}/connect-account?integration=sandbox", relink.base_url()));

    // Somebody who saw it can't use it; and if they came first, the person ends what they began.
    let other = Browser::start(&session).await?;
    other.open(&address).await?;
    other.shows("This page was opened twice").await?;
    browser.press("Continue to").await?;
    browser.shows("This link isn’t known to Relink").await?;
    browser.reload().await?;
    browser.shows("Open the link again").await?;

    let account = {
        let (link, _) = open(&relink, &session, &["connect", "sandbox", "--open"]).await?;
        canaries.add("link token", link_token(&link)?)?;
        browser.open(&link).await?;
        browser.sign_in_at_sandbox("ada").await?;
        browser.shows("Connection successful").await?;
        relink.get("/relink/accounts").await?["result"][0]["id"].as_str().context("no account")?.to_owned()
    };
    let (link, seen) = open(&relink, &session, &["reauthorize", &account, "--open"]).await?;
    canaries.add("link token", link_token(&link)?)?;
    assert_eq!(canaries.in_text("the opener's arguments", &seen), NO_PLACES, "{seen:?}");

    // Commands that print a secret, or read one.
    for (kind, arguments) in [("access token", ["token", &account]), ("API key", ["sandbox", "api-key"])] {
        let printed = relink.cli(&session, &arguments).await?;
        ensure!(printed.code == 0, "{arguments:?}: {printed:?}");
        canaries.add(kind, printed.out.trim())?;
    }
    let printed = relink.cli(&session, &["api-token", "create", "my-agent"]).await?;
    canaries.add("API token", printed.out.trim())?;
    let client = ["integrations", "client", "github", "--id", "my-client", "--secret-stdin"];
    canaries.add("client secret", "canary-of-the-oauth-client")?;
    let printed = relink.cli_with_input(&session, &client, "canary-of-the-oauth-client").await?;
    ensure!(printed.code == 0, "{printed:?}");
    for secret in session.kept()?.iter().filter(|secret| !secret.starts_with("relink-sandbox")) {
        canaries.add("kept secret", secret)?;
    }

    ensure!(watch.saw("arguments", &relink.data_dir().display().to_string()), "the watch sees Relink's arguments");
    assert_eq!(watch.found(&canaries), NO_PLACES);
    browser.close().await?;
    other.close().await?;
    relink.stop().await
}

/// The visited pages that Chromium lists. It also stores what redirected to them, without listing that.
fn listed_history(profile: &Path) -> Result<Vec<String>> {
    const CHAIN_END: i64 = 0x2000_0000;
    let history = rusqlite::Connection::open(profile.join("Default/History"))?;
    let query = "SELECT urls.url FROM visits JOIN urls ON urls.id = visits.url WHERE visits.transition & ?1 <> 0";
    let mut visits = history.prepare(query)?;
    let urls = visits.query_map([CHAIN_END], |row| row.get(0))?;
    Ok(urls.collect::<Result<_, _>>()?)
}

#[tokio::test]
async fn a_magic_link_leaves_the_address_bar_and_the_history() -> Result<()> {
    let (session, relink) = Relink::start_with_sandbox().await?;
    let browser = Browser::start(&session).await?;
    let link = relink.magic_link(json!({ "tenant_id": "acme-1" })).await?;
    let token = link_token(&link)?.to_owned();
    browser.open(&format!("{}/ping", relink.base_url())).await?;
    browser.open(&format!("{link}&no_back=true&integration=sandbox")).await?;
    browser.shows("Connect Sandbox").await?;
    let clean = format!("{}/connect-account?no_back=true&integration=sandbox", relink.base_url());
    assert_eq!(browser.address().await?, clean);
    assert_eq!(browser.evaluate("return String(history.length);").await?, "3", "blank, ping, and one entry");
    let stored = "return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]);";
    assert_eq!(browser.evaluate(stored).await?, "[{},{},\"\"]");

    // A reload says what to do, and the link still works.
    browser.reload().await?;
    browser.shows("Open the link again").await?;
    browser.open(&format!("{link}&integration=sandbox")).await?;
    browser.shows("Connect Sandbox").await?;
    // The history is written when the browser ends.
    let profile = browser.close_keeping_profile().await?;
    let history = listed_history(profile.path())?;
    assert!(history.iter().any(|url| url.contains("/connect-account")), "{history:?}");
    assert!(!history.iter().any(|url| url.contains(&token)), "{history:?}");
    relink.stop().await
}
