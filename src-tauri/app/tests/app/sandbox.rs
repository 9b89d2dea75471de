//! A browser at the Sandbox's consent page, and whose accounts have the Sandbox's controls.

use relink_contract::{connect::FlowPhase, window::LinkFor};
use relink_domain::{AccountId, account::AuthenticationMethod, caller::Caller};
use relink_engine::BeginFlow;
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};
use url::Url;

use crate::world::World;

impl World {
    /// Signs in on this page, and returns the callback URL.
    pub async fn sandbox_callback(&self, page: &Url, person: &str) -> String {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let html = http.get(page.clone()).send().await.expect("an answer").text().await.expect("a page");
        let (_, rest) = html.split_once("name=\"consent\" value=\"").expect("the consent page");
        let consent = rest.split('"').next().expect("a value");
        let form = [("consent", consent), ("person", person), ("decision", "allow")];
        let origin = page.origin().ascii_serialization();
        let post = http.post(format!("{origin}/authorize")).header("origin", origin).form(&form);
        let answer = post.send().await.expect("an answer");
        answer.headers()["location"].to_str().expect("text").to_owned()
    }

    /// Signs in on this page and returns to Relink.
    pub async fn sign_in_at_sandbox(&self, page: &Url, person: &str) {
        let callback = self.sandbox_callback(page, person).await;
        self.app.callback(&callback).await.expect("the callback is accepted");
    }

    /// Connects an account with OAuth, as this person.
    pub async fn connect_with_oauth(&self, person: &str) -> AccountId {
        let link = self.app.get_connection_link(LinkFor::Tenant("acme-1".to_owned())).await.expect("a link");
        self.app.copy_link(link.id).await.expect("the link is copied");
        let copied = self.desktop.copied();
        let (_, token) = copied.split_once("link_token=").expect("a token");
        let begin = BeginFlow {
            integration: "sandbox".to_owned(),
            format: AuthenticationMethod::Oauth2,
            redirect: None,
            fields: BTreeMap::new(),
            skips_form: true,
        };
        let connections = self.engine.connections();
        let started = connections.begin_flow(&Caller::Person, token, begin).await.expect("the flow begins");
        let page = started.flow.authorize_url.clone().expect("a page").parse().expect("a URL");
        self.sign_in_at_sandbox(&page, person).await;
        let (id, key) = (started.flow.id, started.key.expose());
        let mut flow = connections.claim_flow(&Caller::Person, id, key, None).await.expect("claimed");
        while !matches!(flow.phase, FlowPhase::Succeeded | FlowPhase::Failed) {
            let wait = Duration::from_secs(20);
            flow = connections.flow(&Caller::Person, id, key, Some(flow.version), wait).await.expect("the flow");
        }
        flow.outcome.expect("the flow succeeds").account.id
    }
}

#[tokio::test]
async fn only_accounts_of_relinks_own_sandbox_have_its_controls() {
    let world = World::new().await;
    let own = world.connect().await;
    // A definition that says that it is a sandbox, and one whose account a program marks.
    for (name, is_sandbox) in [("testing", true), ("acme", false)] {
        let credentials = json!({ "format": "api_key", "config": { "fields": [
            { "name": "api_key", "label": "Key", "type": "password", "required": true },
        ] } });
        let relink = json!({ "sandbox": is_sandbox, "allow_local": true });
        let config =
            json!({ "label": name, "base_url": "http://127.0.0.1:9", "credentials": credentials, "relink": relink });
        world.app.add_integration(json!({ "name": name, "config": config }).to_string()).await.expect("added");
        let id = world.connect_to(name, "canary-0123456789-abcdefghij".to_owned()).await;
        world.engine.accounts().mark_sandbox(&Caller::Person, id, true).await.expect("marked");
        let account = world.app.account(id).await.expect("an account");
        assert_eq!((account.is_sandbox, account.is_of_own_sandbox), (true, false), "{name}");
    }
    let account = world.app.account(own).await.expect("an account");
    assert_eq!((account.is_sandbox, account.is_of_own_sandbox), (true, true));
    let integrations = world.app.integrations().await.expect("a list");
    let sandboxes: Vec<_> = integrations.iter().filter(|it| it.is_own_sandbox).map(|it| it.name.as_str()).collect();
    assert_eq!(sandboxes, ["sandbox"]);
}
