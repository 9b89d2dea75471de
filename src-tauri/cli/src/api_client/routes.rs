//! The API's operations, one method each. IDs are passed as entered: the server validates them.

use relink_contract::{
    ById, Deleted, List, Results, Success,
    account::{AccessToken, AccountRow, CheckReport, DeletedAccount, IntegratedAccount, Rename},
    call::Call,
    connect::{NewOpening, Opening},
    event::Events,
    integration::{
        AddedIntegration, CatalogEntry, EnvironmentIntegration, EnvironmentIntegrationChange, InstalledIntegration,
        IntegrationClient, NamedIntegration, NewIntegration, OAuthClient,
    },
    link::{
        Callback, CallbackTaken, IssuedLink, IssuedLinkStatus, LinkSettings, LinkSettingsState, LinkToken, NewFormLink,
        NewLinkToken, RedirectUris,
    },
    mcp::{CreatedMcpToken, McpToken, NewMcpToken},
    status::Status,
    timeline::TimelineEntry,
    token::{ApiToken, CreatedApiToken, NewApiToken},
    webhook::{
        ConsentedWebhookChange, CreatedWebhook, Delivery, DeliveryDetails, DeliveryState, NewConsentedWebhook,
        Replayed, Webhook,
    },
};

use serde_json::{Map, Value};

use super::{
    ApiClient,
    operations::{Call as ApiCall, Operation},
};
use crate::exit::CliError;

impl ApiClient {
    pub(crate) fn status(&self) -> Result<Status, CliError> {
        self.call(Operation::GetStatus)
    }

    pub(crate) fn accounts(&self) -> Result<Results<AccountRow>, CliError> {
        self.call(Operation::ListAccounts)
    }

    pub(crate) fn account(&self, id: &str) -> Result<AccountRow, CliError> {
        self.call(Operation::GetAccount.of(id))
    }

    /// The account as Truto's programs see it, with its context.
    pub(crate) fn integrated_account(&self, id: &str) -> Result<IntegratedAccount, CliError> {
        self.call(Operation::GetIntegratedAccount.of(id))
    }

    /// `field`: the name of one of several credentials.
    pub(crate) fn access_token(&self, id: &str, field: Option<&str>) -> Result<AccessToken, CliError> {
        let call = Operation::GetAccessToken.of(id);
        self.call(match field {
            Some(field) => call.query("field", field),
            None => call,
        })
    }

    pub(crate) fn refresh_account(&self, id: &str) -> Result<AccountRow, CliError> {
        self.call(Operation::RefreshAccount.of(id))
    }

    pub(crate) fn run_steps(&self, id: &str) -> Result<Success, CliError> {
        self.call_with(Operation::RunPostInstallActions, &ById { id: id.to_owned() })
    }

    pub(crate) fn check_account(&self, id: &str) -> Result<CheckReport, CliError> {
        self.call(Operation::CheckAccount.of(id))
    }

    pub(crate) fn rename_account(&self, id: &str, name: String) -> Result<AccountRow, CliError> {
        self.call_with(Operation::RenameAccount.of(id), &Rename { name })
    }

    pub(crate) fn delete_account(&self, id: &str) -> Result<DeletedAccount, CliError> {
        self.call(Operation::DeleteIntegratedAccount.of(id))
    }

    /// The latest entries, newest first.
    pub(crate) fn timeline(&self, account_id: Option<&str>, limit: u32) -> Result<Results<TimelineEntry>, CliError> {
        let call = ApiCall::from(Operation::ReadTimeline).query("limit", limit);
        self.call(match account_id {
            Some(id) => call.query("account", id),
            None => call,
        })
    }

    /// The last calls with an account, newest first.
    pub(crate) fn calls(&self, id: &str) -> Result<Results<Call>, CliError> {
        self.call(Operation::ListCalls.of(id))
    }

    /// The events after `seq`, oldest first. Waits for one if there is none.
    pub(crate) fn events_after(&self, seq: i64, wait_secs: u32) -> Result<Events, CliError> {
        self.call(ApiCall::from(Operation::FollowEvents).query("after", seq).query("wait", wait_secs))
    }

    /// The sequence number of the latest event; 0 if there is none.
    pub(crate) fn latest_event(&self) -> Result<i64, CliError> {
        let events: Events =
            self.call(ApiCall::from(Operation::FollowEvents).query("after", i64::MAX).query("limit", 1))?;
        Ok(events.latest)
    }

    pub(crate) fn integrations(&self) -> Result<Results<CatalogEntry>, CliError> {
        self.call(Operation::ShowCatalog)
    }

    pub(crate) fn add_integration(&self, text: String) -> Result<AddedIntegration, CliError> {
        self.call_with(Operation::AddIntegration, &NewIntegration { text: Some(text), ..NewIntegration::default() })
    }

    pub(crate) fn install_integration(&self, name: &str) -> Result<InstalledIntegration, CliError> {
        self.call(Operation::InstallIntegration.of(name))
    }

    pub(crate) fn uninstall_integration(&self, name: &str) -> Result<NamedIntegration, CliError> {
        self.call(Operation::UninstallIntegration.of(name))
    }

    pub(crate) fn environment_integration(&self, id: &str) -> Result<EnvironmentIntegration, CliError> {
        self.call(Operation::GetEnvironmentIntegration.of(id))
    }

    /// Replaces the whole override.
    pub(crate) fn set_override(&self, id: &str, over: Map<String, Value>) -> Result<EnvironmentIntegration, CliError> {
        let change = EnvironmentIntegrationChange { r#override: Some(over), ..EnvironmentIntegrationChange::default() };
        self.call_with(Operation::UpdateEnvironmentIntegration.of(id), &change)
    }

    pub(crate) fn set_oauth_client(&self, name: &str, client: &OAuthClient) -> Result<IntegrationClient, CliError> {
        self.call_with(Operation::SetClient.of(name), client)
    }

    pub(crate) fn create_link_token(&self, link: &NewLinkToken) -> Result<LinkToken, CliError> {
        self.call_with(Operation::CreateLinkToken, link)
    }

    pub(crate) fn create_form_link(&self, link: &NewFormLink) -> Result<LinkToken, CliError> {
        self.call_with(Operation::CreateFormLinkToken, link)
    }

    pub(crate) fn prepare_opening(&self, opening: &NewOpening) -> Result<Opening, CliError> {
        self.call_with(Operation::PrepareOpening, opening)
    }

    pub(crate) fn submit_callback(&self, callback: &Callback) -> Result<CallbackTaken, CliError> {
        self.call_with(Operation::TakeCallback, callback)
    }

    /// The links that can still be used, the newest first.
    pub(crate) fn usable_links(&self) -> Result<List<IssuedLink>, CliError> {
        self.call(ApiCall::from(Operation::ListLinks).query("status", IssuedLinkStatus::Usable.as_str()))
    }

    pub(crate) fn revoke_link(&self, id: &str) -> Result<Deleted, CliError> {
        self.call(Operation::RevokeLink.of(id))
    }

    pub(crate) fn link_settings(&self) -> Result<LinkSettingsState, CliError> {
        self.call(Operation::GetLinkSettings)
    }

    pub(crate) fn set_link_settings(&self, settings: &LinkSettings) -> Result<LinkSettingsState, CliError> {
        self.call_with(Operation::SetLinkSettings, settings)
    }

    pub(crate) fn redirect_uris(&self) -> Result<RedirectUris, CliError> {
        self.call(Operation::ListRedirectUris)
    }

    pub(crate) fn set_redirect_uris(&self, uris: &RedirectUris) -> Result<RedirectUris, CliError> {
        self.call_with(Operation::SetRedirectUris, uris)
    }

    pub(crate) fn api_tokens(&self) -> Result<List<ApiToken>, CliError> {
        self.call(Operation::ListApiTokens)
    }

    pub(crate) fn create_api_token(&self, token: &NewApiToken) -> Result<CreatedApiToken, CliError> {
        self.call_with(Operation::CreateApiToken, token)
    }

    pub(crate) fn revoke_api_token(&self, id: &str) -> Result<Deleted, CliError> {
        self.call(Operation::RevokeApiToken.of(id))
    }

    pub(crate) fn mcp_tokens(&self, account: &str) -> Result<List<McpToken>, CliError> {
        self.call(Operation::ListMcpTokens.of(account))
    }

    pub(crate) fn create_mcp_token(&self, account: &str, token: &NewMcpToken) -> Result<CreatedMcpToken, CliError> {
        self.call_with(Operation::CreateMcpToken.of(account), token)
    }

    pub(crate) fn delete_mcp_token(&self, account: &str, id: &str) -> Result<Deleted, CliError> {
        self.call(Operation::DeleteMcpToken.of(account).and(id))
    }

    pub(crate) fn webhooks(&self) -> Result<List<Webhook>, CliError> {
        self.call(Operation::ListWebhooks)
    }

    pub(crate) fn create_webhook(&self, webhook: &NewConsentedWebhook) -> Result<CreatedWebhook, CliError> {
        self.call_with(Operation::CreateWebhookWithConsent, webhook)
    }

    pub(crate) fn change_webhook(&self, id: &str, change: &ConsentedWebhookChange) -> Result<Webhook, CliError> {
        self.call_with(Operation::ChangeWebhookWithConsent.of(id), change)
    }

    pub(crate) fn delete_webhook(&self, id: &str) -> Result<Deleted, CliError> {
        self.call(Operation::DeleteWebhook.of(id))
    }

    pub(crate) fn test_webhook(&self, id: String) -> Result<Success, CliError> {
        self.call_with(Operation::TestWebhook, &ById { id })
    }

    /// The latest deliveries, newest first.
    pub(crate) fn webhook_deliveries(
        &self,
        id: &str,
        state: Option<DeliveryState>,
    ) -> Result<List<Delivery>, CliError> {
        let call = Operation::ListDeliveries.of(id);
        self.call(match state {
            Some(state) => call.query("state", state.as_str()),
            None => call,
        })
    }

    pub(crate) fn webhook_delivery(&self, id: &str, delivery: &str) -> Result<DeliveryDetails, CliError> {
        self.call(Operation::GetDelivery.of(id).and(delivery))
    }

    pub(crate) fn replay_delivery(&self, id: &str, delivery: &str) -> Result<Success, CliError> {
        self.call(Operation::ReplayDelivery.of(id).and(delivery))
    }

    pub(crate) fn replay_webhook(&self, id: &str) -> Result<Replayed, CliError> {
        self.call(Operation::ReplayWebhook.of(id))
    }
}
