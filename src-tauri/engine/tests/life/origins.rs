//! An integration's address changes: nothing that was given for the old address is sent to the new one.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use relink_contract::account::Revocation;
use relink_domain::{
    AccountId, Secret, Timestamp,
    account::{AuthenticationMethod, Status, TimelineEvent},
    caller::TokenLevel,
    failure::Cause,
};
use relink_engine::keychain::KeychainError;
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::world::{PERSON, World, eventually};

/// A host that counts who connects to it.
struct Attacker {
    origin: String,
    connections: Arc<AtomicUsize>,
    _accepting: AbortOnDropHandle<()>,
}

impl Attacker {
    async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("bound"));
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let accepting = tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { origin, connections, _accepting: AbortOnDropHandle::new(accepting) }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// How an account signs in at Acme.
const METHODS: [AuthenticationMethod; 3] =
    [AuthenticationMethod::Oauth2, AuthenticationMethod::ApiKey, AuthenticationMethod::Oauth2ClientCredentials];

/// The addresses of a definition, as an attacker would change them, and for whom that is a change.
const ADDRESSES: [(&str, &[AuthenticationMethod]); 5] = [
    ("/config/credentials/oauth2/config/auth/tokenHost", &[AuthenticationMethod::Oauth2]),
    ("/config/credentials/oauth2/config/auth/authorizeHost", &[AuthenticationMethod::Oauth2]),
    ("/config/relink/revocation_url", &[AuthenticationMethod::Oauth2]),
    ("/config/base_url", &METHODS),
    (
        "/config/credentials/oauth2_client_credentials/config/auth/tokenHost",
        &[AuthenticationMethod::Oauth2ClientCredentials],
    ),
];

impl World {
    /// An integration of the person's own, whose provider is the Sandbox.
    fn acme(&self) -> Value {
        let here = self.sandbox.base_url().to_string();
        let text = include_str!("../../../integrations/sandbox.json")
            .replace("http://127.0.0.1:7418", here.trim_end_matches('/'));
        let mut acme: Value = serde_json::from_str(&text).expect("JSON");
        acme["name"] = json!("acme");
        acme["id"] = Value::Null;
        acme["config"]["label"] = json!("Acme");
        let relink = acme["config"]["relink"].as_object_mut().expect("an object");
        relink.remove("sandbox");
        relink.remove("revocation_path");
        relink.insert("revocation_url".to_owned(), json!(format!("{}/revoke", here.trim_end_matches('/'))));
        acme
    }

    async fn add(&self, definition: &Value) {
        self.engine.catalog().add(&PERSON, &definition.to_string()).await.expect("added");
    }

    async fn connected_at_acme(&self, method: AuthenticationMethod) -> AccountId {
        let link = self.connect_link().await;
        let fields: BTreeMap<String, Secret> = match method {
            AuthenticationMethod::Oauth2 => BTreeMap::new(),
            AuthenticationMethod::ApiKey => {
                let key = self.control("POST", "/control/api-keys", json!({})).await;
                [("api_key".to_owned(), Secret::new(key["api_key"].as_str().expect("a key")))].into()
            }
            AuthenticationMethod::Oauth2ClientCredentials => {
                let client = self.control("POST", "/control/clients", json!({})).await;
                ["client_id", "client_secret"]
                    .map(|name| (name.to_owned(), Secret::new(client[name].as_str().expect("text"))))
                    .into()
            }
        };
        let mut flow = self.begin_at("acme", &link, method, fields).await;
        if method == AuthenticationMethod::Oauth2 {
            let callback = flow.sign_in("ada").await;
            flow.receive_callback(&callback).await;
        }
        flow.succeeds().await
    }

    async fn cause(&self, id: AccountId) -> Option<Cause> {
        self.account(id).await.state.trouble().map(|trouble| trouble.failure.cause)
    }

    /// Whatever uses the account's credentials.
    async fn use_everything(&self, id: AccountId) -> Vec<&'static str> {
        let refresher = self.engine.refresher();
        vec![
            refresher.access_token(&PERSON, id).await.expect_err("refused").code(),
            refresher.refresh(&PERSON, id).await.expect_err("refused").code(),
            refresher.check(&PERSON, id).await.expect_err("refused").code(),
        ]
    }

    /// Lets the refreshes of short-lived tokens fall due, and waits until another account was refreshed.
    async fn let_refreshes_fall_due(&self, other: AccountId) {
        let refreshes = async || self.lines(Some(other)).await.iter().filter(|line| *line == "Refreshed").count();
        let before = refreshes().await;
        // Not so far that the machine counts as just woken.
        self.clock.advance_secs(55);
        eventually("another account is refreshed", async || refreshes().await > before).await;
    }
}

#[tokio::test]
async fn nothing_is_sent_to_an_address_that_was_changed() {
    let world = World::new().await;
    world.token_lifetime(90).await;
    let other = world.connected().await;
    let original = world.acme();
    for (pointer, affected) in ADDRESSES {
        for method in METHODS {
            world.add(&original).await;
            let id = world.connected_at_acme(method).await;
            let attacker = Attacker::listen().await;
            let mut changed = original.clone();
            *changed.pointer_mut(pointer).expect(pointer) = match pointer {
                "/config/relink/revocation_url" => json!(format!("{}/revoke", attacker.origin)),
                _ => json!(attacker.origin),
            };
            world.add(&changed).await;
            if affected.contains(&method) {
                // At once, before the account is marked, and afterwards.
                for _ in 0..2 {
                    let codes = world.use_everything(id).await;
                    let is_refused = |code: &&str| {
                        let is_key = method == AuthenticationMethod::ApiKey;
                        *code == "origin_changed" || is_key && *code == "nothing_to_refresh"
                    };
                    assert!(codes.iter().all(is_refused), "{pointer} {method:?}: {codes:?}");
                    world.until_status(id, Status::NeedsReauth).await;
                }
                let entries = world.engine.accounts().timeline(&PERSON, Some(id), None, 100).await.expect("a timeline");
                let moves: Vec<_> =
                    entries.iter().filter(|it| matches!(it.event, TimelineEvent::OriginChanged { .. })).collect();
                let [entry] = moves.as_slice() else { panic!("{pointer} {method:?}: {entries:?}") };
                let text = entry.event.describe("Acme").1.expect("a text");
                assert!(text.contains(&attacker.origin) && text.contains("reauthorize"), "{text}");
                assert_eq!(world.event_names().await.last().map(String::as_str), Some("authentication_error"));
            } else {
                assert_eq!(world.account(id).await.status(), Status::Active, "{pointer} {method:?}");
            }
            world.let_refreshes_fall_due(other).await;
            world.engine.accounts().delete(&PERSON, id).await.expect("deleted");
            assert_eq!(attacker.connections(), 0, "{pointer} {method:?}");
        }
    }
}

#[tokio::test]
async fn an_account_works_again_when_the_address_is_back_and_after_a_reauthorization() {
    let world = World::new().await;
    let original = world.acme();
    world.add(&original).await;
    let id = world.connected_at_acme(AuthenticationMethod::Oauth2).await;
    let mut changed = original.clone();
    changed["config"]["relink"]["revocation_url"] = json!("http://127.0.0.1:9/revoke");
    world.add(&changed).await;
    world.until_status(id, Status::NeedsReauth).await;
    world.add(&original).await;
    world.until_status(id, Status::Active).await;
    assert_eq!(world.event_names().await.last().map(String::as_str), Some("reactivated"));
    world.engine.refresher().access_token(&PERSON, id).await.expect("a token");

    world.add(&changed).await;
    world.until_status(id, Status::NeedsReauth).await;
    let link = world.reauthorize_link(id).await;
    let mut flow = world.begin_at("acme", &link, AuthenticationMethod::Oauth2, BTreeMap::new()).await;
    let callback = flow.sign_in("ada").await;
    flow.receive_callback(&callback).await;
    assert_eq!(flow.succeeds().await, id);
    assert_eq!(world.account(id).await.status(), Status::Active);
    world.engine.refresher().refresh(&PERSON, id).await.expect("refreshed");
}

#[tokio::test]
async fn a_sign_in_that_began_before_the_change_sends_its_code_to_the_old_address() {
    let world = World::new().await;
    let original = world.acme();
    world.add(&original).await;
    let link = world.connect_link().await;
    let mut flow = world.begin_at("acme", &link, AuthenticationMethod::Oauth2, BTreeMap::new()).await;
    let attacker = Attacker::listen().await;
    let mut changed = original.clone();
    changed["config"]["credentials"]["oauth2"]["config"]["auth"]["tokenHost"] = json!(attacker.origin);
    changed["config"]["base_url"] = json!(attacker.origin);
    world.add(&changed).await;
    let before = world.token_requests().await;
    let callback = flow.sign_in("ada").await;
    flow.receive_callback(&callback).await;
    let id = flow.succeeds().await;
    assert_eq!(world.token_requests().await, before + 1);
    assert_eq!(world.cause(id).await, Some(Cause::OriginChanged), "what it got was not given for the new address");
    world.use_everything(id).await;
    assert_eq!(attacker.connections(), 0);
}

#[tokio::test]
async fn the_sandbox_moves_its_port_without_a_word() {
    let world = World::new().await;
    let id = world.connected().await;
    let before = world.event_names().await;
    let elsewhere = Attacker::listen().await;
    world.engine.catalog().set_sandbox_address(&PERSON, &elsewhere.origin).await.expect("moved");
    let failed = world.engine.refresher().refresh(&PERSON, id).await.expect_err("nobody answers there");
    assert_ne!(failed.code(), "origin_changed");
    assert_eq!(elsewhere.connections(), 1, "its tokens are Relink's own");
    assert_eq!(world.event_names().await[..before.len()], before);
}

impl World {
    /// Stops the engine, changes the database as it might be found, and starts again.
    async fn restart_with(&mut self, statements: &[&str]) {
        self.engine.stop().await;
        let database = Connection::open(self.folder.path().join("relink.db")).expect("the database");
        for statement in statements {
            assert!(database.execute(statement, []).expect("changed") > 0, "{statement}");
        }
        drop(database);
        self.start_again().await;
        self.engine.catalog().set_sandbox_address(&PERSON, self.sandbox.base_url()).await.expect("moved");
    }
}

const UNBIND: &str = "UPDATE integrated_account SET document = json_remove(document, '$.profile.origins')";
const NEVER_BOUND: &str = "DELETE FROM setting WHERE name = 'credentials_bound'";
/// The file is there with another API address, but the engine has not been notified.
const MOVE_ACME: &str =
    "UPDATE integration SET document = json_set(document, '$.config.base_url', 'http://127.0.0.1:9')
                         WHERE name = 'acme'";
const BREAK_ACME: &str =
    "UPDATE integration SET document = json_set(document, '$.config.base_url', 'nowhere') WHERE name = 'acme'";

#[tokio::test]
async fn an_account_of_an_earlier_version_is_bound_to_the_addresses_of_the_first_start() {
    let mut world = World::new().await;
    world.add(&world.acme()).await;
    let id = world.connected_at_acme(AuthenticationMethod::Oauth2).await;
    let bound = world.account(id).await.profile.origins;
    world.restart_with(&[UNBIND, NEVER_BOUND]).await;
    assert_eq!(world.account(id).await.profile.origins, bound);
    world.engine.refresher().refresh(&PERSON, id).await.expect("it works as before");
    world.restart_with(&[MOVE_ACME]).await;
    world.until_status(id, Status::NeedsReauth).await;
    assert_eq!(world.cause(id).await, Some(Cause::OriginChanged));
}

#[tokio::test]
async fn an_account_whose_definition_was_broken_at_the_first_start_is_not_bound_by_its_repair() {
    let mut world = World::new().await;
    world.add(&world.acme()).await;
    let id = world.connected_at_acme(AuthenticationMethod::ApiKey).await;
    world.restart_with(&[UNBIND, NEVER_BOUND, BREAK_ACME]).await;
    world.until_status(id, Status::ValidationError).await;
    world.add(&world.acme()).await;
    world.until_status(id, Status::NeedsReauth).await;
    assert_eq!(world.cause(id).await, Some(Cause::OriginChanged));
    world.restart().await;
    assert_eq!(world.cause(id).await, Some(Cause::OriginChanged), "a second start binds nothing");
}

#[tokio::test]
async fn a_change_while_relink_is_not_running_is_found_at_the_start() {
    let mut world = World::new().await;
    world.add(&world.acme()).await;
    let id = world.connected_at_acme(AuthenticationMethod::ApiKey).await;
    let before: Timestamp = world.engine.now();
    world.restart_with(&[MOVE_ACME]).await;
    world.until_status(id, Status::NeedsReauth).await;
    let trouble = world.account(id).await.state.trouble().cloned().expect("a trouble");
    assert_eq!((trouble.failure.cause, trouble.since >= before), (Cause::OriginChanged, true));
    let events = world.event_names().await;
    world.restart().await;
    assert_eq!(world.event_names().await, events, "it is announced once");
}

#[tokio::test]
async fn a_file_from_a_token_is_not_the_persons_consent_to_local_addresses() {
    let world = World::new().await;
    let (access, catalog) = (world.engine.access(), world.engine.catalog());
    let (_, token) = access.create_api_token(&PERSON, "agent".into(), TokenLevel::Full, None).await.expect("made");
    let agent = access.authenticate(token.expose()).expect("known");
    let local = world.acme();
    let refused = catalog.add(&agent, &local.to_string()).await.expect_err("refused");
    assert_eq!(refused.code(), "forbidden");
    assert!(!catalog.is_installed(&PERSON, "acme"));
    world.add(&local).await;
    // Not even where the person has consented to these very addresses before.
    assert_eq!(catalog.add(&agent, &local.to_string()).await.expect_err("refused").code(), "forbidden");
    let public =
        local.to_string().replace(world.sandbox.base_url().to_string().trim_end_matches('/'), "https://acme.example");
    let public = public.replace(r#""allow_local":true"#, r#""allow_local":false"#);
    catalog.add(&agent, &public).await.expect("added");
}

#[tokio::test]
async fn a_revocation_that_waited_for_the_keychain_goes_to_no_other_address() {
    for pointer in ["/config/relink/revocation_url", "/config/credentials/oauth2/config/auth/tokenHost"] {
        let world = World::new().await;
        let original = world.acme();
        world.add(&original).await;
        let id = world.connected_at_acme(AuthenticationMethod::Oauth2).await;
        world.keychain.refuse(KeychainError::Locked);
        let deleted = world.engine.accounts().delete(&PERSON, id).await.expect("deleted");
        assert_eq!(deleted.revocation, Revocation::Pending);
        let attacker = Attacker::listen().await;
        let mut changed = original.clone();
        let address = changed.pointer_mut(pointer).expect(pointer);
        *address = address.as_str().expect("text").replace(origin_of(&world), &attacker.origin).into();
        world.add(&changed).await;
        world.keychain.recover();
        eventually("Relink gives up", async || world.keychain.names().is_empty()).await;
        assert_eq!(world.lines(Some(id)).await[0], "Not revoked at Acme", "{pointer}");
        assert_eq!((attacker.connections(), world.revocations().await), (0, 0), "{pointer}");
    }
}

fn origin_of(world: &World) -> &str {
    world.sandbox.base_url().trim_end_matches('/')
}
