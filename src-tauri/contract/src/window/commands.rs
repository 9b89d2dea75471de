//! The window's commands, each declared only here.
//!
//! This table generates the dispatcher (`relink_app::App::dispatch`), the permission that `build.rs` gives to the main
//! window's page, and the page's typed client (`ui/host/types.ts`, written by `make types`). To add a command, add a line here
//! and a method of the same name to `relink_app::App`.
//!
//! `build.rs` includes this file for the names, so it must contain nothing but the table.

/// Calls a macro with all commands of the window: their documentation, name, arguments and output.
#[macro_export]
macro_rules! window_commands {
    ($receiver:ident) => {
        $receiver! {
            /// Where a new window should go. Returned only once.
            fn initial_destination() -> Option<Destination>;
            /// The page has its data. Until then, its window is hidden.
            fn page_ready() -> ();
            /// The page is painted. Until then, its window is transparent.
            fn page_painted() -> ();
            fn overview() -> Overview;

            fn accounts() -> Vec<Account>;
            fn account(id: AccountId) -> Account;
            fn health(id: AccountId) -> Health;
            /// Up to 50 entries before a position, newest first: of one account, or of all. With `problems_only`, only
            /// those about problems.
            fn timeline(id: Option<AccountId>, before: Option<i64>, problems_only: bool) -> TimelinePage;
            /// Checks with one call to the provider whether the account works.
            fn check(id: AccountId) -> CheckResult;
            fn refresh(id: AccountId) -> Account;
            /// Runs the integration's steps again and waits for their end. If one fails, the account says so.
            fn run_steps(id: AccountId) -> Account;
            fn rename(id: AccountId, name: String) -> Account;
            fn delete_account(id: AccountId) -> DeletedAccount;
            /// Silences reminders about the account until tomorrow or, where Relink detects that, until the machine is
            /// next unlocked.
            fn remind_later(id: AccountId) -> ();

            /// The last calls that were made with the account through Relink, newest first.
            fn calls(id: AccountId) -> Vec<Call>;
            /// How much the account was used in the last 14 days.
            fn usage(id: AccountId) -> AccountUsage;
            /// The last calls with their bodies, while those are recorded.
            fn call_bodies(id: AccountId) -> CallBodies;
            /// Switches the recording of bodies on for an hour, or off.
            fn record_call_bodies(id: AccountId, on: bool) -> CallBodies;
            /// The calls that the account's integration defines.
            fn known_calls(id: AccountId) -> Vec<KnownCall>;
            /// What was filled in and found for the account, and isn't secret: its context.
            fn context(id: AccountId) -> Vec<Fact>;
            /// Whether the account's integration has a form to fill in after a sign-in.
            fn has_form(id: AccountId) -> bool;
            /// Makes a call with the account.
            fn try_call(id: AccountId, call: TryCall) -> TriedCall;

            /// Reauthorizes without the connect UI: opens the provider's page in the browser, or the form for a new key.
            fn begin_sign_in(id: AccountId) -> SignInProgress;
            /// The sign-in that the window began; `null` if there is none.
            fn sign_in(id: AccountId) -> Option<SignInProgress>;
            /// Opens its page once more.
            fn open_sign_in_page(id: AccountId) -> ();
            /// Cancels it, or dismisses it if it has ended.
            fn cancel_sign_in(id: AccountId) -> ();

            fn get_connection_link(purpose: LinkFor) -> MagicLink;
            /// Opens a magic link's page. `integration`: the integration to preselect.
            fn open_link(id: String, target: OpenIn, integration: Option<String>) -> ();
            fn copy_link(id: String) -> ();
            /// The allowed redirect URIs of links.
            fn redirect_uris() -> Vec<String>;
            fn set_redirect_uris(uris: Vec<String>) -> Vec<String>;
            /// The links that can still be used, the newest first.
            fn usable_links() -> Vec<IssuedLink>;
            fn revoke_link(id: LinkTokenId) -> ();
            /// Where links work.
            fn link_settings() -> LinkSettingsState;
            fn set_link_settings(settings: LinkSettings) -> LinkSettingsState;

            fn integrations() -> Vec<Integration>;
            fn install(name: String) -> ();
            fn uninstall(name: String) -> ();
            fn set_client(name: String, id: String, secret: Option<SecretInput>) -> ();
            /// Adds an integration from the text of a definition file.
            fn add_integration(text: String) -> AddedIntegration;
            /// Adds an integration from the form.
            fn create_integration(integration: NewIntegration) -> AddedIntegration;
            fn definition(name: String) -> DefinitionView;
            /// What is wrong with the text of a definition.
            fn check_definition(text: String) -> Option<DefinitionProblem>;
            /// Saves a change of this version of a definition.
            fn save_definition(name: String, version: i64, text: String) -> AddedIntegration;
            /// What is wrong with the text of an override.
            fn check_override(name: String, text: String) -> Option<DefinitionProblem>;
            /// Replaces what is merged over the config of an installed integration.
            fn save_override(name: String, text: String) -> ();
            /// Opens the provider's guide to registering an OAuth client.
            fn open_documentation(integration: String) -> ();

            fn unified_models() -> Vec<UnifiedModel>;
            fn install_unified_model(name: String) -> ();
            /// Uninstalls a model, with this environment's mappings of it.
            fn uninstall_unified_model(name: String) -> ();
            fn unified_mapping(of: MappingRef) -> MappingView;
            /// Runs a mapping on an input, without calling anybody.
            fn try_mapping(of: MappingRef, keys: Vec<MappingKey>, sample: String) -> TriedMapping;
            /// Makes a real call with a mapping and an account. Only methods that read can be called.
            fn try_mapping_with_account(of: MappingRef, keys: Vec<MappingKey>, sample: String, id: AccountId) -> TriedMapping;
            /// Stores what differs from the base as this environment's mapping of this version. Returns warnings.
            fn save_mapping(of: MappingRef, keys: Vec<MappingKey>, version: Option<i64>) -> Vec<String>;

            fn sync_jobs() -> Vec<SyncJobEntry>;
            fn sync_job(id: SyncJobId) -> SyncJobView;
            /// Jobs to begin with.
            fn sync_examples() -> Vec<SyncExample>;
            /// What is wrong with the text of a job, and its nodes.
            fn check_sync_job(text: String) -> SyncDraft;
            /// Adds a job, or replaces this version of one. Returns its id.
            fn save_sync_job(id: Option<SyncJobId>, version: Option<Timestamp>, text: String) -> SyncJobId;
            /// Deletes a job with its triggers. Its runs stay.
            fn delete_sync_job(id: SyncJobId) -> ();
            /// Runs of a job, newest first: the last ones, or those before one.
            fn sync_runs(id: SyncJobId, before: Option<SyncJobRunId>) -> Vec<SyncRunEntry>;
            fn start_sync_run(id: SyncJobId, inputs: SyncInputs) -> StartedSyncRun;
            /// Starts a run with what another one was started with.
            fn repeat_sync_run(id: SyncJobRunId) -> StartedSyncRun;
            fn stop_sync_run(id: SyncJobRunId) -> ();
            fn resume_sync_run(id: SyncJobRunId) -> ();
            fn sync_run(id: SyncJobRunId) -> SyncRunView;
            /// Lines of a run's log: all, or those of a node.
            fn sync_run_log(id: SyncJobRunId, node: Option<String>, before: Option<i64>) -> SyncLog;
            /// What a cron expression says.
            fn check_cron(expression: String) -> CronPreview;
            /// Adds a trigger and schedules it. Returns what is wrong, if it can't be added.
            fn add_sync_trigger(id: SyncJobId, expression: String, inputs: SyncInputs) -> Vec<FieldProblem>;
            fn schedule_sync_trigger(id: SyncJobCronTriggerId) -> ();
            fn delete_sync_trigger(id: SyncJobCronTriggerId) -> ();
            /// The datastores that runs can write to.
            fn sync_datastores() -> Vec<SyncDatastore>;
            /// The folder that sync jobs may write files to.
            fn sync_folder() -> Option<String>;
            /// Chooses that folder, or none.
            fn set_sync_folder(folder: Option<String>) -> Option<String>;
            /// Opens the desktop's dialog for a folder, at this one if it is there. `null`: the dialog was closed. Nothing is
            /// allowed yet: see `set_sync_folder`.
            fn choose_folder(start: Option<String>) -> Option<String>;

            fn webhooks() -> Vec<Webhook>;
            fn event_types() -> Vec<EventType>;
            /// Copies the new webhook's signing secret to the clipboard; it can't be read again.
            fn add_webhook(webhook: NewWebhook) -> Webhook;
            fn remove_webhook(id: WebhookId) -> ();
            /// Delivers the event `test`, and waits for the response.
            fn test_webhook(id: WebhookId) -> ();
            /// Pauses a webhook, or resumes it.
            fn set_webhook_active(id: WebhookId, active: bool) -> Webhook;
            fn set_signature_format(id: WebhookId, format: SignatureFormat) -> Webhook;
            /// Retries the failed deliveries. Returns their number.
            fn replay_webhook(id: WebhookId) -> usize;
            /// Sends one delivery again.
            fn replay_delivery(id: WebhookId, delivery: DeliveryId) -> ();
            /// The latest deliveries, newest first.
            fn deliveries(id: WebhookId) -> Vec<Delivery>;
            fn delivery(id: WebhookId, delivery: DeliveryId) -> DeliveryDetails;

            fn api_tokens() -> Vec<ApiToken>;
            /// Copies the new token to the clipboard; it can't be read again.
            fn create_api_token(name: String, level: TokenLevel, limits: TokenLimits, days: Option<u32>) -> ApiToken;
            fn revoke_api_token(id: ApiTokenId) -> ();

            /// The account's MCP servers, the newest first.
            fn mcp_servers(id: AccountId) -> Vec<McpServer>;
            /// Copies what an agent's settings need of the new server to the clipboard; it can't be read again.
            fn create_mcp_server(id: AccountId, server: NewMcpServer) -> McpServer;
            fn delete_mcp_server(id: AccountId, server: McpTokenId) -> ();
            /// What an agent's settings need for the tools of all accounts.
            fn agent_snippet() -> String;

            fn preferences() -> Preferences;
            fn set_preferences(preferences: PreferenceUpdate) -> Preferences;
            fn notices() -> Vec<NoticeRecord>;
            /// Shows a test notification.
            fn test_notification() -> ();
            /// Tests the sign-in redirect: whether a deep link in the browser reaches Relink. Returns the result as a
            /// sentence.
            fn test_sign_in_redirect() -> String;

            fn sandbox() -> SandboxSettings;
            fn control_sandbox(action: SandboxAction) -> SandboxSettings;

            fn copy_text(text: String) -> ();
            fn open_data_folder() -> ();
        }
    };
}
