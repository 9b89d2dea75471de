use std::time::Duration;

use tokio::net::TcpListener;

use crate::{
    NewWebhook,
    testing::{PERSON, TestEngine},
};

#[tokio::test]
async fn a_flow_that_could_not_begin_can_begin_later() {
    let it = TestEngine::start().await;
    let target = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let target_url = format!("http://{}/hook", target.local_addr().expect("bound"));
    let new = NewWebhook { target_url, is_active: true, event_types: None, allow_private: false };
    let webhook = it.engine.outbox().create_webhook(&PERSON, new).await.expect("made").0.id;
    it.engine.outbox().test_webhook(&PERSON, webhook).await.expect("enqueued");

    let installed = it.engine.catalog().install(&PERSON, "sandbox").await.expect("installed").id.to_string();
    let unreadable = "INSERT INTO integrated_account
           (id, environment_integration_id, tenant_id, document, status, due_at, due_check, open, created_at, updated_at)
         VALUES ('unreadable', ?1, '', '', 'active', 0, 0, 0, 0, 0)";
    it.engine.store().write(move |tx| Ok(tx.execute(unreadable, [installed])?)).await.expect("written");
    it.engine.keep_alive().await.expect_err("what is due can't be read");
    it.engine.store().write(|tx| Ok(tx.execute("DELETE FROM integrated_account", [])?)).await.expect("removed");

    it.engine.keep_alive().await.expect("it begins");
    let delivered = tokio::time::timeout(Duration::from_mins(1), target.accept()).await;
    delivered.expect("deliveries have begun").expect("a connection");
}
