//! The operations of the API that the client calls, each declared only here, as in `docs/openapi.json`. The client sends
//! nothing but a [`Call`] of one of them.

use std::fmt::{Display, Write};

use ureq::http::Method;

use super::percent_encode;

macro_rules! operations {
    ($($name:ident = $method:ident $path:literal;)*) => {
        /// An operation, by its id in the API's description.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Operation {
            $($name,)*
        }

        impl Operation {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name,)*];

            const fn method(self) -> Method {
                match self {
                    $(Self::$name => Method::$method,)*
                }
            }

            /// The path, with a placeholder for each of its parameters.
            const fn path(self) -> &'static str {
                match self {
                    $(Self::$name => $path,)*
                }
            }
        }
    };
}

operations! {
    GetStatus = GET "/relink/status";

    ListAccounts = GET "/relink/accounts";
    GetAccount = GET "/relink/accounts/{id}";
    GetIntegratedAccount = GET "/integrated-account/{id}";
    GetAccessToken = POST "/relink/accounts/{id}/access-token";
    RefreshAccount = POST "/relink/accounts/{id}/refresh";
    RunPostInstallActions = POST "/integrated-account/run-post-install-actions";
    CheckAccount = POST "/relink/accounts/{id}/check";
    RenameAccount = POST "/relink/accounts/{id}/rename";
    DeleteIntegratedAccount = DELETE "/integrated-account/{id}";
    ListCalls = GET "/relink/accounts/{id}/calls";
    ReadTimeline = GET "/relink/timeline";
    FollowEvents = GET "/relink/events";

    ShowCatalog = GET "/relink/integrations";
    AddIntegration = POST "/relink/integrations";
    InstallIntegration = POST "/relink/integrations/{name}/install";
    UninstallIntegration = POST "/relink/integrations/{name}/uninstall";
    SetClient = POST "/relink/integrations/{name}/client";

    GetEnvironmentIntegration = GET "/environment-integration/{id}";
    UpdateEnvironmentIntegration = PATCH "/environment-integration/{id}";

    CreateLinkToken = POST "/link-token";
    CreateFormLinkToken = POST "/link-token/post-connect-form";
    PrepareOpening = POST "/connect-account/openings";
    TakeCallback = POST "/relink/callback";
    ListLinks = GET "/relink/links";
    RevokeLink = DELETE "/relink/links/{id}";
    GetLinkSettings = GET "/relink/link-settings";
    SetLinkSettings = PUT "/relink/link-settings";
    GetSyncFolder = GET "/relink/sync-folder";
    SetSyncFolder = PUT "/relink/sync-folder";
    ListRedirectUris = GET "/relink/redirect-uris";
    SetRedirectUris = PUT "/relink/redirect-uris";

    ListApiTokens = GET "/api-token";
    CreateApiToken = POST "/relink/api-tokens";
    RevokeApiToken = DELETE "/relink/api-tokens/{id}";

    ListMcpTokens = GET "/integrated-account/{id}/mcp";
    CreateMcpToken = POST "/integrated-account/{id}/mcp";
    DeleteMcpToken = DELETE "/integrated-account/{id}/mcp/{token_id}";
    McpOfAllAccounts = POST "/relink/mcp";

    ListWebhooks = GET "/webhook";
    CreateWebhookWithConsent = POST "/relink/webhooks";
    ChangeWebhookWithConsent = PATCH "/relink/webhooks/{id}";
    DeleteWebhook = DELETE "/webhook/{id}";
    TestWebhook = POST "/webhook/test";
    ListDeliveries = GET "/relink/webhooks/{id}/deliveries";
    GetDelivery = GET "/relink/webhooks/{id}/deliveries/{delivery}";
    ReplayDelivery = POST "/relink/webhooks/{id}/deliveries/{delivery}/replay";
    ReplayWebhook = POST "/relink/webhooks/{id}/replay";

    ListSyncJobs = GET "/sync-job";
    GetSyncJob = GET "/sync-job/{id}";
    CreateSyncJob = POST "/sync-job";
    DeleteSyncJob = DELETE "/sync-job/{id}";
    ListSyncJobRuns = GET "/sync-job-run";
    GetSyncJobRun = GET "/sync-job-run/{id}";
    CreateSyncJobRun = POST "/sync-job-run";
    UpdateSyncJobRun = PATCH "/sync-job-run/{id}";
    ListSyncJobCronTriggers = GET "/sync-job-cron-trigger";
    GetSyncJobCronTrigger = GET "/sync-job-cron-trigger/{id}";
    CreateSyncJobCronTrigger = POST "/sync-job-cron-trigger";
    DeleteSyncJobCronTrigger = DELETE "/sync-job-cron-trigger/{id}";
    ScheduleSyncJobCronTrigger = POST "/sync-job-cron-trigger/{id}/schedule";
    ListDatastores = GET "/datastore";
    GetDatastore = GET "/datastore/{id}";
    CreateDatastore = POST "/datastore";
    DeleteDatastore = DELETE "/datastore/{id}";
    TestDatastore = POST "/datastore/{id}/test/{method}";
    ListWorkflows = GET "/workflow";
    GetWorkflow = GET "/workflow/{id}";
    CreateWorkflow = POST "/workflow";
    DeleteWorkflow = DELETE "/workflow/{id}";
    ListWorkflowRuns = GET "/workflow-run";
    ReadLog = GET "/log";

    GetSandboxSettings = GET "/relink/sandbox/control";
    ChangeSandboxSettings = PATCH "/relink/sandbox/control";
    ReadSandboxControl = GET "/relink/sandbox/control/{path}";
    UseSandboxControl = POST "/relink/sandbox/control/{path}";
    UndoSandboxControl = DELETE "/relink/sandbox/control/{path}";
}

impl Operation {
    /// A call with this value for the path's first parameter.
    pub(super) fn of(self, parameter: &str) -> Call {
        Call { method: self.method(), path: self.path().to_owned(), has_query: false }.and(parameter)
    }
}

/// A call of an operation, without its body.
#[derive(Debug)]
pub(super) struct Call {
    method: Method,
    /// With the query.
    path: String,
    has_query: bool,
}

impl From<Operation> for Call {
    fn from(operation: Operation) -> Self {
        operation.of("")
    }
}

impl Call {
    /// With this value for the path's next parameter.
    pub(super) fn and(mut self, parameter: &str) -> Self {
        if let Some(((before, _), (_, after))) = self.path.split_once('{').zip(self.path.split_once('}')) {
            self.path = format!("{before}{}{after}", percent_encode(parameter));
        }
        self
    }

    pub(super) fn query(mut self, name: &str, value: impl Display) -> Self {
        let separator = if self.has_query { '&' } else { '?' };
        self.has_query = true;
        // Writing into a string can't fail.
        let _ = write!(self.path, "{separator}{name}={}", percent_encode(&value.to_string()));
        self
    }

    pub(super) const fn method(&self) -> &Method {
        &self.method
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::Value;

    use super::*;

    #[test]
    fn every_operation_is_one_of_the_apis_description() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
        let text = fs::read_to_string(file).expect("docs/openapi.json is there");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        for operation in Operation::ALL {
            let method = operation.method().as_str().to_lowercase();
            let described = &document["paths"][operation.path()][method.as_str()]["operationId"];
            let described = described.as_str().map(|id| id.replace('_', ""));
            let name = format!("{operation:?}").to_lowercase();
            assert_eq!(described, Some(name), "{method} {}", operation.path());
        }
    }

    #[test]
    fn a_call_has_its_parameter_and_its_query() {
        let call = Operation::ListDeliveries.of("a/b");
        assert_eq!((call.method(), call.path()), (&Method::GET, "/relink/webhooks/a%2Fb/deliveries"));
        let call = Operation::ReplayDelivery.of("a").and("b/{c}");
        assert_eq!(call.path(), "/relink/webhooks/a/deliveries/b%2F%7Bc%7D/replay");
        let call = Call::from(Operation::FollowEvents).query("after", 7).query("account", "a&b");
        assert_eq!(call.path(), "/relink/events?after=7&account=a%26b");
    }
}
