use relink_domain::{LinkTokenId, account::Granted};
use serde_json::Map;
use uuid::Uuid;

use super::*;
use crate::testing::{NOWHERE, PERSON, SIGN_IN, START, Services};

/// Recovery that was built alone, and an account.
struct Alone {
    services: Services,
    accounts: Accounts,
    recovery: Recovery,
    id: AccountId,
}

impl Alone {
    async fn new() -> Self {
        let services = Services::new();
        let accounts = services.accounts();
        let recovery = Recovery::new(Dependencies {
            store: services.store.clone(),
            keychain: services.keychain.clone(),
            clock: services.clock.clone(),
            tasks: services.tasks.clone(),
            providers: services.providers.clone(),
            accounts: accounts.clone(),
            schedule: Arc::clone(&services.schedule),
            unfinished: services.unfinished.clone(),
        });
        let installed = services.install_sandbox(NOWHERE).await;
        let id = services.connect(&accounts, &installed, SIGN_IN).await;
        Self { services, accounts, recovery, id }
    }

    /// New credentials are about to be written to the keychain. Returns their generation.
    async fn begin_replacement(&self) -> u64 {
        let granted = Granted {
            credential: SIGN_IN,
            identity: None,
            scopes: Vec::new(),
            requested_scopes: Vec::new(),
            context: Map::new(),
            object_store_context_fields: Vec::new(),
            origins: self.accounts.load(self.id).await.expect("there").profile.origins,
        };
        let link = LinkTokenId::from_uuid(Uuid::from_u128(1));
        let begun = self
            .accounts
            .commit(&PERSON, self.id, Input::BeginReplacement { granted, link: Some(link), first_step: None })
            .await;
        begun.expect("begun").account.replacement.expect("open").generation
    }

    /// Waits until no replacement is open. Returns the generation of the account's credential.
    async fn replaced(&self) -> u64 {
        let account = self
            .services
            .eventually(async || {
                let account = self.accounts.load(self.id).await.expect("there");
                account.replacement.is_none().then_some(account)
            })
            .await;
        account.state.credential().generation()
    }
}

#[tokio::test]
async fn a_replacement_that_reached_the_keychain_is_finished_at_the_start() {
    let it = Alone::new().await;
    let generation = it.begin_replacement().await;
    it.services.write_refresh_token(it.id, generation, "second").await;
    it.recovery.start().await.expect("started");
    assert_eq!(it.replaced().await, generation);
}

#[tokio::test]
async fn a_replacement_that_never_reached_the_keychain_is_given_up() {
    let it = Alone::new().await;
    let before = it.accounts.load(it.id).await.expect("there").state.credential().generation();
    it.begin_replacement().await;
    it.services.write_refresh_token(it.id, before, "first").await;
    it.recovery.start().await.expect("started");
    assert_eq!(it.replaced().await, before);
}

#[tokio::test]
async fn what_another_component_left_open_is_finished() {
    let it = Alone::new().await;
    it.recovery.start().await.expect("started");
    let generation = it.begin_replacement().await;
    it.services.write_refresh_token(it.id, generation, "second").await;
    it.services.unfinished.add(it.id);
    assert_eq!(it.replaced().await, generation);
}

#[tokio::test]
async fn a_refresh_that_was_cut_off_is_due_at_once() {
    let it = Alone::new().await;
    it.accounts.commit(&PERSON, it.id, Input::BeginRefresh).await.expect("begun");
    it.services.schedule.set(it.id, None);
    it.recovery.finish(it.id).await.expect("finished");
    assert_eq!(it.services.schedule.take_due(START).due, [it.id]);
}
