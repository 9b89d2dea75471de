//! The API's routes, one method each. IDs are passed as entered: the server validates them.

use relink_contract::{
    ById, Deleted, List, Results, Success,
    account::{AccessToken, AccountRow, CheckReport, Rename},
    event::Events,
    integration::{
        AddedIntegration, CatalogEntry, InstalledIntegration, NamedIntegration, NewIntegration, OAuthClient,
    },
    link::{Callback, CallbackTaken, LinkToken, NewLinkToken},
    status::Status,
    timeline::TimelineEntry,
    token::{ApiToken, CreatedApiToken, NewApiToken},
    webhook::{CreatedWebhook, Delivery, NewConsentedWebhook, Replayed, Webhook},
};

use super::{ApiClient, percent_encode};
use crate::exit::CliError;

impl ApiClient {
    pub(crate) fn status(&self) -> Result<Status, CliError> {
        self.get("/relink/status")
    }

    pub(crate) fn accounts(&self) -> Result<Results<AccountRow>, CliError> {
        self.get("/relink/accounts")
    }

    pub(crate) fn account(&self, id: &str) -> Result<AccountRow, CliError> {
        self.get(&account_path(id, ""))
    }

    pub(crate) fn access_token(&self, id: &str) -> Result<AccessToken, CliError> {
        self.post_empty(&account_path(id, "/access-token"))
    }

    pub(crate) fn refresh_account(&self, id: &str) -> Result<AccountRow, CliError> {
        self.post_empty(&account_path(id, "/refresh"))
    }

    pub(crate) fn check_account(&self, id: &str) -> Result<CheckReport, CliError> {
        self.post_empty(&account_path(id, "/check"))
    }

    pub(crate) fn rename_account(&self, id: &str, name: String) -> Result<AccountRow, CliError> {
        self.post(&account_path(id, "/rename"), &Rename { name })
    }

    pub(crate) fn delete_account(&self, id: &str) -> Result<Deleted, CliError> {
        self.delete(&format!("/integrated-account/{}", percent_encode(id)))
    }

    /// The latest entries, newest first.
    pub(crate) fn timeline(&self, account_id: Option<&str>, limit: u32) -> Result<Results<TimelineEntry>, CliError> {
        let account = account_id.map(|id| format!("&account={}", percent_encode(id))).unwrap_or_default();
        self.get(&format!("/relink/timeline?limit={limit}{account}"))
    }

    /// The events after `seq`, oldest first. Waits for one if there is none.
    pub(crate) fn events_after(&self, seq: i64, wait_secs: u32) -> Result<Events, CliError> {
        self.get(&format!("/relink/events?after={seq}&wait={wait_secs}"))
    }

    /// The sequence number of the latest event; 0 if there is none.
    pub(crate) fn latest_event(&self) -> Result<i64, CliError> {
        let events: Events = self.get(&format!("/relink/events?after={}&limit=1", i64::MAX))?;
        Ok(events.latest)
    }

    pub(crate) fn integrations(&self) -> Result<Results<CatalogEntry>, CliError> {
        self.get("/relink/integrations")
    }

    pub(crate) fn add_integration(&self, text: String) -> Result<AddedIntegration, CliError> {
        self.post("/relink/integrations", &NewIntegration { text })
    }

    pub(crate) fn install_integration(&self, name: &str) -> Result<InstalledIntegration, CliError> {
        self.post_empty(&integration_path(name, "install"))
    }

    pub(crate) fn uninstall_integration(&self, name: &str) -> Result<NamedIntegration, CliError> {
        self.post_empty(&integration_path(name, "uninstall"))
    }

    pub(crate) fn set_oauth_client(&self, name: &str, client: &OAuthClient) -> Result<NamedIntegration, CliError> {
        self.post(&integration_path(name, "client"), client)
    }

    pub(crate) fn create_link_token(&self, link: &NewLinkToken) -> Result<LinkToken, CliError> {
        self.post("/link-token", link)
    }

    pub(crate) fn submit_callback(&self, callback: &Callback) -> Result<CallbackTaken, CliError> {
        self.post("/relink/callback", callback)
    }

    pub(crate) fn api_tokens(&self) -> Result<List<ApiToken>, CliError> {
        self.get("/api-token")
    }

    pub(crate) fn create_api_token(&self, token: &NewApiToken) -> Result<CreatedApiToken, CliError> {
        self.post("/relink/api-tokens", token)
    }

    pub(crate) fn revoke_api_token(&self, id: &str) -> Result<Deleted, CliError> {
        self.delete(&format!("/relink/api-tokens/{}", percent_encode(id)))
    }

    pub(crate) fn webhooks(&self) -> Result<List<Webhook>, CliError> {
        self.get("/webhook")
    }

    pub(crate) fn create_webhook(&self, webhook: &NewConsentedWebhook) -> Result<CreatedWebhook, CliError> {
        self.post("/relink/webhooks", webhook)
    }

    pub(crate) fn delete_webhook(&self, id: &str) -> Result<Deleted, CliError> {
        self.delete(&format!("/webhook/{}", percent_encode(id)))
    }

    pub(crate) fn test_webhook(&self, id: String) -> Result<Success, CliError> {
        self.post("/webhook/test", &ById { id })
    }

    /// The latest deliveries, newest first.
    pub(crate) fn webhook_deliveries(&self, id: &str) -> Result<List<Delivery>, CliError> {
        self.get(&format!("/relink/webhooks/{}/deliveries", percent_encode(id)))
    }

    pub(crate) fn replay_webhook(&self, id: &str) -> Result<Replayed, CliError> {
        self.post_empty(&format!("/relink/webhooks/{}/replay", percent_encode(id)))
    }
}

fn account_path(id: &str, suffix: &str) -> String {
    format!("/relink/accounts/{}{suffix}", percent_encode(id))
}

fn integration_path(name: &str, action: &str) -> String {
    format!("/relink/integrations/{}/{action}", percent_encode(name))
}
