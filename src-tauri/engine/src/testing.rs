//! What unit tests build a component from, one component at a time: the services below it, with a store and a keychain in memory
//! and a clock that a test moves. Nothing runs by itself.

use std::{sync::Arc, time::Duration};

use relink_contract::link::LinkSettings;
use relink_domain::{
    AccountId, ApiTokenId, EnvironmentId, EnvironmentIntegrationId, IntegrationId, Secret, TeamId, Timestamp,
    WebhookId,
    account::{Account, Credential, Granted, Input, NewCredential, Profile, Renewal},
    caller::{Caller, TokenLevel},
    integration::{WebUrl, built_in},
    origins::Origins,
    schedule::TokenLifetime,
    webhook::SignatureFormat,
};
use rusqlite::Transaction;
use serde_json::{Map, Value};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use uuid::Uuid;

use crate::{
    access::TokensOfAccounts,
    access_tokens::AccessTokens,
    accounts::{self, Accounts},
    address::ApiAddress,
    catalog::{self, Catalog},
    clock::Clock,
    connections::{self, Connections},
    hosts::Hosts,
    keychain::{Item, Key, Keychain, MemoryKeychain},
    onboarding::{self, Onboarding},
    organization::{Organization, OrganizationIds},
    orphans::{self, Orphans},
    outbound::Outbound,
    provider::{Providers, REFRESH_TOKEN},
    schedule::RefreshSchedule,
    step_runner::StepRunners,
    store::{
        self, Store,
        integrations::{self, Installed, Integration},
        webhooks::Webhook,
    },
    tasks::Tasks,
    unfinished::Unfinished,
    unified_models::{self, UnifiedModels},
};

/// How long a test waits for something that must happen. It only bounds a failure: a busy machine never gets there.
pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_mins(1);
/// Nobody listens there.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:9";
pub(crate) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(crate) const PERSON: Caller = Caller::Person;
pub(crate) const LIFETIME: TokenLifetime = TokenLifetime::new(START, Some(START.plus_secs(3600)));
/// A sign-in that is refreshed.
pub(crate) const SIGN_IN: NewCredential = NewCredential::Renewing { by: Renewal::RefreshToken, lifetime: LIFETIME };

pub(crate) struct Services {
    pub(crate) store: Store,
    pub(crate) keychain: Keychain,
    /// What is behind the keychain. It can be taken away.
    pub(crate) backend: MemoryKeychain,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
    pub(crate) ids: OrganizationIds,
    pub(crate) address: ApiAddress,
    pub(crate) orphans: Orphans,
    pub(crate) providers: Providers,
    pub(crate) tokens: AccessTokens,
    pub(crate) schedule: Arc<RefreshSchedule>,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) unfinished: Unfinished,
    pub(crate) of_accounts: TokensOfAccounts,
    pub(crate) connecting: Unfinished,
    pub(crate) runners: StepRunners,
}

impl Services {
    pub(crate) fn new() -> Self {
        let (store, backend) = (Store::in_memory().expect("opens"), MemoryKeychain::default());
        let keychain = Keychain::memory(backend.clone());
        let (clock, tasks, address) = (Clock::set_to(START), Tasks::new(), ApiAddress::default());
        address.set_port(7417);
        let orphans = Orphans::new(orphans::Dependencies {
            store: store.clone(),
            keychain: keychain.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
        });
        Self {
            providers: Providers::new(keychain.clone(), address.clone()),
            store,
            keychain,
            backend,
            clock,
            tasks,
            ids: OrganizationIds {
                environment: EnvironmentId::from_uuid(Uuid::from_u128(1)),
                team: TeamId::from_uuid(Uuid::from_u128(2)),
            },
            address,
            orphans,
            tokens: AccessTokens::default(),
            schedule: Arc::default(),
            hosts: Arc::default(),
            unfinished: Unfinished::default(),
            of_accounts: TokensOfAccounts::default(),
            connecting: Unfinished::default(),
            runners: StepRunners::default(),
        }
    }

    pub(crate) fn outbound() -> Outbound {
        Outbound::new().expect("clients")
    }

    /// Most components stand on accounts.
    pub(crate) fn accounts(&self) -> Accounts {
        Accounts::new(accounts::Dependencies {
            store: self.store.clone(),
            keychain: self.keychain.clone(),
            clock: self.clock.clone(),
            outbound: Self::outbound(),
            tasks: self.tasks.clone(),
            ids: self.ids,
            providers: self.providers.clone(),
            orphans: self.orphans.clone(),
            tokens: self.tokens.clone(),
            schedule: Arc::clone(&self.schedule),
            hosts: Arc::clone(&self.hosts),
            own_tokens: self.of_accounts.clone(),
            connecting: self.connecting.clone(),
            runners: self.runners.clone(),
        })
    }

    pub(crate) async fn catalog(&self, accounts: &Accounts) -> Catalog {
        let opening = Catalog::open(catalog::Dependencies {
            store: self.store.clone(),
            keychain: self.keychain.clone(),
            clock: self.clock.clone(),
            orphans: self.orphans.clone(),
            providers: self.providers.clone(),
            accounts: accounts.clone(),
            environment: self.ids.environment,
            runners: self.runners.clone(),
        });
        opening.await.expect("opens")
    }

    pub(crate) fn onboarding(&self, accounts: &Accounts) -> Onboarding {
        Onboarding::new(onboarding::Dependencies {
            store: self.store.clone(),
            keychain: self.keychain.clone(),
            tasks: self.tasks.clone(),
            providers: self.providers.clone(),
            accounts: accounts.clone(),
            tokens: self.tokens.clone(),
            connecting: self.connecting.clone(),
            runners: self.runners.clone(),
        })
    }

    pub(crate) fn connections(&self, accounts: &Accounts, takes_deep_links: bool) -> Connections {
        let uses = connections::Dependencies {
            store: self.store.clone(),
            keychain: self.keychain.clone(),
            clock: self.clock.clone(),
            outbound: Self::outbound(),
            tasks: self.tasks.clone(),
            providers: self.providers.clone(),
            accounts: accounts.clone(),
            orphans: self.orphans.clone(),
            unfinished: self.unfinished.clone(),
            tokens: self.tokens.clone(),
            onboarding: self.onboarding(accounts),
            address: self.address.clone(),
            organization: Organization::new(self.store.clone(), self.clock.clone()),
            unified_models: UnifiedModels::new(unified_models::Dependencies {
                store: self.store.clone(),
                clock: self.clock.clone(),
                runners: self.runners.clone(),
            }),
            takes_deep_links,
        };
        Connections::new(uses, LinkSettings::default())
    }

    /// Installs the Sandbox's integration, with its provider at this origin.
    pub(crate) async fn install_sandbox(&self, origin: &str) -> Installed {
        let origin = WebUrl::parse(origin).expect("a URL").origin();
        let definition = built_in("sandbox").and_then(|sandbox| sandbox.at(&origin).ok()).expect("a definition");
        let document = serde_json::to_value(&definition).expect("serialized");
        let installed = self.store.write(move |tx| install(tx, document)).await.expect("stored");
        self.providers.publish(installed.clone());
        installed
    }

    /// The addresses that an account with this credential is bound to.
    fn origins_of(&self, installed: &Installed, credential: &NewCredential) -> Origins {
        let method = Credential::new(credential, Account::FIRST_GENERATION).method();
        self.providers.get(installed.id).expect("usable").origins(method, &Map::new())
    }

    /// An account that works, with nothing in the keychain.
    pub(crate) async fn connect(&self, accounts: &Accounts, with: &Installed, credential: NewCredential) -> AccountId {
        let id = AccountId::from_uuid(Uuid::now_v7());
        let granted = Granted {
            credential,
            identity: None,
            scopes: Vec::new(),
            requested_scopes: Vec::new(),
            context: Map::new(),
            object_store_context_fields: Vec::new(),
            origins: self.origins_of(with, &credential),
        };
        let connected = Account::connect(profile(with, id, "Ada".to_owned()), &granted, START);
        let change = accounts.change(&PERSON, &connected).expect("serialized");
        self.store.write(move |tx| store::accounts::commit(tx, &change)).await.expect("stored");
        accounts.commit(&PERSON, id, Input::StepsPassed).await.expect("it works");
        id
    }

    pub(crate) async fn write_refresh_token(&self, id: AccountId, generation: u64, token: &str) {
        self.write_secret(id, generation, REFRESH_TOKEN, token).await;
    }

    /// Writes an account's keychain item.
    pub(crate) async fn write_secret(&self, id: AccountId, generation: u64, name: &str, secret: &str) {
        let secrets = [(name.to_owned(), Secret::new(secret))].into();
        let item = Item { generation, secrets, ..Item::default() };
        self.keychain.set(&Key::Account(id), "Relink: test", &item).await.expect("written");
    }

    /// Waits until a transaction has brought about what is looked for.
    pub(crate) async fn eventually<T>(&self, look: impl AsyncFn() -> Option<T>) -> T {
        let mut changes = self.store.changes();
        let found = async {
            loop {
                match look().await {
                    Some(found) => return found,
                    None => changes.next().await,
                };
            }
        };
        tokio::time::timeout(WAIT_TIMEOUT, found).await.expect("it happens")
    }

    /// Whether the disk takes writes.
    pub(crate) async fn set_writable(&self, writable: bool) {
        self.store.accept_writes(writable).await.expect("set");
    }
}

pub(crate) fn access_token(token: &str) -> crate::AccessToken {
    crate::AccessToken::new(Secret::new(token), LIFETIME)
}

/// Stores an integration with this definition, and that it is installed.
pub(crate) fn install(tx: &Transaction<'_>, document: Value) -> store::Result<Installed> {
    let integration = Integration {
        id: IntegrationId::from_uuid(Uuid::now_v7()),
        name: document["name"].as_str().expect("a name").to_owned(),
        built_in: false,
        version: 1,
        checker_version: 1,
        document,
        documentation: Vec::new(),
        created_at: START,
        updated_at: START,
    };
    integrations::put(tx, &integration)?;
    let installed = Installed {
        id: EnvironmentIntegrationId::from_uuid(Uuid::now_v7()),
        integration,
        is_enabled: true,
        show_in_catalog: true,
        r#override: Map::new(),
        client_secret_origins: Origins::default(),
        secrets_generation: 0,
        documentation: Vec::new(),
        created_at: START,
        updated_at: START,
    };
    integrations::install(tx, &installed)?;
    Ok(installed)
}

pub(crate) fn webhook(target_url: &str) -> Webhook {
    Webhook {
        id: WebhookId::from_uuid(Uuid::from_u128(1)),
        target_url: target_url.to_owned(),
        is_active: true,
        event_types: None,
        allow_private: false,
        signature_format: SignatureFormat::Base64,
        failing_since: None,
        disabled_at: None,
        creator: None,
        created_at: START,
        updated_at: START,
    }
}

/// The profile of an account of this integration.
pub(crate) fn profile(of: &Installed, id: AccountId, name: String) -> Profile {
    Profile {
        id,
        tenant_id: "acme-1".to_owned(),
        environment_integration_id: of.id,
        integration: of.integration.name.clone(),
        name,
        is_sandbox: false,
        region: None,
        context: Map::new(),
        identity: None,
        scopes: Vec::new(),
        requested_scopes: None,
        origins: Origins::default(),
        settings: relink_domain::account::Settings::default(),
        last_error: None,
        answers_as_another: None,
        last_forbidden_error: None,
        created_at: START,
        updated_at: START,
    }
}

/// A server on this machine whose responses the test gives.
pub(crate) struct LocalServer(TcpListener);

impl LocalServer {
    pub(crate) async fn listen() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a port"))
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.0.local_addr().expect("bound"))
    }

    /// Waits for a whole request.
    pub(crate) async fn request(&self) -> LocalRequest {
        let (mut stream, _) = self.0.accept().await.expect("a connection");
        let mut bytes = Vec::new();
        loop {
            assert!(stream.read_buf(&mut bytes).await.expect("a request") > 0, "cut short");
            let text = String::from_utf8_lossy(&bytes);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                let (head, body) = (head.to_owned(), body.to_owned());
                return LocalRequest { stream, head, body };
            }
        }
    }
}

pub(crate) struct LocalRequest {
    stream: TcpStream,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl LocalRequest {
    pub(crate) async fn respond(mut self, status: u16, body: &str) {
        let length = body.len();
        let response = format!(
            "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        self.stream.write_all(response.as_bytes()).await.expect("responded");
    }

    /// Sends exactly these bytes and closes the connection.
    pub(crate) async fn respond_with(mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("responded");
    }
}

/// A program with an API token.
pub(crate) fn program() -> Caller {
    let id = ApiTokenId::from_uuid(Uuid::nil());
    Caller::api_token(id, "my-agent", TokenLevel::Program)
}
