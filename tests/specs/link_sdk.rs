//! Truto's Link SDK (`@truto/truto-link-sdk` of npm, unmodified) in Chromium: pop-up, iframe and same window.
//!
//! `error_type`: all but `rapid_form_error`, which belongs next to them, in the test of the pop-up.

use anyhow::{Context, Result, ensure};
use relink_tests::{
    browser::Browser,
    link_sdk::{App, messages, port_5173, results},
    relink::{Relink, link_token},
};
use reqwest::Method;
use serde_json::{Value, json};

/// The origin from which the SDK accepts an iframe's messages.
const IN_FRAME: &str = "http://localhost:5173";

/// The SDK's options for a pop-up.
fn in_pop_up(relink: &Relink, integration: &str) -> Value {
    json!({ "baseUrl": relink.base_url(), "iframe": false, "integration": integration })
}

/// Adds an integration with keys, a step of which always fails.
async fn add_with_failing_step(relink: &Relink, name: &str, action: &str) -> Result<()> {
    let definition = json!({ "name": name, "config": {
        "label": "Acme",
        "base_url": "http://127.0.0.1:9",
        "credentials": { "format": "api_key", "config": { "fields": [
            { "name": "api_key", "label": "Key", "type": "password", "required": true },
        ] } },
        "authorization": { "format": "bearer", "config": { "token": "{{api_key}}" } },
        "relink": { "allow_local": true },
        "actions": { action: { "steps": [{ "type": "transform", "config": "$error('There is no workspace.')" }] } },
    } });
    relink.post("/relink/integrations", json!({ "text": definition.to_string() })).await?;
    Ok(())
}

/// The link token of a new link for a tenant.
async fn new_token(relink: &Relink, body: Value) -> Result<String> {
    Ok(link_token(&relink.magic_link(body).await?)?.to_owned())
}

#[tokio::test]
async fn an_app_gets_the_result_of_the_pop_up_that_the_link_sdk_opened() -> Result<()> {
    let (session, relink) = Relink::start_with_sandbox().await?;
    let browser = Browser::start(&session).await?;
    for policy in ["strict-origin-when-cross-origin", "no-referrer"] {
        let app = App::start_with_referrer_policy(policy).await?;
        let new_link = async || -> Result<String> {
            let link = relink.magic_link(json!({ "tenant_id": "acme-1" })).await?;
            app.page(link_token(&link)?, &in_pop_up(&relink, "sandbox"))
        };

        // Success: exactly one message, with the account's id, and the SDK closes the pop-up.
        let before = relink.account_count().await?;
        browser.switch_to_first().await?;
        browser.open(&new_link().await?).await?;
        let pop_up = browser.opens_by(browser.click("#connect")).await?;
        let provider = browser.opens_by(browser.press("Continue to")).await?;
        browser.click("#person-ada").await?;
        browser.click("#allow").await?;
        browser.closes(&pop_up).await?;
        browser.switch_to_first().await?;
        browser.shows("\"result\":\"success\"").await?;
        assert_eq!(relink.account_count().await?, before + 1);
        let [message] = &messages(&browser).await?[..] else { anyhow::bail!("not one message") };
        let account = message["data"]["integrated_account_id"].clone();
        relink.get(&format!("/relink/accounts/{}", account.as_str().context("no account")?)).await?;
        let expected = json!({ "is_truto": true, "result": "success", "integration": "sandbox", "integrated_account_id": account });
        assert_eq!(*message, json!({ "origin": relink.base_url(), "data": expected }));
        assert_eq!(results(&browser).await?, [json!({ "resolved": expected })]);
        browser.switch_to(&provider).await?;
        browser.close_current().await?;
        browser.switch_to_first().await?;

        // An error: the person denies access.
        browser.open(&new_link().await?).await?;
        let pop_up = browser.opens_by(browser.click("#connect")).await?;
        let provider = browser.opens_by(browser.press("Continue to")).await?;
        browser.click("#deny").await?;
        browser.closes(&pop_up).await?;
        browser.switch_to(&provider).await?;
        browser.close_current().await?;
        browser.switch_to_first().await?;
        browser.shows("rejected").await?;
        assert_eq!(messages(&browser).await?.len(), 1);
        let [rejected] = &results(&browser).await?[..] else { anyhow::bail!("not one result") };
        let error = &rejected["rejected"];
        assert_eq!((&error["error_type"], &error["integration"]), (&json!("connection_error"), &json!("sandbox")));
        assert!(error["error"].as_str().is_some_and(|text| text.contains("access")), "{error}");
        assert_eq!(error["integrated_account_id"], Value::Null, "there is no account");

        // The person closes the pop-up.
        browser.open(&new_link().await?).await?;
        browser.opens_by(browser.click("#connect")).await?;
        browser.shows("Connect Sandbox").await?;
        browser.close_current().await?;
        browser.switch_to_first().await?;
        browser.shows("{\"rejected\":\"closed\"}").await?;
        assert_eq!(messages(&browser).await?, Vec::<Value>::new());

        // A link that isn't valid, and an integration that isn't installed.
        let (unknown, link) = ("unknown", relink.magic_link(json!({ "tenant_id": "acme-1" })).await?);
        let no_integration = app.page(link_token(&link)?, &in_pop_up(&relink, "nosuch"))?;
        for (page, error_type) in [
            (app.page(unknown, &in_pop_up(&relink, "sandbox"))?, "invalid_token"),
            (no_integration, "invalid_integration"),
        ] {
            browser.open(&page).await?;
            browser.click("#connect").await?;
            browser.shows(error_type).await?;
            assert_eq!(messages(&browser).await?.len(), 1, "{error_type}");
        }

        // Steps that fail after the key was saved.
        for (action, error_type) in [("post_install", "post_install_error"), ("validation", "validation_error")] {
            let name = format!("acme-{action}").replace('_', "-");
            add_with_failing_step(&relink, &name, action).await?;
            let link = relink.magic_link(json!({ "tenant_id": "acme-1" })).await?;
            browser.open(&app.page(link_token(&link)?, &in_pop_up(&relink, &name))?).await?;
            let pop_up = browser.opens_by(browser.click("#connect")).await?;
            browser.fill("api_key", "a-key").await?;
            browser.press("Connect Acme").await?;
            browser.closes(&pop_up).await?;
            browser.switch_to_first().await?;
            browser.shows(error_type).await?;
            let [message] = &messages(&browser).await?[..] else { anyhow::bail!("not one message") };
            let account = message["data"]["integrated_account_id"].as_str().context("the account exists")?;
            let kept = relink.get(&format!("/integrated-account/{account}")).await?;
            assert_eq!((&message["data"]["error_type"], &kept["status"]), (&json!(error_type), &json!(error_type)));
        }
    }
    browser.close().await?;
    relink.stop().await
}

#[tokio::test]
async fn an_app_gets_the_result_of_the_frame_that_the_link_sdk_shows() -> Result<()> {
    let _alone = port_5173()?;
    let (session, relink) = Relink::start_with_sandbox().await?;
    let browser = Browser::start(&session).await?;
    let app = App::start().await?;
    let settings = json!({ "also_listen": true, "frame_origins": [app.base_url()] });
    let state = relink.request(Method::PUT, "/relink/link-settings", settings).await?;
    ensure!(state["also_listen_problem"].is_null(), "port 5173 is needed: {state}");
    let options = json!({ "baseUrl": IN_FRAME, "integration": "sandbox" });
    let open = async |token: &str| -> Result<()> {
        browser.switch_to_first().await?;
        browser.open(&app.page(token, &options)?).await?;
        browser.click("#connect").await?;
        browser.enter_frame("#truto-link-iframe").await
    };

    // Success: the person signs in at the provider in a tab of its own, and confirms there, because a browser keeps what a frame stores
    // apart. The SDK then removes the frame.
    open(&new_token(&relink, json!({ "tenant_id": "acme-1" })).await?).await?;
    let provider = browser.opens_by(browser.press("Continue to")).await?;
    browser.click("#person-ada").await?;
    browser.click("#allow").await?;
    browser.shows("Did you start this sign-in to Sandbox?").await?;
    browser.press("Yes, connect it").await?;
    browser.shows("Connection successful").await?;
    browser.switch_to_first().await?;
    browser.shows("\"result\":\"success\"").await?;
    let [message] = &messages(&browser).await?[..] else { anyhow::bail!("not one message") };
    let account = &message["data"]["integrated_account_id"];
    let expected =
        json!({ "is_truto": true, "result": "success", "integration": "sandbox", "integrated_account_id": account });
    assert_eq!(*message, json!({ "origin": IN_FRAME, "data": expected }));
    assert_eq!(results(&browser).await?, [json!({ "resolved": expected })]);
    assert_eq!(relink.account_count().await?, 1);
    let frames = "return String(document.querySelectorAll('iframe').length);";
    assert_eq!(browser.evaluate(frames).await?, "0");
    browser.switch_to(&provider).await?;
    browser.close_current().await?;

    // The person closes it.
    open(&new_token(&relink, json!({ "tenant_id": "acme-1" })).await?).await?;
    browser.shows("Connect Sandbox").await?;
    browser.press_away("Close").await?;
    browser.switch_to_first().await?;
    browser.shows("{\"rejected\":\"closed\"}").await?;
    assert_eq!(messages(&browser).await?, [json!({ "origin": IN_FRAME, "data": "closed" })]);

    // An error: a link that isn't valid.
    open("unknown").await?;
    browser.switch_to_first().await?;
    browser.shows("invalid_token").await?;
    assert_eq!(messages(&browser).await?.len(), 1);

    // An app that isn't listed: the frame says why it is empty, and has nothing of the link.
    let other = App::start().await?;
    browser.open(&other.page(&new_token(&relink, json!({ "tenant_id": "tenant-of-acme" })).await?, &options)?).await?;
    browser.click("#connect").await?;
    browser.enter_frame("#truto-link-iframe").await?;
    browser.shows("Relink can’t be shown here").await?;
    let text = browser.text().await?;
    ensure!(text.contains(&format!("{} may not show Relink in a frame", other.base_url())), "{text}");
    ensure!(!browser.source().await?.contains("tenant-of-acme"), "nothing of the link");
    browser.switch_to_first().await?;
    assert_eq!(messages(&browser).await?, Vec::<Value>::new());

    // A page that is not listed, around one that is: the browser itself shows nothing.
    let around = format!(
        "document.body.innerHTML = '<iframe id=\"app\" src=\"{}\"></iframe>';",
        app.page(&new_token(&relink, json!({ "tenant_id": "acme-1" })).await?, &options)?
    );
    browser.evaluate(&format!("{around} return '';")).await?;
    browser.enter_frame("#app").await?;
    browser.click("#connect").await?;
    browser.enter_frame("#truto-link-iframe").await?;
    ensure!(!browser.text().await.unwrap_or_default().contains("Sandbox"), "framed by a page that isn't listed");
    browser.close().await?;
    relink.stop().await
}

#[tokio::test]
async fn the_same_window_ends_at_an_allowed_redirect_uri_and_another_one_is_a_clear_error() -> Result<()> {
    let (session, relink) = Relink::start_with_sandbox().await?;
    let browser = Browser::start(&session).await?;
    let app = App::start().await?;
    let done = format!("{}/done", app.base_url());
    let allowed = json!({ "redirect_uris": [done] });
    relink.request(Method::PUT, "/relink/redirect-uris", allowed).await?;
    let link = json!({ "tenant_id": "acme-1", "redirect_uri": done });
    let options = json!({ "baseUrl": relink.base_url(), "sameWindow": true, "integration": "sandbox", "authFormat": "api_key", "noBack": true });

    // A key: all in the app's own window.
    browser.open(&app.page(&new_token(&relink, link.clone()).await?, &options)?).await?;
    browser.click("#connect").await?;
    browser.shows("Connect Sandbox").await?;
    ensure!(!browser.text().await?.contains("Back"), "noBack, and the method is chosen");
    let key = relink.post("/relink/sandbox/control/api-keys", json!({})).await?;
    browser.fill("api_key", key["api_key"].as_str().context("no key")?).await?;
    browser.press("Connect Sandbox").await?;
    browser.shows("Back in the app").await?;
    assert_eq!(browser.address().await?, done);
    assert_eq!(relink.account_count().await?, 1);

    // A sign-in: the window that the provider returned to goes on.
    let options =
        json!({ "baseUrl": relink.base_url(), "sameWindow": true, "integration": "sandbox", "authFormat": "oauth2" });
    browser.open(&app.page(&new_token(&relink, link).await?, &options)?).await?;
    browser.click("#connect").await?;
    browser.opens_by(browser.press("Continue to")).await?;
    browser.click("#person-ada").await?;
    browser.click("#allow").await?;
    browser.shows("Back in the app").await?;
    assert_eq!(browser.address().await?, done);
    assert_eq!(relink.account_count().await?, 2);

    // Refused: where the link is made, and where it is used if the list has changed since.
    let other = json!({ "tenant_id": "acme-1", "redirect_uri": format!("{done}?x") });
    let (status, refused) = relink.try_request(Method::POST, "/link-token", other).await?;
    assert_eq!((status, &refused["code"]), (400, &json!("redirect_uri_not_listed")));
    ensure!(refused["message"].as_str().is_some_and(|text| text.contains("allowed redirect URLs")), "{refused}");
    let late = new_token(&relink, json!({ "tenant_id": "acme-1", "redirect_uri": done })).await?;
    relink.request(Method::PUT, "/relink/redirect-uris", json!({ "redirect_uris": [] })).await?;
    browser.switch_to_first().await?;
    browser.open(&app.page(&late, &options)?).await?;
    browser.click("#connect").await?;
    browser.press("Continue to").await?;
    browser.shows("This redirect_uri isn’t allowed.").await?;
    assert_eq!(relink.account_count().await?, 2);
    browser.close().await?;
    relink.stop().await
}
