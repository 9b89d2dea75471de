use relink_domain::caller::TokenLevel;

use super::*;
use crate::{
    NewWebhook,
    keychain::MemoryKeychain,
    testing::{LocalServer, PERSON, START, WAIT_TIMEOUT},
};

#[tokio::test]
async fn a_flow_that_could_not_begin_can_begin_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options {
        data_dir: folder.path().to_owned(),
        keychain: Keychain::memory(MemoryKeychain::default()),
        clock: Clock::set_to(START),
        takes_deep_links: true,
    };
    let engine = Engine::start(options).await.expect("the engine starts");
    let target = LocalServer::listen().await;
    let target_url = format!("{}/hook", target.origin());
    let new = NewWebhook { target_url, is_active: true, ..NewWebhook::default() };
    engine.outbox().create_webhook(&PERSON, new).await.expect("made");
    let made = engine.access().create_api_token(&PERSON, "agent".to_owned(), TokenLevel::Program, None);
    made.await.expect("an event");

    let installed = engine.catalog().install(&PERSON, "sandbox").await.expect("installed").id.to_string();
    let unreadable = "INSERT INTO integrated_account
           (id, environment_integration_id, tenant_id, document, status, due_at, due_check, open, created_at, updated_at)
         VALUES ('unreadable', ?1, '', '', 'active', 0, 0, 0, 0, 0)";
    engine.0.store.write(move |tx| Ok(tx.execute(unreadable, [installed])?)).await.expect("written");
    engine.keep_alive().await.expect_err("what is due can't be read");
    engine.0.store.write(|tx| Ok(tx.execute("DELETE FROM integrated_account", [])?)).await.expect("removed");

    engine.keep_alive().await.expect("it begins");
    let delivered = tokio::time::timeout(WAIT_TIMEOUT, target.request()).await;
    delivered.expect("deliveries have begun");
}
