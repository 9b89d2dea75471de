use std::collections::BTreeMap;

use relink_contract::connect::FlowPhase;
use relink_domain::{
    AccountId, Secret,
    account::AuthenticationMethod,
    callback,
    link::{LinkOptions, Purpose},
};
use url::Url;

use crate::{
    accounts::Accounts,
    catalog::Catalog,
    connections::{BeginFlow, BegunFlow, Connections},
    store::{accounts, integrations::Installed},
    testing::{LocalServer, NOWHERE, PERSON, SIGN_IN, Services, WAIT_TIMEOUT},
};

/// Connections and a catalog, with the Sandbox's integration at this origin.
struct Alone {
    services: Services,
    accounts: Accounts,
    catalog: Catalog,
    connections: Connections,
    sandbox: Installed,
    origin: String,
}

impl Alone {
    async fn at(origin: &str) -> Self {
        let services = Services::new();
        let sandbox = services.install_sandbox(origin).await;
        let accounts = services.accounts();
        let catalog = services.catalog(&accounts).await;
        let connections = services.connections(&accounts, true);
        connections.start();
        Self { services, accounts, catalog, connections, sandbox, origin: origin.to_owned() }
    }

    async fn begin(&self, purpose: Purpose, format: AuthenticationMethod) -> BegunFlow {
        let link = self.connections.create_link(&PERSON, purpose, LinkOptions::default()).await.expect("a link").token;
        let fields = match format {
            AuthenticationMethod::ApiKey => BTreeMap::from([("api_key".to_owned(), Secret::new("sk-1"))]),
            AuthenticationMethod::Oauth2 | AuthenticationMethod::Oauth2ClientCredentials => BTreeMap::new(),
        };
        let begin = BeginFlow { integration: "sandbox".into(), format, redirect: None, fields, skips_form: true };
        self.connections.begin_flow(&PERSON, link.expose(), begin).await.expect("it begins")
    }

    async fn connect(&self, format: AuthenticationMethod) -> BegunFlow {
        self.begin(Purpose::Connect { tenant_id: "acme-1".into() }, format).await
    }

    fn callback_of(&self, begun: &BegunFlow) -> String {
        let url = Url::parse(begun.flow.authorize_url.as_deref().expect("a provider URL")).expect("a URL");
        let state = url.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
        format!("{}?code=c&state={state}&iss={}", callback::deep_link_uri("sandbox"), self.origin)
    }

    /// Delivers the callback and claims the flow.
    async fn sign_in(&self, begun: &BegunFlow) {
        self.connections.callback(&PERSON, &self.callback_of(begun)).await.expect("taken");
        self.connections.claim_flow(&PERSON, begun.flow.id, begun.key.expose(), None).await.expect("claimed");
    }

    async fn remove(&self) {
        self.catalog.uninstall_with_accounts(&PERSON, self.sandbox.id).await.expect("removed");
    }

    /// Waits for the flow's end, and returns the error's code.
    async fn fails(&self, begun: &BegunFlow) -> String {
        let mut flow = begun.flow.clone();
        while !matches!(flow.phase, FlowPhase::Succeeded | FlowPhase::Failed) {
            let after = Some(flow.version);
            let next = self.connections.flow(&PERSON, flow.id, begun.key.expose(), after, WAIT_TIMEOUT).await;
            let next = next.expect("the flow");
            assert!(next.version > flow.version, "stuck in {flow:?}");
            flow = next;
        }
        flow.error.expect("it fails").code
    }

    /// Removes the integration while the code of this sign-in is exchanged. The tokens that come back are revoked.
    async fn is_revoked_when_removed_during_the_exchange(&self, server: &LocalServer, begun: &BegunFlow) {
        self.sign_in(begun).await;
        let exchange = server.request().await;
        self.remove().await;
        exchange
            .respond(
                200,
                r#"{"access_token": "at-1", "refresh_token": "rt-1", "token_type": "Bearer", "expires_in": 3600}"#,
            )
            .await;
        server.request().await.respond(200, r#"{"id": "7", "name": "Ada"}"#).await;
        let revocation = server.request().await;
        assert!(revocation.body.contains("token=rt-1"), "{}", revocation.body);
        revocation.respond(200, "{}").await;
        assert_eq!(self.fails(begun).await, "integration_removed");
        self.nothing_is_left().await;
    }

    async fn nothing_is_left(&self) {
        assert_eq!(self.services.store.read(accounts::ids).await.expect("read"), Vec::<AccountId>::new());
        self.services.orphans.sweep().await.expect("swept");
        assert!(self.services.backend.names().is_empty(), "{:?}", self.services.backend.names());
    }
}

#[tokio::test]
async fn sign_ins_that_wait_for_somebody_end_with_their_integration() {
    let it = Alone::at(NOWHERE).await;
    let waiting = it.connect(AuthenticationMethod::Oauth2).await;
    let returned = it.connect(AuthenticationMethod::Oauth2).await;
    it.connections.callback(&PERSON, &it.callback_of(&returned)).await.expect("taken");
    it.remove().await;
    for begun in [&waiting, &returned] {
        assert_eq!(it.fails(begun).await, "integration_removed");
        let late = it.connections.callback(&PERSON, &it.callback_of(begun)).await.expect_err("too late");
        assert_eq!(late.code(), "state_used");
        let claimed = it.connections.claim_flow(&PERSON, begun.flow.id, begun.key.expose(), None).await;
        assert_eq!(claimed.expect("its view").phase, FlowPhase::Failed, "nothing is exchanged");
    }
    it.nothing_is_left().await;
}

#[tokio::test]
async fn a_key_that_is_being_tried_when_its_integration_is_removed_is_not_saved() {
    let server = LocalServer::listen().await;
    let it = Alone::at(&server.origin()).await;
    let begun = it.connect(AuthenticationMethod::ApiKey).await;
    let probe = server.request().await;
    it.remove().await;
    probe.respond(200, r#"{"id": "7", "name": "Ada"}"#).await;
    assert_eq!(it.fails(&begun).await, "integration_removed");
    it.nothing_is_left().await;
}

#[tokio::test]
async fn a_sign_in_that_is_being_completed_when_its_integration_is_removed_is_revoked() {
    let server = LocalServer::listen().await;
    let it = Alone::at(&server.origin()).await;
    let begun = it.connect(AuthenticationMethod::Oauth2).await;
    it.is_revoked_when_removed_during_the_exchange(&server, &begun).await;
}

#[tokio::test]
async fn a_reauthorization_ends_with_its_account() {
    let server = LocalServer::listen().await;
    let it = Alone::at(&server.origin()).await;
    let account_id = it.services.connect(&it.accounts, &it.sandbox, SIGN_IN).await;
    let begun = it.begin(Purpose::Reauthorize { account_id }, AuthenticationMethod::Oauth2).await;
    it.is_revoked_when_removed_during_the_exchange(&server, &begun).await;
}
