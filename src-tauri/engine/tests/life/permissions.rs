//! What an API token created ends with it, and what only the person may consent to.

use relink_domain::{
    AccountId, ApiTokenId,
    account::Account,
    caller::{Caller, TokenLevel},
    link::{LinkOptions, Purpose},
};
use relink_engine::NewWebhook;

use crate::world::{PERSON, World};

async fn program(world: &World, level: TokenLevel) -> (ApiTokenId, Caller) {
    let made = world.engine.access().create_api_token(&PERSON, "my-agent".into(), level, None).await;
    let (token, secret) = made.expect("made");
    (token.id, world.engine.access().authenticate(secret.expose()).expect("known"))
}

fn purposes(account_id: AccountId) -> [Purpose; 2] {
    [Purpose::Connect { tenant_id: "acme-2".into() }, Purpose::Reauthorize { account_id }]
}

#[tokio::test]
async fn a_sign_in_by_a_link_whose_token_is_revoked_meanwhile_changes_nothing() {
    let world = World::new().await;
    let account = world.connected().await;
    for purpose in purposes(account) {
        let (token, program) = program(&world, TokenLevel::Program).await;
        let made = world.engine.connections().create_link(&program, purpose, LinkOptions::default()).await;
        let link = made.expect("a link").token;
        let mut flow = world.begin(&link).await;
        let callback = flow.sign_in("ada").await;
        world.engine.access().revoke_api_token(&PERSON, token).await.expect("revoked");
        let before = world.account(account).await;
        flow.receive_callback(&callback).await;
        assert_eq!(flow.fails().await, "link_token_ended");
        let generation = |account: &Account| account.state.credential().generation();
        assert_eq!(generation(&world.account(account).await), generation(&before));
        let refused = world.engine.connections().link_caller(link.expose()).await.expect_err("it has ended");
        assert_eq!(refused.code(), "link_token_ended");
    }
    let all = world.engine.accounts().list(&PERSON, relink_engine::Filter::default()).await.expect("a list");
    assert_eq!(all.len(), 1);
}

#[tokio::test]
async fn a_request_in_flight_creates_nothing_after_its_token_was_revoked() {
    let world = World::new().await;
    let account = world.connected().await;
    let (token, program) = program(&world, TokenLevel::Full).await;
    world.engine.access().revoke_api_token(&PERSON, token).await.expect("revoked");
    for purpose in purposes(account) {
        let refused = world.engine.connections().create_link(&program, purpose, LinkOptions::default()).await;
        assert_eq!(refused.expect_err("refused").code(), "token_ended");
    }
    let target_url = "http://127.0.0.1:9/".to_owned();
    let new = NewWebhook { target_url, is_active: true, ..NewWebhook::default() };
    let refused = world.engine.outbox().create_webhook(&program, new).await;
    assert_eq!(refused.expect_err("refused").code(), "token_ended");
    assert_eq!(world.engine.outbox().webhooks(&PERSON).await.expect("a list"), []);
}

#[tokio::test]
async fn only_the_person_consents_to_a_private_address() {
    let world = World::new().await;
    let new = || NewWebhook {
        target_url: "https://10.1.2.3/".to_owned(),
        is_active: true,
        event_types: None,
        allow_private: true,
        ..NewWebhook::default()
    };
    for level in TokenLevel::ALL {
        let (_, program) = program(&world, level).await;
        let refused = world.engine.outbox().create_webhook(&program, new()).await.expect_err("refused");
        assert_eq!(refused.code(), "forbidden");
        assert!(refused.to_string().contains("consent to a private address"), "{refused}");
    }
    world.engine.outbox().create_webhook(&PERSON, new()).await.expect("the person's consent");
}
