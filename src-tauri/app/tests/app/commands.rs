use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use relink_contract::window::{
    Destination, LinkFor, LinkSettings, NewIntegration, NewWebhook, OpenIn, PreferenceUpdate, SecretInput,
};
use relink_domain::{
    Secret, account::AuthenticationMethod, caller::TokenLevel, integration::RedirectKind, token_limits::TokenLimits,
    webhook::SignatureFormat,
};
use relink_engine::{BeginFlow, keychain::KeychainError};
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_command_is_run_by_name_with_its_arguments() {
    let world = World::new().await;
    let id = world.connect().await;
    let renamed = world.command("rename", json!({ "id": id, "name": "Acme" })).await;
    assert_eq!(renamed["name"], "Acme");
    assert_eq!(world.command("accounts", json!({})).await, json!([renamed]));
    let deleted = json!({ "id": id, "revocation": "not_offered", "message": null });
    assert_eq!(world.command("delete_account", json!({ "id": id })).await, deleted);
}

#[tokio::test]
async fn a_failed_command_returns_its_error() {
    let world = World::new().await;
    let missing = json!({ "id": "018f0000-0000-7000-8000-000000000001" });
    assert_eq!(world.app.dispatch("account", missing).await.expect_err("refused").code, "not_found");
    assert_eq!(world.app.dispatch("no_such_command", json!({})).await.expect_err("refused").code, "internal");
}

#[tokio::test]
async fn an_error_does_not_repeat_invalid_arguments() {
    let world = World::new().await;
    let arguments = json!({ "name": "sandbox", "id": 1, "secret": "hush" });
    let refused = world.app.dispatch("set_client", arguments).await.expect_err("refused");
    assert_eq!(refused.code, "internal");
    assert!(!refused.message.contains("hush"), "{refused:?}");
}

#[tokio::test]
async fn a_new_window_gets_its_initial_destination_once() {
    let world = World::new().await;
    assert_eq!(world.command("initial_destination", json!({})).await, json!(null));
    world.app.set_initial_destination(Destination::Settings);
    assert_eq!(world.command("initial_destination", json!({})).await, json!("settings"));
    assert_eq!(world.command("initial_destination", json!({})).await, json!(null));
}

#[tokio::test]
async fn a_deep_link_is_attributed_to_whoever_began_its_flow() {
    let world = World::new().await;
    let link = world.app.get_connection_link(LinkFor::Tenant("acme-1".to_owned())).await.expect("a link");
    world.app.copy_link(link.id).await.expect("copied");
    let copied = world.desktop.copied();
    let (_, token) = copied.split_once("link_token=").expect("a token");
    let connections = world.engine.connections();
    let caller = connections.link_caller(token).await.expect("it can be used");
    let begin = BeginFlow {
        integration: "sandbox".to_owned(),
        format: AuthenticationMethod::Oauth2,
        redirect: None,
        fields: BTreeMap::new(),
        skips_form: true,
    };
    let started = connections.begin_flow(&caller, token, begin).await.expect("the flow begins");
    let provider: url::Url = started.flow.authorize_url.expect("a URL").parse().expect("a URL");
    let (_, state) = provider.query_pairs().find(|(name, _)| name == "state").expect("a state");
    let issuer = provider.origin().ascii_serialization();
    let callback = format!("app.relink.desktop:/oauth/callback/sandbox?error=access_denied&state={state}&iss={issuer}");
    for kind in ["flow_failed", "callback_refused"] {
        // The second time, the state is used.
        let accepted = world.app.callback(&callback).await;
        assert_eq!(
            accepted.is_ok_and(|confirm| confirm.is_none()),
            kind == "flow_failed",
            "nothing is left to confirm"
        );
        let newest = world.app.timeline(None, None, false).await.expect("a timeline").entries.remove(0);
        assert_eq!((newest.kind.as_str(), newest.by.as_deref()), (kind, Some("by a connection link")));
    }
}

#[tokio::test]
async fn a_magic_link_leads_to_the_public_address_if_there_is_one_and_can_be_revoked() {
    let world = World::new().await;
    let tenant = || LinkFor::Tenant("acme-1".to_owned());
    let link = world.app.get_connection_link(tenant()).await.expect("a link");
    assert!(!link.is_public && link.shown.starts_with("http://127.0.0.1:"), "{link:?}");
    let address = "https://relink.example.com";
    let wanted = LinkSettings { public_address: Some(address.to_owned()), ..LinkSettings::default() };
    let state = world.app.set_link_settings(wanted.clone()).await.expect("saved");
    assert_eq!((state.settings, state.also_listen_problem), (wanted, None));
    let link = world.app.get_connection_link(tenant()).await.expect("a link");
    assert_eq!(
        (link.is_public, link.shown.as_str()),
        (true, "https://relink.example.com/connect-account?link_token=…")
    );
    world.app.copy_link(link.id.clone()).await.expect("copied");
    assert!(world.desktop.copied().starts_with("https://relink.example.com/connect-account?link_token="));
    // The app itself opens it at its own address.
    world.app.open_link(link.id.clone(), OpenIn::Browser, None).await.expect("opened");
    let opened = world.desktop.opened_in_browser.lock().expect("not poisoned").clone().expect("opened");
    assert_eq!(opened.host_str(), Some("127.0.0.1"));

    let links = world.app.usable_links().await.expect("a list");
    assert_eq!(links.len(), 2);
    world.app.revoke_link(links[0].id).await.expect("revoked");
    assert_eq!(world.app.usable_links().await.expect("a list"), links[1..]);
    let refused = world.app.open_link(link.id, OpenIn::Browser, None).await.expect_err("the newest is the first");
    assert_eq!(refused.code, "link_token_revoked");
}

#[tokio::test]
async fn the_page_gets_a_magic_link_without_its_token() {
    let world = World::new().await;
    let link = world.app.get_connection_link(LinkFor::Tenant("acme-1".to_owned())).await.expect("a link");
    world.app.copy_link(link.id.clone()).await.expect("copied");
    let copied = world.desktop.copied();
    let (_, token) = copied.split_once("link_token=").expect("a token");
    let seen = serde_json::to_string(&link).expect("JSON");
    assert!(!seen.contains(token) && seen.contains("link_token=…"), "{seen}");

    world.app.open_link(link.id, OpenIn::Browser, Some("sandbox".to_owned())).await.expect("opened");
    let opened = world.desktop.opened_in_browser.lock().expect("not poisoned").clone().expect("opened");
    assert!(!opened.as_str().contains(token), "other users see what the browser is started with: {opened}");
    let nonce = opened.path().strip_prefix("/connect-account/open/").expect("a nonce");
    assert_eq!(opened.query(), Some("integration=sandbox"));
    let page_token = world.engine.connections().exchange_nonce(nonce).expect("it works once");
    let (of_page, of_link) = (page_token.expose(), token);
    let connections = world.engine.connections();
    let callers = (connections.link_caller(of_page).await, connections.link_caller(of_link).await);
    assert_eq!(callers.0.expect("it can be used"), callers.1.expect("it can be used"));
    assert_eq!(world.app.copy_link("unknown".to_owned()).await.expect_err("refused").code, "not_found");
}

#[tokio::test]
async fn a_copied_secret_leaves_the_clipboard_after_a_minute_if_it_is_still_there() {
    for (copied_since, remains) in [(None, false), (Some("a note"), true)] {
        let world = World::new().await;
        let created = world
            .app
            .create_api_token("agent".to_owned(), TokenLevel::Program, TokenLimits::default(), None)
            .await
            .expect("created");
        let secret = world.desktop.copied();
        if let Some(text) = copied_since {
            *world.desktop.clipboard.lock().expect("not poisoned") = Some(text.to_owned());
        }
        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(55)).await;
        let present = || world.desktop.clipboard.lock().expect("not poisoned").clone();
        assert_eq!(present(), Some(copied_since.map_or(secret, str::to_owned)));
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(present().is_some(), remains, "{copied_since:?}");
        tokio::time::resume();
        world.app.revoke_api_token(created.id).await.expect("revoked");
    }
}

#[tokio::test]
async fn a_copied_secret_leaves_the_clipboard_when_the_app_exits_and_another_text_stays() {
    let world = World::new().await;
    let link = world.app.get_connection_link(LinkFor::Tenant("acme-1".to_owned())).await.expect("a link");
    world.app.copy_link(link.id.clone()).await.expect("copied");
    world.app.clear_copied_secret();
    assert_eq!(*world.desktop.clipboard.lock().expect("not poisoned"), None);

    world.app.copy_link(link.id).await.expect("copied");
    world.app.copy_text("http://127.0.0.1:7417/oauth/callback/x".to_owned()).await.expect("copied");
    world.app.clear_copied_secret();
    assert!(world.desktop.copied().contains("/oauth/callback/"), "it is no secret");
}

#[tokio::test]
async fn a_secret_that_cannot_be_copied_is_not_created() {
    let world = World::new().await;
    world.desktop.clipboard_fails.store(true, Ordering::SeqCst);
    let refused = world
        .app
        .create_api_token("agent".to_owned(), TokenLevel::Program, TokenLimits::default(), None)
        .await
        .expect_err("refused");
    assert_eq!((refused.code.as_str(), refused.title.as_str()), ("clipboard", "The API token was not created"));
    assert!(refused.message.ends_with("There is no clipboard."), "{}", refused.message);
    assert_eq!(world.app.api_tokens().await.expect("a list"), []);

    let webhook = || NewWebhook {
        target_url: "https://example.com/hook".to_owned(),
        event_types: None,
        signature_format: SignatureFormat::Base64,
        allow_private: false,
    };
    let refused = world.app.add_webhook(webhook()).await.expect_err("refused");
    assert_eq!(refused.title, "The webhook was not added");
    assert_eq!(world.app.webhooks().await.expect("a list"), []);

    world.desktop.clipboard_fails.store(false, Ordering::SeqCst);
    world.app.add_webhook(webhook()).await.expect("added");
    assert_eq!(world.app.webhooks().await.expect("a list").len(), 1);
}

#[tokio::test]
async fn an_integration_is_created_from_the_form_and_an_invalid_url_is_reported_at_its_field() {
    let world = World::new().await;
    let form = |token_url: &str| NewIntegration {
        name: "acme-crm".to_owned(),
        label: "Acme CRM".to_owned(),
        base_url: "https://api.acme.test".to_owned(),
        authorize_url: "https://acme.test/oauth/authorize".to_owned(),
        token_url: token_url.to_owned(),
        scopes: "read write".to_owned(),
        client_id: "abc".to_owned(),
        client_secret: Some(SecretInput::from(Secret::new("hush".to_owned()))),
        redirect: Some(RedirectKind::Loopback),
    };
    let refused = world.app.create_integration(form("no address")).await.expect_err("refused");
    assert_eq!(refused.field.as_deref(), Some("token_url"));
    for (name, why) in [("github", "a built-in integration"), ("sandbox", "an installed one")] {
        let taken = NewIntegration { name: name.to_owned(), ..form("https://acme.test/oauth/token") };
        let refused = world.app.create_integration(taken).await.expect_err(why);
        assert_eq!(refused.field.as_deref(), Some("name"), "{why}");
    }
    world.app.create_integration(form("https://acme.test/oauth/token")).await.expect("created");
    let integrations = world.app.integrations().await.expect("the catalog");
    let created = integrations.iter().find(|it| it.name == "acme-crm").expect("it is listed");
    assert_eq!((created.client_id.as_deref(), created.not_ready.as_deref()), (Some("abc"), None));
    let kinds: Vec<_> = created.redirect_uris.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [RedirectKind::Loopback]);
    let public = LinkSettings { public_address: Some("https://relink.acme.test".into()), ..LinkSettings::default() };
    world.app.set_link_settings(public).await.expect("set");
    let integrations = world.app.integrations().await.expect("the catalog");
    let at = |name: &str| {
        let found = integrations.iter().find(|it| it.name == name).expect("it is listed");
        found.redirect_uris.iter().map(|it| it.uri.clone()).filter(|uri| uri.contains("acme.test")).collect::<Vec<_>>()
    };
    assert_eq!(at("acme-crm"), ["https://relink.acme.test/oauth/callback/acme-crm"]);

    let again = world.app.create_integration(form("https://elsewhere.test/token")).await.expect_err("it exists");
    assert_eq!(again.field.as_deref(), Some("name"), "the form adds, and never replaces: {again:?}");
    world.app.uninstall("acme-crm".to_owned()).await.expect("uninstalled");
    let again = world.app.create_integration(form("https://elsewhere.test/token")).await.expect_err("it exists");
    assert_eq!(again.field.as_deref(), Some("name"), "it is still in the catalog: {again:?}");
}

#[tokio::test]
async fn an_integration_is_created_with_its_client_secret_or_not_at_all() {
    let world = World::new().await;
    let create = || {
        world.app.create_integration(NewIntegration {
            name: "acme-crm".to_owned(),
            label: "Acme CRM".to_owned(),
            base_url: "https://api.acme.test".to_owned(),
            authorize_url: "https://acme.test/authorize".to_owned(),
            token_url: "https://acme.test/token".to_owned(),
            scopes: String::new(),
            client_id: "abc".to_owned(),
            client_secret: Some(SecretInput::from(Secret::new("hush".to_owned()))),
            redirect: None,
        })
    };
    let items = world.keychain.names();
    world.keychain.refuse(KeychainError::Locked);
    assert_eq!(create().await.expect_err("locked").code, "keychain_locked");
    world.keychain.recover();
    world.keychain.fail_after(0);
    create().await.expect_err("the keychain takes no item");
    world.keychain.recover();
    let listed = world.app.integrations().await.expect("the catalog");
    assert!(listed.iter().all(|it| it.name != "acme-crm"), "nothing was added");
    assert_eq!(world.keychain.names(), items);

    create().await.expect("the same form can be sent again");
    let listed = world.app.integrations().await.expect("the catalog");
    let created = listed.iter().find(|it| it.name == "acme-crm").expect("it is listed");
    assert_eq!((created.client_id.as_deref(), created.not_ready.as_deref()), (Some("abc"), None));
    assert_eq!(world.keychain.names().len(), items.len() + 1);
}

#[tokio::test]
async fn a_webhook_for_selected_events_needs_at_least_one() {
    let world = World::new().await;
    let webhook = |event_types: Option<&[&str]>| NewWebhook {
        target_url: "https://example.com/hook".to_owned(),
        event_types: event_types.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        signature_format: SignatureFormat::Base64,
        allow_private: false,
    };
    for (names, why) in [(&[][..], "none"), (&["no_such_event"][..], "unknown"), (&["test", ""][..], "an empty name")] {
        let refused = world.app.add_webhook(webhook(Some(names))).await.expect_err(why);
        assert_eq!(refused.field.as_deref(), Some("event_types"), "{why}");
    }
    assert_eq!(
        world.app.add_webhook(webhook(Some(&[]))).await.expect_err("none").message,
        "Choose at least one event."
    );
    assert_eq!(world.app.webhooks().await.expect("a list"), [], "nothing was saved");
    assert_eq!(*world.desktop.clipboard.lock().expect("not poisoned"), None);

    let all = world.app.add_webhook(webhook(None)).await.expect("added");
    assert_eq!(all.event_types, None);
    let one = world.app.add_webhook(webhook(Some(&["test"]))).await.expect("added");
    assert_eq!(one.event_types.as_deref(), Some(&["test".to_owned()][..]));
}

#[tokio::test]
async fn an_agents_settings_name_a_data_folder_that_it_would_not_find() {
    let world = World::new().await;
    let folder = world.command("overview", json!({})).await["data_folder"].clone();
    let snippet = world.app.agent_snippet().await.expect("settings");
    let settings: serde_json::Value = serde_json::from_str(&snippet).expect("JSON");
    assert_eq!(settings["mcpServers"]["relink"]["args"], json!(["--data-dir", folder, "mcp"]));
}

#[tokio::test]
async fn every_event_that_can_be_chosen_is_explained() {
    let world = World::new().await;
    let events = world.app.event_types().await.expect("a list");
    assert_eq!(events.len(), relink_domain::event::EventKind::ALL.len());
    for event in events {
        assert!(event.description.len() > 10 && event.description.ends_with('.'), "{event:?}");
    }
}

#[tokio::test]
async fn an_invalid_port_is_refused_at_its_field() {
    let world = World::new().await;
    let typed = async |port: &str| {
        let text = format!(
            r#"{{ "appearance": "dark", "notifications_paused": false, "start_at_login": true, "port": {port} }}"#
        );
        let update: PreferenceUpdate = serde_json::from_str(&text).expect("any number can be read");
        world.app.set_preferences(update).await
    };
    for port in ["80", "0", "-1", "65536", "70000", "8080.5", "1e300"] {
        assert_eq!(typed(port).await.expect_err(port).field.as_deref(), Some("port"), "{port}");
    }
    assert!(!world.desktop.starts_at_login.load(Ordering::SeqCst), "nothing of a refused update takes effect");
    for (port, stored) in [("null", None), ("1024", Some(1024)), ("65535", Some(65_535)), ("8080.0", Some(8080))] {
        let preferences = typed(port).await.expect(port);
        assert_eq!((preferences.port, preferences.start_at_login), (stored, true), "{port}");
    }
    assert!(world.desktop.starts_at_login.load(Ordering::SeqCst));
}

#[tokio::test]
async fn the_timeline_still_names_a_deleted_account() {
    let world = World::new().await;
    let id = world.connect().await;
    world.app.rename(id, "The old one".to_owned()).await.expect("renamed");
    world.app.delete_account(id).await.expect("deleted");
    let entries = world.app.timeline(None, None, false).await.expect("a page").entries;
    assert_eq!(entries[0].title, "The old one was deleted");
    for entry in entries.iter().filter(|entry| entry.account_id == Some(id)) {
        assert_eq!((entry.account_name.as_deref(), entry.account_gone), (Some("The old one"), true), "{entry:?}");
    }
}

#[tokio::test]
async fn a_webhook_is_paused_resumed_and_switched_to_hex() {
    let world = World::new().await;
    let new = NewWebhook {
        target_url: "http://127.0.0.1:9/hook".to_owned(),
        event_types: None,
        signature_format: SignatureFormat::Base64,
        allow_private: false,
    };
    let id = world.app.add_webhook(new).await.expect("added").id;
    assert!(!world.app.set_webhook_active(id, false).await.expect("paused").is_active);
    assert_eq!(world.app.test_webhook(id).await.expect_err("nobody is there").code, "undelivered");
    let delivery = world.app.deliveries(id).await.expect("deliveries").remove(0);
    let details = world.app.delivery(id, delivery.id).await.expect("there");
    assert_eq!((&details.delivery, details.attempts.len()), (&delivery, 1));
    assert!(details.request_body.contains(&details.event_id.to_string()), "{details:?}");
    world.app.replay_delivery(id, delivery.id).await.expect("replayed");
    let listed = world.app.webhooks().await.expect("a list").remove(0);
    assert!(listed.is_active, "a replay resumes it");
    let switched = world.app.set_signature_format(id, SignatureFormat::Hex).await.expect("switched");
    assert_eq!((switched.signature_format, switched.is_active), (SignatureFormat::Hex, true));
}
