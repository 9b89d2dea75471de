//! The form that follows a sign-in, with Truto's Link SDK (`@truto/truto-link-sdk` of npm, unmodified) in Chromium.

use anyhow::{Context, Result, ensure};
use relink_tests::{
    browser::Browser,
    link_sdk::{App, messages, port_5173, results},
    relink::{Relink, link_token},
};
use reqwest::Method;
use serde_json::{Value, json};

/// An item of the provider's list, and what depends on it.
fn form() -> Value {
    json!([
        { "name": "item", "type": "single_select", "label": "Item", "required": true,
          "data_source": { "type": "proxy", "resource": "items", "method": "list" },
          "options": { "value": "id", "label": "title" } },
        { "name": "parts", "type": "multi_select", "label": "Parts", "depends_on": ["item"],
          "options": [{ "value": "mill", "label": "The mill" }, { "value": "store", "label": "The store" }] },
    ])
}

/// Adds an integration of the Sandbox's provider with this form at its installation.
async fn set_up(relink: &Relink, fields: &Value) -> Result<()> {
    let installed = relink.get("/environment-integration").await?;
    let rows = installed["result"].as_array().context("a list")?;
    let find = |name: &str| rows.iter().find(|row| row["integration"]["name"] == name);
    let sandbox = find("sandbox").context("the Sandbox is installed")?;
    let origin = &sandbox["override"]["base_url"];
    if find("acme").is_none() {
        let definition = json!({ "name": "acme", "config": {
            "label": "Acme", "base_url": origin,
            "credentials": { "format": "api_key", "config": { "fields": [
                { "name": "api_key", "label": "Key", "type": "password", "required": true },
            ] } },
            "authorization": { "format": "bearer", "config": { "token": "{{api_key}}" } },
            "resources": { "items": { "list": { "path": "/api/items", "response_path": "items" } } },
            "relink": { "allow_local": true },
        } });
        relink.post("/relink/integrations", json!({ "text": definition.to_string() })).await?;
    }
    let installed = relink.get("/environment-integration").await?;
    let row =
        installed["result"].as_array().and_then(|rows| rows.iter().find(|row| row["integration"]["name"] == "acme"));
    let id = row.and_then(|row| row["id"].as_str()).context("Acme is installed")?;
    let steps = json!([{ "type": "form", "config": { "fields": fields } }]);
    let over = if fields.is_null() {
        json!({})
    } else {
        json!({ "actions": { "post_connect_user_form": { "steps": steps } } })
    };
    relink.request(Method::PATCH, &format!("/environment-integration/{id}"), json!({ "override": over })).await?;
    Ok(())
}

fn pop_up(relink: &Relink) -> Value {
    json!({ "baseUrl": relink.base_url(), "iframe": false })
}

/// The options of a connection, with more.
fn connecting(relink: &Relink, more: &Value) -> Value {
    let mut options = pop_up(relink);
    options["integration"] = json!("acme");
    for (name, value) in more.as_object().into_iter().flatten() {
        options[name] = value.clone();
    }
    options
}

/// Connects an account with a key in the pop-up that the SDK opens.
async fn connect(browser: &Browser, relink: &Relink, app: &App, more: &Value) -> Result<()> {
    let link = relink.magic_link(json!({ "tenant_id": "acme-1" })).await?;
    browser.switch_to_first().await?;
    browser.open(&app.page(link_token(&link)?, &connecting(relink, more))?).await?;
    browser.opens_by(browser.click("#connect")).await?;
    let key = relink.post("/relink/sandbox/control/api-keys", json!({})).await?;
    browser.fill("api_key", key["api_key"].as_str().context("no key")?).await?;
    browser.press("Connect Acme").await
}

/// The one result of the SDK.
async fn result(browser: &Browser) -> Result<Value> {
    browser.switch_to_first().await?;
    browser.shows("ed\":").await?;
    let [result] = &results(browser).await?[..] else { anyhow::bail!("not one result") };
    assert_eq!(messages(browser).await?.len(), 1, "one message");
    Ok(result.clone())
}

async fn account_token(relink: &Relink, account: &str) -> Result<String> {
    let made = relink.post("/integrated-account/token", json!({ "integrated_account_id": account })).await?;
    Ok(made["token"].as_str().context("no token")?.to_owned())
}

#[tokio::test]
async fn an_app_shows_the_form_after_a_connection_and_again_later() -> Result<()> {
    let (session, relink) = Relink::start_with_sandbox().await?;
    set_up(&relink, &form()).await?;
    let (browser, app) = (Browser::start(&session).await?, App::start().await?);

    // It follows the connection, whose result waits for it.
    connect(&browser, &relink, &app, &json!({})).await?;
    browser.shows("Finish setting up Acme").await?;
    browser.shows("Fill in Item first.").await?;
    browser.press("Save").await?;
    browser.shows("Select an option.").await?;
    browser.press_label("Compiler").await?;
    browser.press_label("The mill").await?;
    browser.press("Save").await?;
    let resolved = result(&browser).await?["resolved"].clone();
    let id = resolved["integrated_account_id"].as_str().context("an id")?.to_owned();
    assert_eq!((&resolved["result"], &resolved["integration"]), (&json!("success"), &json!("acme")));
    let account = relink.get(&format!("/integrated-account/{id}")).await?;
    assert_eq!(account["context"], json!({ "item": 2, "parts": ["mill"] }));
    relink.event("integrated_account:post_connect_form_submitted", 0).await?;
    let shown = relink.cli(&session, &["account", &id]).await?.out;
    ensure!(shown.contains("item: 2") && shown.contains("parts: [\"mill\"]"), "{shown}");

    // Later, it shows what is there, and keeps what the app doesn't let go of.
    let options = json!({
        "additionalContext": { "chosen_in": "settings" },
        "preventDeselect": { "parts": { "message": "The mill is running." } },
        "disabledFields": { "item": { "message": "It was chosen before." } },
        "integration": "acme", "iframe": false, "baseUrl": relink.base_url(),
    });
    browser.open(&app.form_page(&account_token(&relink, &id).await?, &options)?).await?;
    let window = browser.opens_by(browser.click("#connect")).await?;
    browser.shows("Set up Acme").await?;
    browser.shows("The mill is running.").await?;
    browser.shows("It was chosen before.").await?;
    let address = browser.address().await?;
    ensure!(!address.contains("session_token"), "no token stays in the address bar: {address}");
    browser.press_label("The store").await?;
    browser.press("Save").await?;
    browser.closes(&window).await?;
    let expected = json!({ "is_truto": true, "result": "success", "integration": "acme", "integrated_account_id": id });
    assert_eq!(result(&browser).await?, json!({ "resolved": expected }));
    let account = relink.get(&format!("/integrated-account/{id}")).await?;
    assert_eq!(account["context"], json!({ "item": 2, "parts": ["mill", "store"], "chosen_in": "settings" }));

    // The person opens it.
    let printed = relink.cli(&session, &["form", &id]).await?;
    browser.switch_to_first().await?;
    browser.open(printed.out.trim()).await?;
    browser.shows("Set up Acme").await?;
    browser.press_label("Analytical engine").await?;
    browser.press("Save").await?;
    browser.shows("Your answers for").await?;
    relink.until(&format!("/integrated-account/{id}"), |account| account["context"]["item"] == 1).await?;

    // Where the app wants none, it doesn't follow.
    connect(&browser, &relink, &app, &json!({ "skipRapidForm": true })).await?;
    assert_eq!(result(&browser).await?["resolved"]["result"], json!("success"));
    browser.close().await?;
    relink.stop().await
}

/// The SDK sends `iframe=true` then, too.
#[tokio::test]
async fn an_app_shows_the_form_in_its_own_window() -> Result<()> {
    let (session, relink) = Relink::start_with_sandbox().await?;
    set_up(&relink, &form()).await?;
    let (browser, app) = (Browser::start(&session).await?, App::start().await?);
    connect(&browser, &relink, &app, &json!({ "skipRapidForm": true })).await?;
    let id = result(&browser).await?["resolved"]["integrated_account_id"].as_str().context("an id")?.to_owned();
    let options = json!({ "baseUrl": relink.base_url(), "sameWindow": true });
    let token = account_token(&relink, &id).await?;
    browser.open(&app.form_page(&token, &options)?).await?;
    browser.click("#connect").await?;
    browser.shows("Set up Acme").await?;
    let page = format!("{}/connect-account/post-connect?iframe=true", relink.base_url());
    assert_eq!(browser.address().await?, page, "without the account token");
    browser.press_label("Analytical engine").await?;
    browser.press("Save").await?;
    browser.shows("Your answers for").await?;
    assert_eq!(relink.get(&format!("/integrated-account/{id}")).await?["context"]["item"], json!(1));
    browser.close().await?;
    relink.stop().await
}

#[tokio::test]
async fn an_app_gets_a_form_error_where_there_is_nothing_to_fill_in() -> Result<()> {
    let (session, relink) = Relink::start_with_sandbox().await?;
    set_up(&relink, &Value::Null).await?;
    let (browser, app) = (Browser::start(&session).await?, App::start().await?);
    connect(&browser, &relink, &app, &json!({})).await?;
    let id = result(&browser).await?["resolved"]["integrated_account_id"].as_str().context("an id")?.to_owned();
    let refused = async |token: &str, text: &str| -> Result<()> {
        browser.switch_to_first().await?;
        browser.open(&app.form_page(token, &pop_up(&relink))?).await?;
        browser.click("#connect").await?;
        let rejected = result(&browser).await?["rejected"].clone();
        assert_eq!((&rejected["result"], &rejected["error_type"]), (&json!("error"), &json!("rapid_form_error")));
        ensure!(rejected["error"].as_str().is_some_and(|error| error.contains(text)), "{rejected}");
        Ok(())
    };
    refused(&account_token(&relink, &id).await?, "isn't set up").await?;
    refused("not-a-token", "isn't valid or has expired").await?;
    let unknown = json!([{ "name": "item", "type": "single_select", "data_source": { "resource": "nothing" },
        "options": { "value": "id", "label": "title" } }]);
    set_up(&relink, &unknown).await?;
    refused(&account_token(&relink, &id).await?, "can't be loaded").await?;
    set_up(&relink, &form()).await?;
    let token = account_token(&relink, &id).await?;
    relink.post("/relink/sandbox/control/reset", json!({})).await?;
    relink.try_request(Method::GET, &format!("/proxy/items?integrated_account_id={id}"), Value::Null).await?;
    relink.until(&format!("/integrated-account/{id}"), |account| account["status"] == "needs_reauth").await?;
    refused(&token, "needs_reauth").await?;
    browser.close().await?;
    relink.stop().await
}

#[tokio::test]
async fn an_app_shows_the_form_in_a_frame() -> Result<()> {
    let _alone = port_5173()?;
    let (session, relink) = Relink::start_with_sandbox().await?;
    set_up(&relink, &form()).await?;
    let (browser, app) = (Browser::start(&session).await?, App::start().await?);
    let settings = json!({ "also_listen": true, "frame_origins": [app.base_url()] });
    let state = relink.request(Method::PUT, "/relink/link-settings", settings).await?;
    ensure!(state["also_listen_problem"].is_null(), "port 5173 is needed: {state}");
    connect(&browser, &relink, &app, &json!({ "skipRapidForm": true })).await?;
    let id = result(&browser).await?["resolved"]["integrated_account_id"].as_str().context("an id")?.to_owned();
    let page = async || -> Result<String> {
        app.form_page(&account_token(&relink, &id).await?, &json!({ "baseUrl": "http://localhost:5173" }))
    };

    browser.open(&page().await?).await?;
    browser.click("#connect").await?;
    browser.enter_frame("#truto-link-iframe").await?;
    browser.press_label("Analytical engine").await?;
    browser.press("Save").await?;
    assert_eq!(result(&browser).await?["resolved"]["integrated_account_id"], json!(id));
    assert_eq!(relink.get(&format!("/integrated-account/{id}")).await?["context"]["item"], json!(1));

    // The person closes it.
    browser.open(&page().await?).await?;
    browser.click("#connect").await?;
    browser.enter_frame("#truto-link-iframe").await?;
    browser.shows("Set up Acme").await?;
    browser.press_away("Close").await?;
    assert_eq!(result(&browser).await?, json!({ "rejected": "closed" }));
    browser.close().await?;
    relink.stop().await
}
