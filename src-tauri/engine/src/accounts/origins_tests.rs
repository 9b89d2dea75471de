use relink_domain::{
    account::{FixedKind, NewCredential, Status, TimelineEvent},
    merge::merge,
};
use serde_json::{Value, json};

use super::*;
use crate::{
    store::{integrations::Installed, timeline},
    testing::{Services, install},
};

const HERE: &str = "https://api.acme.example";
const THERE: &str = "https://api.acme.dev";

fn acme(base_url: &str, moved_from: &[&str]) -> Value {
    json!({ "name": "acme", "config": {
        "label": "Acme",
        "base_url": base_url,
        "credentials": { "format": "api_key", "config": { "fields": [
            { "name": "api_key", "label": "Key", "type": "password", "required": true },
        ] } },
        "authorization": { "format": "bearer", "config": { "path": "credentials.api_key" } },
        "relink": { "moved_from": moved_from },
    } })
}

struct Moving {
    services: Services,
    accounts: Accounts,
    installed: Installed,
    id: AccountId,
}

impl Moving {
    /// An account that was connected at [`HERE`].
    async fn new() -> Self {
        let services = Services::new();
        let accounts = services.accounts();
        let installed = services.store.write(|tx| install(tx, acme(HERE, &[]))).await.expect("stored");
        services.providers.publish(installed.clone());
        let key = NewCredential::Fixed { kind: FixedKind::ApiKey, expires_at: None };
        let id = services.connect(&accounts, &installed, key).await;
        Self { services, accounts, installed, id }
    }

    async fn update(&self, document: Value, built_in: bool, r#override: Value) -> (Status, Vec<TimelineEvent>) {
        let mut installed = self.installed.clone();
        installed.integration.document = document;
        installed.integration.built_in = built_in;
        merge(&mut installed.r#override, r#override.as_object().expect("an object"));
        self.services.providers.publish(installed);
        let provider = self.services.providers.get(self.installed.id).expect("usable");
        self.accounts.follow_provider(&provider).await.expect("followed");
        let id = self.id;
        let entries = self.services.store.read(move |c| timeline::list(c, Some(id), None, None)).await.expect("read");
        let account = self.accounts.load(self.id).await.expect("there");
        let is_sent = self.accounts.provider_for(&account).await.is_ok();
        assert_eq!(is_sent, account.status() == Status::Active);
        (account.status(), entries.into_iter().map(|entry| entry.event).collect())
    }
}

#[tokio::test]
async fn credentials_follow_a_built_in_integration_where_its_update_says_that_it_moved() {
    let it = Moving::new().await;
    let (status, events) = it.update(acme(THERE, &[HERE]), true, json!({})).await;
    assert_eq!(status, Status::Active);
    let [TimelineEvent::OriginFollowed { moved }, ..] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(moved.change(), format!("from {HERE} to {THERE}"));
    // From then on they are bound to the new address alone.
    assert_eq!(it.update(acme(HERE, &[]), true, json!({})).await.0, Status::NeedsReauth);
}

#[tokio::test]
async fn neither_a_file_nor_an_override_says_where_credentials_may_follow() {
    let override_there = json!({ "base_url": THERE });
    let claimed = json!({ "base_url": THERE, "relink": { "moved_from": [HERE] } });
    for (document, built_in, over) in [
        (acme(THERE, &[HERE]), false, json!({})),
        (acme(THERE, &[]), true, json!({})),
        (acme(THERE, &["https://other.example"]), true, json!({})),
        (acme(HERE, &[]), true, override_there.clone()),
        (acme(HERE, &[HERE]), true, override_there),
        (acme(HERE, &[]), true, claimed),
        (acme("https://elsewhere.example", &[HERE]), true, json!({ "base_url": THERE })),
    ] {
        let it = Moving::new().await;
        let (status, events) = it.update(document.clone(), built_in, over.clone()).await;
        assert_eq!(status, Status::NeedsReauth, "{document} {over}");
        assert!(matches!(events.first(), Some(TimelineEvent::OriginChanged { .. })), "{events:?}");
    }
}
