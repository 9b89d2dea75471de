//! Walks the main job by itself, in a session of its own, and says what was seen. Pictures are left in target/demo/.

use std::{path::PathBuf, time::Instant};

use anyhow::{Context, Result, ensure};
use relink_tests::{browser::Browser, process, receiver::Receiver, relink::Relink, session::Session};
use serde_json::{Value, json};

/// Says each step and what was seen of it.
struct Narrator {
    step: u32,
    began: Instant,
    pictures: PathBuf,
}

impl Narrator {
    #[expect(clippy::print_stdout, reason = "this is what the demo is for")]
    fn saw(&mut self, what: &str) {
        self.step += 1;
        println!("{:>2}. {:>5.1} s  {what}", self.step, self.began.elapsed().as_secs_f32());
    }

    async fn picture(&self, browser: &Browser, name: &str) -> Result<()> {
        browser.picture(&self.pictures.join(format!("{name}.png"))).await
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let pictures = process::workspace().join("target/demo");
    let mut demo = Narrator { step: 0, began: Instant::now(), pictures: pictures.clone() };

    let session = Session::start().await?;
    demo.saw("a session of its own: a bus, a keychain that is open; nothing of yours is touched");
    let relink = Relink::start(&session).await?;
    demo.saw(&format!("relink serve is ready at {}", relink.base_url()));
    let receiver = Receiver::start().await?;
    let webhook = relink.post("/webhook", json!({ "target_url": receiver.url() })).await?;
    let secret = webhook["secret"].as_str().context("a secret")?.to_owned();
    demo.saw("a webhook was added; its signing secret was shown once");

    let connect = relink.cli(&session, &["connect", "sandbox", "--tenant", "acme-1"]).await?;
    ensure!(connect.code == 0, "{}", connect.err);
    demo.saw("relink connect sandbox: the Sandbox is installed, and a magic link was printed");
    let browser = Browser::start(&session).await?;
    browser.open(connect.out.trim()).await?;
    browser.press("Sign in to Sandbox").await?;
    browser.shows("Relink will ask for").await?;
    demo.picture(&browser, "1-connect").await?;
    demo.saw("the connect page says what will be asked for");
    browser.press("Continue to").await?;
    browser.newest_tab().await?;
    browser.shows("Sign in as").await?;
    demo.picture(&browser, "2-provider").await?;
    browser.click("#person-ada").await?;
    browser.click("#allow").await?;
    browser.shows("Connection successful").await?;
    browser.back_to_first_tab().await?;
    browser.shows("Connection successful").await?;
    demo.picture(&browser, "3-connected").await?;
    demo.saw("signed in as Ada Lovelace at the provider: Connection successful");

    let account = relink.get("/relink/accounts").await?["result"][0].clone();
    let id = account["id"].as_str().context("an account")?.to_owned();
    ensure!(session.keyring_text()?.contains("Relink: Ada Lovelace (Sandbox)"), "the keychain item is missing");
    demo.saw("its refresh token is in the keychain, as \"Relink: Ada Lovelace (Sandbox)\"");
    relink.post(&format!("/relink/accounts/{id}/refresh"), Value::Null).await?;
    demo.saw("refreshed; the provider rotated the refresh token, and the new one is in the keychain");

    let revoked = relink.cli(&session, &["sandbox", "revoke"]).await?;
    ensure!(revoked.code == 0, "{}", revoked.err);
    demo.saw("access was revoked on the provider's side");
    let refused = relink.cli(&session, &["refresh", &id]).await?;
    ensure!(refused.code == 4, "exit code {}: {}", refused.code, refused.err);
    demo.saw(&format!("the next refresh was refused: {}", refused.err.lines().next().unwrap_or_default()));
    let told = receiver.wait_for("integrated_account:authentication_error").await?;
    ensure!(told.is_signed_with(&secret), "the signature is not valid");
    demo.saw("integrated_account:authentication_error was delivered, with a valid signature");

    let link = relink.magic_link(json!({ "integrated_account_id": id })).await?;
    demo.saw("POST /link-token gave a magic link");
    browser.open(&link).await?;
    browser.shows("Reauthorize Sandbox").await?;
    demo.picture(&browser, "4-reauthorize").await?;
    browser.sign_in_at_sandbox("ada").await?;
    browser.shows("Connection successful").await?;
    browser.back_to_first_tab().await?;
    browser.shows("Connection successful").await?;
    demo.picture(&browser, "5-reauthorized").await?;
    demo.saw("signed in again: Connection successful");
    receiver.wait_for_count(5).await?;
    let after = relink.get(&format!("/relink/accounts/{id}")).await?;
    ensure!(after["id"] == id.as_str() && after["status"] == "active", "{after}");
    let told = relink.told().await?;
    ensure!(told == ["created", "active", "authentication_error", "updated", "active"], "{told:?}");
    demo.saw("the account kept its id and works; the webhook heard updated, then active, and no reactivated");
    browser.close().await?;
    relink.stop().await?;
    demo.saw(&format!(
        "everything is stopped; the pictures are in {}",
        pictures.canonicalize().unwrap_or(pictures).display()
    ));
    Ok(())
}
