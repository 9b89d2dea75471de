//! The window's commands: each decodes, calls one verb, and encodes. What is secret goes to the clipboard or the browser from
//! here, and never through the page.

#![expect(clippy::needless_pass_by_value, reason = "commands are given what they work with by value")]

mod clipboard;

use relink_app::{
    App, PreferenceUpdate, Result,
    types::{
        Account, Added, ApiToken, Checked, Delivery, EntryPage, ErrorView, Health, Integration, LinkFor, MagicLink,
        NewIntegration, NewWebhook, NoticeRecord, OpenIn, Overview, Preferences, Rehearse, SandboxSettings, Show,
        Webhook,
    },
};
use relink_domain::{AccountId, ApiTokenId, Secret, WebhookId};
use relink_engine::Pages;
use tauri::{AppHandle, State, Wry, ipc::Invoke};
use tauri_plugin_autostart::ManagerExt;
use tauri_plugin_opener::OpenerExt;
use url::Url;

use crate::{deep_link, notify, windows};
use clipboard::{copied_or_undone, copy};

/// All of them. A window may call only those that its capability lists.
pub(crate) fn handler() -> impl Fn(Invoke<Wry>) -> bool + Send + Sync + 'static {
    tauri::generate_handler![
        arrival,
        overview,
        accounts,
        account,
        health,
        timeline,
        check,
        refresh,
        rename,
        delete_account,
        remind_later,
        get_connection_link,
        open_link,
        copy_link,
        integrations,
        install,
        uninstall,
        set_client,
        add_integration,
        make_integration,
        webhooks,
        event_types,
        add_webhook,
        remove_webhook,
        test_webhook,
        replay_webhook,
        deliveries,
        api_tokens,
        create_api_token,
        revoke_api_token,
        preferences,
        set_preferences,
        redirect_uris,
        set_redirect_uris,
        notices,
        test_notification,
        test_sign_in_return,
        sandbox,
        rehearse,
        copy_text,
        open_data_folder,
        open_documentation,
    ]
}

/// Where this window, that was just opened, should go.
#[tauri::command]
fn arrival(arrival: State<'_, windows::Arrival>) -> Option<Show> {
    arrival.take()
}

/// How Relink is.
#[tauri::command]
async fn overview(logic: State<'_, App>) -> Result<Overview> {
    logic.overview().await
}

/// All accounts.
#[tauri::command]
async fn accounts(logic: State<'_, App>) -> Result<Vec<Account>> {
    logic.accounts().await
}

/// One account.
#[tauri::command]
async fn account(logic: State<'_, App>, id: AccountId) -> Result<Account> {
    logic.account(id).await
}

/// An account's last days.
#[tauri::command]
async fn health(logic: State<'_, App>, id: AccountId) -> Result<Health> {
    logic.health(id).await
}

/// What happened.
#[tauri::command]
async fn timeline(logic: State<'_, App>, id: Option<AccountId>, before: Option<i64>, wrong: bool) -> Result<EntryPage> {
    logic.timeline(Pages { account: id, before, wrong }).await
}

/// Does it work?
#[tauri::command]
async fn check(logic: State<'_, App>, id: AccountId) -> Result<Checked> {
    logic.check(id).await
}

/// Refreshes now.
#[tauri::command]
async fn refresh(logic: State<'_, App>, id: AccountId) -> Result<Account> {
    logic.refresh(id).await
}

/// Renames.
#[tauri::command]
async fn rename(logic: State<'_, App>, id: AccountId, name: String) -> Result<Account> {
    logic.rename(id, name).await
}

/// Deletes.
#[tauri::command]
async fn delete_account(logic: State<'_, App>, id: AccountId) -> Result<()> {
    logic.delete_account(id).await
}

/// Leaves the person alone about it for a while.
#[tauri::command]
async fn remind_later(logic: State<'_, App>, id: AccountId) -> Result<()> {
    logic.remind_later(id).await
}

/// Makes a magic link.
#[tauri::command]
async fn get_connection_link(logic: State<'_, App>, purpose: LinkFor) -> Result<MagicLink> {
    logic.get_connection_link(purpose).await
}

/// Opens a link's page.
#[tauri::command]
async fn open_link(
    app: AppHandle,
    logic: State<'_, App>,
    id: String,
    r#where: OpenIn,
    integration: Option<String>,
) -> Result<()> {
    let link = address(&logic.link(&id, integration.as_deref())?)?;
    match r#where {
        OpenIn::Window => windows::open_connect(&app, &link).map_err(|error| own("window", &error.to_string())),
        OpenIn::Browser => {
            windows::open_in_browser(&app, &link).await.map_err(|error| own("browser", &error.to_string()))
        }
    }
}

/// Puts a link into the clipboard.
#[tauri::command]
async fn copy_link(app: AppHandle, logic: State<'_, App>, id: String) -> Result<()> {
    copy(&app, &logic.link(&id, None)?)
}

/// The catalogue.
#[tauri::command]
async fn integrations(logic: State<'_, App>) -> Result<Vec<Integration>> {
    logic.integrations().await
}

/// Installs an integration.
#[tauri::command]
async fn install(logic: State<'_, App>, name: String) -> Result<()> {
    logic.install(&name).await
}

/// Uninstalls an integration.
#[tauri::command]
async fn uninstall(logic: State<'_, App>, name: String) -> Result<()> {
    logic.uninstall(&name).await
}

/// Sets an integration's client.
#[tauri::command]
async fn set_client(logic: State<'_, App>, name: String, id: String, secret: Option<String>) -> Result<()> {
    logic.set_client(&name, id, secret).await
}

/// Adds an integration from a file's text.
#[tauri::command]
async fn add_integration(logic: State<'_, App>, text: String) -> Result<Added> {
    logic.add_integration(&text).await
}

/// Adds an integration from a form.
#[tauri::command]
async fn make_integration(logic: State<'_, App>, integration: NewIntegration) -> Result<Added> {
    logic.make_integration(integration).await
}

/// All webhooks.
#[tauri::command]
async fn webhooks(logic: State<'_, App>) -> Result<Vec<Webhook>> {
    logic.webhooks().await
}

/// The events that a webhook can want.
#[tauri::command]
fn event_types(logic: State<'_, App>) -> Vec<String> {
    logic.event_types()
}

/// Makes a webhook; its signing secret goes into the clipboard.
#[tauri::command]
async fn add_webhook(app: AppHandle, logic: State<'_, App>, webhook: NewWebhook) -> Result<Webhook> {
    let (made, secret) = logic.add_webhook(webhook).await?;
    let undo = logic.remove_webhook(made.id);
    copied_or_undone(copy(&app, &secret), undo, "The webhook was not added").await?;
    Ok(made)
}

/// Removes a webhook.
#[tauri::command]
async fn remove_webhook(logic: State<'_, App>, id: WebhookId) -> Result<()> {
    logic.remove_webhook(id).await
}

/// Sends a webhook the event `test`.
#[tauri::command]
async fn test_webhook(logic: State<'_, App>, id: WebhookId) -> Result<()> {
    logic.test_webhook(id).await
}

/// Retries the deliveries that failed.
#[tauri::command]
async fn replay_webhook(logic: State<'_, App>, id: WebhookId) -> Result<usize> {
    logic.replay_webhook(id).await
}

/// A webhook's latest deliveries.
#[tauri::command]
async fn deliveries(logic: State<'_, App>, id: WebhookId) -> Result<Vec<Delivery>> {
    logic.deliveries(id).await
}

/// All API tokens.
#[tauri::command]
async fn api_tokens(logic: State<'_, App>) -> Result<Vec<ApiToken>> {
    logic.api_tokens().await
}

/// Makes an API token; it goes into the clipboard.
#[tauri::command]
async fn create_api_token(app: AppHandle, logic: State<'_, App>, name: String, days: Option<u32>) -> Result<ApiToken> {
    let (made, token) = logic.create_api_token(name, days).await?;
    let undo = logic.revoke_api_token(made.id);
    copied_or_undone(copy(&app, &token), undo, "The API token was not created").await?;
    Ok(made)
}

/// Revokes an API token.
#[tauri::command]
async fn revoke_api_token(logic: State<'_, App>, id: ApiTokenId) -> Result<()> {
    logic.revoke_api_token(id).await
}

/// What the person has chosen.
#[tauri::command]
fn preferences(logic: State<'_, App>) -> Preferences {
    logic.preferences()
}

/// Keeps what the person has chosen.
#[tauri::command]
async fn set_preferences(app: AppHandle, logic: State<'_, App>, preferences: PreferenceUpdate) -> Result<Preferences> {
    let preferences = preferences.read()?;
    if preferences.start_at_login != logic.preferences().start_at_login {
        let launch = app.autolaunch();
        let done = if preferences.start_at_login { launch.enable() } else { launch.disable() };
        done.map_err(|error| own("start_at_login", &error.to_string()))?;
    }
    logic.set_preferences(preferences).await
}

/// Where links may send the browser after their flow.
#[tauri::command]
async fn redirect_uris(logic: State<'_, App>) -> Result<Vec<String>> {
    logic.redirect_uris().await
}

/// Sets them.
#[tauri::command]
async fn set_redirect_uris(logic: State<'_, App>, uris: Vec<String>) -> Result<Vec<String>> {
    logic.set_redirect_uris(uris).await
}

/// The notifications that were shown.
#[tauri::command]
async fn notices(logic: State<'_, App>) -> Result<Vec<NoticeRecord>> {
    logic.notices().await
}

/// Shows a notification, to see whether this desktop does.
#[tauri::command]
async fn test_notification(app: AppHandle) -> Result<()> {
    notify::test(&app).await.map_err(|why| own("notification", &why))
}

/// Walks the way of a sign-in's return.
#[tauri::command]
async fn test_sign_in_return(app: AppHandle) -> Result<String> {
    deep_link::test(&app).await.map_err(|why| own("deep_link", &why))
}

/// What the Sandbox does now.
#[tauri::command]
async fn sandbox(logic: State<'_, App>) -> Result<SandboxSettings> {
    logic.sandbox().await
}

/// Does something to the Sandbox.
#[tauri::command]
async fn rehearse(logic: State<'_, App>, rehearse: Rehearse) -> Result<SandboxSettings> {
    logic.rehearse(rehearse).await
}

/// Puts what the page shows into the clipboard.
#[tauri::command]
async fn copy_text(app: AppHandle, text: String) -> Result<()> {
    copy(&app, &Secret::new(text))
}

/// Opens the data folder.
#[tauri::command]
async fn open_data_folder(app: AppHandle, logic: State<'_, App>) -> Result<()> {
    let folder = logic.data_dir().display().to_string();
    app.opener().open_path(folder, None::<&str>).map_err(|error| own("data_folder", &error.to_string()))
}

/// Opens the page where a provider explains how to register a client.
#[tauri::command]
async fn open_documentation(app: AppHandle, logic: State<'_, App>, integration: String) -> Result<()> {
    if let Some(page) = logic.documentation(&integration).await? {
        windows::open_in_browser(&app, &page).await.map_err(|error| own("browser", &error.to_string()))?;
    }
    Ok(())
}

fn address(text: &Secret) -> Result<Url> {
    Url::parse(text.expose()).map_err(|_| own("link", "The link isn’t a valid URL."))
}

/// What this desktop, and not the engine, could not do.
fn own(code: &str, message: &str) -> ErrorView {
    ErrorView {
        code: code.to_owned(),
        title: "The desktop reported an error".to_owned(),
        message: message.to_owned(),
        hint: None,
        field: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    fn capability() -> Value {
        serde_json::from_str(include_str!("../capabilities/main.json")).expect("JSON")
    }

    #[test]
    fn the_main_window_alone_may_call_our_commands_and_no_plugins() {
        let capability = capability();
        assert_eq!(capability["windows"], serde_json::json!(["main"]), "the connect window has none");
        assert!(capability.get("remote").is_none(), "no remote page has any");
        for permission in capability["permissions"].as_array().expect("a list") {
            let name = permission.as_str().expect("a name");
            let is_ours = name.starts_with("allow-");
            assert!(is_ours || ["core:event:allow-listen", "core:event:allow-unlisten"].contains(&name), "{name}");
        }
    }

    #[test]
    fn each_command_of_the_page_is_allowed_by_name() {
        let host = include_str!("../../ui/host/host.ts");
        let commands = host.split("export interface Commands {").nth(1).and_then(|rest| rest.split("\n}").next());
        let named = commands.expect("the page's commands").lines().filter_map(|line| line.trim().split_once(": [args"));
        let mut asked: Vec<_> = named.map(|(name, _)| format!("allow-{}", name.replace('_', "-"))).collect();
        let capability = capability();
        let permissions = capability["permissions"].as_array().expect("a list").iter().filter_map(Value::as_str);
        let mut allowed: Vec<_> = permissions.filter(|name| !name.starts_with("core:")).map(str::to_owned).collect();
        asked.sort();
        allowed.sort();
        assert_eq!(asked, allowed);
    }
}
