//! An integration that is removed with its accounts, while other things happen.

use std::collections::BTreeMap;

use relink_contract::connect::FlowPhase;
use relink_domain::{
    Secret,
    account::AuthenticationMethod,
    link::{LinkOptions, Purpose},
};
use relink_engine::{BeginFlow, Error, Filter, Installed, keychain::KeychainError};
use serde_json::json;

use crate::world::{Flow, PERSON, World, eventually};

impl World {
    async fn remove_sandbox(&self) -> Result<Installed, Error> {
        let entries = self.engine.catalog().list(&PERSON).await.expect("the catalog");
        let sandbox =
            entries.into_iter().filter_map(|entry| entry.installed).find(|it| it.integration.name == "sandbox");
        self.engine.catalog().uninstall_with_accounts(&PERSON, sandbox.expect("installed").id).await
    }
}

#[tokio::test]
async fn a_crash_after_a_removal_loses_no_revocation() {
    let mut world = World::new().await;
    let ids = [world.connected().await, world.connected().await];
    // What follows the commit can't be done, as if the process had ended there.
    world.keychain.refuse(KeychainError::Locked);
    world.remove_sandbox().await.expect("removed");
    world.restart().await;
    assert_eq!((world.revocations().await, world.keychain.names().len()), (0, 2));
    world.keychain.recover();
    eventually("the items are deleted", async || world.keychain.names().is_empty()).await;
    assert_eq!(world.revocations().await, 2);
    for id in ids {
        assert_eq!(world.lines(Some(id)).await[..2], ["Revoked at Sandbox", "Ada Lovelace was deleted"]);
        assert_eq!(world.engine.accounts().get(&PERSON, id).await.expect_err("gone").code(), "not_found");
    }
    world.engine.catalog().install(&PERSON, "sandbox").await.expect("it can be installed again");
}

#[tokio::test]
async fn accounts_that_are_being_connected_refreshed_or_deleted_go_with_their_integration() {
    let world = World::new().await;
    world.rotation("rotate").await;
    for round in 0..5 {
        world.engine.catalog().install(&PERSON, "sandbox").await.expect("installed");
        let address = world.sandbox.base_url();
        world.engine.catalog().set_sandbox_address(&PERSON, address.as_ref()).await.expect("moved");
        let (refreshed, deleted) = (world.connected().await, world.connected().await);
        let key = world.control("POST", "/control/api-keys", json!({})).await;
        let key = key["api_key"].as_str().expect("a key").to_owned();
        let connect = async |delay: usize| {
            for _ in 0..delay * 40 {
                tokio::task::yield_now().await;
            }
            let purpose = Purpose::Connect { tenant_id: "acme-1".into() };
            let link = world.engine.connections().create_link(&PERSON, purpose, LinkOptions::default()).await;
            let wanted = BeginFlow {
                integration: "sandbox".into(),
                format: AuthenticationMethod::ApiKey,
                redirect: None,
                fields: BTreeMap::from([("api_key".to_owned(), Secret::new(key.as_str()))]),
                skips_form: true,
            };
            let token = link.expect("a link").token;
            let mut flow = match world.engine.connections().begin_flow(&PERSON, token.expose(), wanted).await {
                Ok(begun) => Flow { world: &world, key: begun.key, view: begun.flow },
                Err(error) => return assert_eq!(error.code(), "not_found", "{error}"),
            };
            flow.until(&[FlowPhase::Succeeded, FlowPhase::Failed]).await;
            if let Some(error) = flow.view.error {
                assert_eq!(error.code, "integration_removed", "{error:?}");
            }
        };
        let refresh = async {
            if let Err(error) = world.engine.refresher().refresh(&PERSON, refreshed).await {
                assert!(matches!(error.code(), "not_found" | "stale_result"), "{error}");
            }
        };
        let delete = async {
            if let Err(error) = world.engine.accounts().delete(&PERSON, deleted).await {
                assert_eq!(error.code(), "not_found", "{error}");
            }
        };
        let (removed, (), (), (), (), ()) =
            tokio::join!(world.remove_sandbox(), refresh, delete, connect(0), connect(1), connect(round + 2));
        removed.expect("removed");
        let left = world.engine.accounts().list(&PERSON, Filter::default()).await.expect("a list");
        assert_eq!(left.len(), 0, "round {round}");
        eventually("no secret is left", async || world.keychain.names().is_empty()).await;
    }
}
