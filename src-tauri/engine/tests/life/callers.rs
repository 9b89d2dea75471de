//! Timelines name who did what.

use std::collections::BTreeMap;

use relink_domain::{
    AccountId, Secret,
    account::{AuthenticationMethod, TimelineEvent},
    caller::{Caller, TokenLevel},
};
use relink_engine::{
    BeginFlow, TimelineEntry,
    keychain::{Key, Keychain},
};

use crate::world::{Flow, PERSON, World};

/// The newest entry of an account's timeline, or of those that belong to no account.
async fn newest(world: &World, account: Option<AccountId>) -> TimelineEntry {
    let entries = world.engine.accounts().timeline(&PERSON, account, None, 100).await.expect("a timeline");
    entries.into_iter().find(|entry| entry.account_id == account).expect("an entry")
}

/// The refusal that an entry reports, and who it names.
fn refusal(entry: TimelineEntry) -> (String, Option<Caller>) {
    match entry.event {
        TimelineEvent::CallbackRefused { code, .. } => (code, entry.caller),
        other => panic!("{other:?}"),
    }
}

/// A program with an API token.
async fn agent(world: &World) -> Caller {
    let (_, secret) = world
        .engine
        .access()
        .create_api_token(&PERSON, "my-agent".into(), TokenLevel::Program, None)
        .await
        .expect("a token is made");
    world.engine.access().authenticate(secret.expose()).expect("it is known")
}

/// A reauthorization that was begun on the link's own page, and the link as a caller.
async fn begun_by_link(world: &World, id: AccountId) -> (Flow<'_>, Caller) {
    let link = world.reauthorize_link(id).await;
    let connections = world.engine.connections();
    let caller = connections.link_caller(link.expose()).await.expect("it can be used");
    let begin = BeginFlow {
        integration: "sandbox".into(),
        format: AuthenticationMethod::Oauth2,
        redirect: None,
        fields: BTreeMap::new(),
        skips_form: true,
    };
    let started = connections.begin_flow(&caller, link.expose(), begin).await.expect("the flow begins");
    (Flow { world, key: started.key, view: started.flow }, caller)
}

/// Delivers a callback as a browser does, by the loopback address or the deep link.
async fn deliver(world: &World, url: &str) -> Result<(), relink_engine::Error> {
    let connections = world.engine.connections();
    let caller = connections.callback_caller(url).await?;
    connections.callback(&caller, url).await.map(drop)
}

#[tokio::test]
async fn a_browsers_callback_is_attributed_to_whoever_began_its_flow() {
    let world = World::new().await;
    let id = world.connected().await;
    let (flow, link) = begun_by_link(&world, id).await;
    assert!(matches!(link, Caller::Link { .. }), "{link:?}");
    let callback = flow.sign_in("ada").await;
    let mixed_up = callback.replace("iss=", "iss=https%3A%2F%2Fevil.example%2F");
    assert_eq!(deliver(&world, &mixed_up).await.expect_err("refused").code(), "issuer_mismatch");
    assert_eq!(refusal(newest(&world, Some(id)).await), ("issuer_mismatch".to_owned(), Some(link.clone())));
    deliver(&world, &callback).await.expect("taken");
    assert_eq!(deliver(&world, &callback).await.expect_err("refused").code(), "state_used");
    assert_eq!(refusal(newest(&world, Some(id)).await), ("state_used".to_owned(), Some(link)));

    let of_the_person = world.reauthorize_link(id).await;
    let flow = world.begin(&of_the_person).await;
    let denied = flow.answer_consent(&[("decision", "deny")]).await;
    deliver(&world, &denied).await.expect("taken");
    let entry = newest(&world, Some(id)).await;
    assert!(matches!(entry.event, TimelineEvent::FlowFailed { .. }), "{:?}", entry.event);
    assert_eq!(entry.caller, Some(PERSON));
}

#[tokio::test]
async fn a_handed_in_callback_is_attributed_to_who_handed_it_in() {
    let world = World::new().await;
    let id = world.connected().await;
    let (flow, link) = begun_by_link(&world, id).await;
    let agent = agent(&world).await;
    let connections = world.engine.connections();
    let denied = flow.answer_consent(&[("decision", "deny")]).await;
    connections.callback(&agent, &denied).await.expect("taken");
    assert_eq!(newest(&world, Some(id)).await.caller, Some(agent.clone()));
    connections.callback(&agent, &denied).await.expect_err("refused");
    assert_eq!(refusal(newest(&world, Some(id)).await), ("state_used".to_owned(), Some(agent)));

    let pasted = connections.paste_callback(&link, flow.view.id, flow.key.expose(), &denied).await;
    assert_eq!(pasted.expect_err("refused").code(), "state_used");
    assert_eq!(refusal(newest(&world, Some(id)).await), ("state_used".to_owned(), Some(link.clone())));
    let of_none = denied.replace("state=", "state=x");
    let pasted = connections.paste_callback(&link, flow.view.id, flow.key.expose(), &of_none).await;
    assert_eq!(pasted.expect_err("refused").code(), "state_of_another_flow");
    assert_eq!(refusal(newest(&world, Some(id)).await), ("state_of_another_flow".to_owned(), Some(link)));
}

#[tokio::test]
async fn a_browsers_callback_of_no_flow_names_nobody() {
    let world = World::new().await;
    for (url, code) in [
        ("app.relink.desktop:/oauth/callback/sandbox?code=c&state=invented", "state_unknown"),
        ("http://127.0.0.1:7417/oauth/callback/sandbox?code=c&state=invented&error=e", "callback_contradictory"),
    ] {
        assert_eq!(deliver(&world, url).await.expect_err("refused").code(), code);
        assert_eq!(refusal(newest(&world, None).await), (code.to_owned(), None));
    }
    let entries = world.engine.accounts().timeline(&PERSON, None, None, 100).await.expect("a timeline");
    assert_eq!(entries.len(), 2, "one for each: {entries:?}");
}

#[tokio::test]
async fn a_missing_credential_is_attributed_to_whose_request_found_it_missing() {
    let world = World::new().await;
    let made = world.control("POST", "/control/api-keys", serde_json::json!({ "subject": "sandbox-ada" })).await;
    let key = Secret::new(made["api_key"].as_str().expect("a key"));
    let link = world.connect_link().await;
    let fields = BTreeMap::from([("api_key".to_owned(), key)]);
    let id = world.begin_with(&link, AuthenticationMethod::ApiKey, fields).await.succeeds().await;
    Keychain::memory(world.keychain.clone()).delete(&Key::Account(id)).await.expect("removed");
    let agent = agent(&world).await;
    world.engine.refresher().access_token(&agent, id).await.expect_err("gone");
    let entry = newest(&world, Some(id)).await;
    assert!(matches!(entry.event, TimelineEvent::CredentialGone { .. }), "{:?}", entry.event);
    assert_eq!(entry.caller, Some(agent));
}
