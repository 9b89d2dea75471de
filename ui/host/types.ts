// Generated from src-tauri/contract/src/window by `make types`; don't edit. A test proves that it is current.

/** The window's commands: `name: [arguments, output]`. */
export type Commands = {
  /** Where a new window should go. Returned only once. */
  initial_destination: [arguments: void, output: Destination | null];
  /** The page has its data. Until then, its window is hidden. */
  page_ready: [arguments: void, output: null];
  /** The page is painted. Until then, its window is transparent. */
  page_painted: [arguments: void, output: null];
  overview: [arguments: void, output: Overview];
  accounts: [arguments: void, output: Array<Account>];
  account: [arguments: { id: AccountId }, output: Account];
  health: [arguments: { id: AccountId }, output: Health];
  /** Up to 50 entries before a position, newest first: of one account, or of all. With `problems_only`, only
   * those about problems. */
  timeline: [arguments: { id: AccountId | null, before: number | null, problems_only: boolean }, output: TimelinePage];
  /** Checks with one call to the provider whether the account works. */
  check: [arguments: { id: AccountId }, output: CheckResult];
  refresh: [arguments: { id: AccountId }, output: Account];
  /** Runs the integration's steps again and waits for their end. If one fails, the account says so. */
  run_steps: [arguments: { id: AccountId }, output: Account];
  rename: [arguments: { id: AccountId, name: string }, output: Account];
  delete_account: [arguments: { id: AccountId }, output: DeletedAccount];
  /** Silences reminders about the account until tomorrow or, where Relink detects that, until the machine is
   * next unlocked. */
  remind_later: [arguments: { id: AccountId }, output: null];
  /** The last calls that were made with the account through Relink, newest first. */
  calls: [arguments: { id: AccountId }, output: Array<Call>];
  /** How much the account was used in the last 14 days. */
  usage: [arguments: { id: AccountId }, output: AccountUsage];
  /** The last calls with their bodies, while those are recorded. */
  call_bodies: [arguments: { id: AccountId }, output: CallBodies];
  /** Switches the recording of bodies on for an hour, or off. */
  record_call_bodies: [arguments: { id: AccountId, on: boolean }, output: CallBodies];
  /** The calls that the account's integration defines. */
  known_calls: [arguments: { id: AccountId }, output: Array<KnownCall>];
  /** What was filled in and found for the account, and isn't secret: its context. */
  context: [arguments: { id: AccountId }, output: Array<Fact>];
  /** Whether the account's integration has a form to fill in after a sign-in. */
  has_form: [arguments: { id: AccountId }, output: boolean];
  /** Makes a call with the account. */
  try_call: [arguments: { id: AccountId, call: TryCall }, output: TriedCall];
  /** Reauthorizes without the connect UI: opens the provider's page in the browser, or the form for a new key. */
  begin_sign_in: [arguments: { id: AccountId }, output: SignInProgress];
  /** The sign-in that the window began; `null` if there is none. */
  sign_in: [arguments: { id: AccountId }, output: SignInProgress | null];
  /** Opens its page once more. */
  open_sign_in_page: [arguments: { id: AccountId }, output: null];
  /** Cancels it, or dismisses it if it has ended. */
  cancel_sign_in: [arguments: { id: AccountId }, output: null];
  get_connection_link: [arguments: { purpose: LinkFor }, output: MagicLink];
  /** Opens a magic link's page. `integration`: the integration to preselect. */
  open_link: [arguments: { id: string, target: OpenIn, integration: string | null }, output: null];
  copy_link: [arguments: { id: string }, output: null];
  /** The allowed redirect URIs of links. */
  redirect_uris: [arguments: void, output: Array<string>];
  set_redirect_uris: [arguments: { uris: Array<string> }, output: Array<string>];
  /** The links that can still be used, the newest first. */
  usable_links: [arguments: void, output: Array<IssuedLink>];
  revoke_link: [arguments: { id: LinkTokenId }, output: null];
  /** Where links work. */
  link_settings: [arguments: void, output: LinkSettingsState];
  set_link_settings: [arguments: { settings: LinkSettings }, output: LinkSettingsState];
  integrations: [arguments: void, output: Array<Integration>];
  install: [arguments: { name: string }, output: null];
  uninstall: [arguments: { name: string }, output: null];
  set_client: [arguments: { name: string, id: string, secret: SecretInput | null }, output: null];
  /** Adds an integration from the text of a definition file. */
  add_integration: [arguments: { text: string }, output: AddedIntegration];
  /** Adds an integration from the form. */
  create_integration: [arguments: { integration: NewIntegration }, output: AddedIntegration];
  definition: [arguments: { name: string }, output: DefinitionView];
  /** What is wrong with the text of a definition. */
  check_definition: [arguments: { text: string }, output: DefinitionProblem | null];
  /** Saves a change of this version of a definition. */
  save_definition: [arguments: { name: string, version: number, text: string }, output: AddedIntegration];
  /** What is wrong with the text of an override. */
  check_override: [arguments: { name: string, text: string }, output: DefinitionProblem | null];
  /** Replaces what is merged over the config of an installed integration. */
  save_override: [arguments: { name: string, text: string }, output: null];
  /** Opens the provider's guide to registering an OAuth client. */
  open_documentation: [arguments: { integration: string }, output: null];
  unified_models: [arguments: void, output: Array<UnifiedModel>];
  install_unified_model: [arguments: { name: string }, output: null];
  /** Uninstalls a model, with this environment's mappings of it. */
  uninstall_unified_model: [arguments: { name: string }, output: null];
  unified_mapping: [arguments: { of: MappingRef }, output: MappingView];
  /** Runs a mapping on an input, without calling anybody. */
  try_mapping: [arguments: { of: MappingRef, keys: Array<MappingKey>, sample: string }, output: TriedMapping];
  /** Makes a real call with a mapping and an account. Only methods that read can be called. */
  try_mapping_with_account: [arguments: { of: MappingRef, keys: Array<MappingKey>, sample: string, id: AccountId }, output: TriedMapping];
  /** Stores what differs from the base as this environment's mapping of this version. Returns warnings. */
  save_mapping: [arguments: { of: MappingRef, keys: Array<MappingKey>, version: number | null }, output: Array<string>];
  sync_jobs: [arguments: void, output: Array<SyncJobEntry>];
  sync_job: [arguments: { id: SyncJobId }, output: SyncJobView];
  /** Jobs to begin with. */
  sync_examples: [arguments: void, output: Array<SyncExample>];
  /** What is wrong with the text of a job, and its nodes. */
  check_sync_job: [arguments: { text: string }, output: SyncDraft];
  /** Adds a job, or replaces this version of one. Returns its id. */
  save_sync_job: [arguments: { id: SyncJobId | null, version: Timestamp | null, text: string }, output: SyncJobId];
  /** Deletes a job with its triggers. Its runs stay. */
  delete_sync_job: [arguments: { id: SyncJobId }, output: null];
  /** Runs of a job, newest first: the last ones, or those before one. */
  sync_runs: [arguments: { id: SyncJobId, before: SyncJobRunId | null }, output: Array<SyncRunEntry>];
  start_sync_run: [arguments: { id: SyncJobId, inputs: SyncInputs }, output: StartedSyncRun];
  /** Starts a run with what another one was started with. */
  repeat_sync_run: [arguments: { id: SyncJobRunId }, output: StartedSyncRun];
  stop_sync_run: [arguments: { id: SyncJobRunId }, output: null];
  resume_sync_run: [arguments: { id: SyncJobRunId }, output: null];
  sync_run: [arguments: { id: SyncJobRunId }, output: SyncRunView];
  /** Lines of a run's log: all, or those of a node. */
  sync_run_log: [arguments: { id: SyncJobRunId, node: string | null, before: number | null }, output: SyncLog];
  /** What a cron expression says. */
  check_cron: [arguments: { expression: string }, output: CronPreview];
  /** Adds a trigger and schedules it. Returns what is wrong, if it can't be added. */
  add_sync_trigger: [arguments: { id: SyncJobId, expression: string, inputs: SyncInputs }, output: Array<FieldProblem>];
  schedule_sync_trigger: [arguments: { id: SyncJobCronTriggerId }, output: null];
  delete_sync_trigger: [arguments: { id: SyncJobCronTriggerId }, output: null];
  /** The datastores that runs can write to. */
  sync_datastores: [arguments: void, output: Array<SyncDatastore>];
  /** The folder that sync jobs may write files to. */
  sync_folder: [arguments: void, output: string | null];
  /** Chooses that folder, or none. */
  set_sync_folder: [arguments: { folder: string | null }, output: string | null];
  /** Opens the desktop's dialog for a folder, at this one if it is there. `null`: the dialog was closed. Nothing is
   * allowed yet: see `set_sync_folder`. */
  choose_folder: [arguments: { start: string | null }, output: string | null];
  webhooks: [arguments: void, output: Array<Webhook>];
  event_types: [arguments: void, output: Array<EventType>];
  /** Copies the new webhook's signing secret to the clipboard; it can't be read again. */
  add_webhook: [arguments: { webhook: NewWebhook }, output: Webhook];
  remove_webhook: [arguments: { id: WebhookId }, output: null];
  /** Delivers the event `test`, and waits for the response. */
  test_webhook: [arguments: { id: WebhookId }, output: null];
  /** Pauses a webhook, or resumes it. */
  set_webhook_active: [arguments: { id: WebhookId, active: boolean }, output: Webhook];
  set_signature_format: [arguments: { id: WebhookId, format: SignatureFormat }, output: Webhook];
  /** Retries the failed deliveries. Returns their number. */
  replay_webhook: [arguments: { id: WebhookId }, output: number];
  /** Sends one delivery again. */
  replay_delivery: [arguments: { id: WebhookId, delivery: DeliveryId }, output: null];
  /** The latest deliveries, newest first. */
  deliveries: [arguments: { id: WebhookId }, output: Array<Delivery>];
  delivery: [arguments: { id: WebhookId, delivery: DeliveryId }, output: DeliveryDetails];
  api_tokens: [arguments: void, output: Array<ApiToken>];
  /** Copies the new token to the clipboard; it can't be read again. */
  create_api_token: [arguments: { name: string, level: TokenLevel, limits: TokenLimits, days: number | null }, output: ApiToken];
  revoke_api_token: [arguments: { id: ApiTokenId }, output: null];
  /** The account's MCP servers, the newest first. */
  mcp_servers: [arguments: { id: AccountId }, output: Array<McpServer>];
  /** Copies what an agent's settings need of the new server to the clipboard; it can't be read again. */
  create_mcp_server: [arguments: { id: AccountId, server: NewMcpServer }, output: McpServer];
  delete_mcp_server: [arguments: { id: AccountId, server: McpTokenId }, output: null];
  /** What an agent's settings need for the tools of all accounts. */
  agent_snippet: [arguments: void, output: string];
  preferences: [arguments: void, output: Preferences];
  set_preferences: [arguments: { preferences: PreferenceUpdate }, output: Preferences];
  notices: [arguments: void, output: Array<NoticeRecord>];
  /** Shows a test notification. */
  test_notification: [arguments: void, output: null];
  /** Tests the sign-in redirect: whether a deep link in the browser reaches Relink. Returns the result as a
   * sentence. */
  test_sign_in_redirect: [arguments: void, output: string];
  sandbox: [arguments: void, output: SandboxSettings];
  control_sandbox: [arguments: { action: SandboxAction }, output: SandboxSettings];
  copy_text: [arguments: { text: string }, output: null];
  open_data_folder: [arguments: void, output: null];
};

/** The window's events: `name: payload`. */
export type Events = {
  changed: Change;
  show: Destination;
};

/**
 * An account, as shown in the list and on its page.
 */
export type Account = { id: AccountId, 
/**
 * The account's display name.
 */
name: string, 
/**
 * Its integration's name, which is unique.
 */
integration: string, integration_label: string, 
/**
 * The integration's color, in CSS syntax.
 */
color: string | null, tenant_id: string, 
/**
 * The user that is signed in at the provider.
 */
identity: string | null, status: Status, method: AuthenticationMethod, 
/**
 * The authentication method's label.
 */
method_label: string, scopes: Array<string>, 
/**
 * Whether programs can only read with it.
 */
is_sandbox: boolean, 
/**
 * Whether it is an account of Relink's own Sandbox, which the Sandbox's controls act on.
 */
is_of_own_sandbox: boolean, 
/**
 * What the account needs; `null` while it works.
 */
verdict: Verdict | null, 
/**
 * Since when it has failed; `null` while it works.
 */
trouble_since: Timestamp | null, 
/**
 * What is wrong; `null` while it works. An account that works for another person has one, too.
 */
problem: Problem | null, 
/**
 * When Relink retries automatically.
 */
next_try: Timestamp | null, 
/**
 * Set while the provider has asked Relink to wait: this account, or all accounts at its host.
 */
waiting: Waiting | null, 
/**
 * Until when reminders about it are silenced.
 */
remind_at: Timestamp | null, 
/**
 * When the access token was issued.
 */
refreshed_at: Timestamp | null, 
/**
 * When the access token expires.
 */
expires_at: Timestamp | null, 
/**
 * Whether `expires_at` is an assumption, because the provider doesn't say when the token expires.
 */
expiry_is_assumed: boolean, 
/**
 * When Relink acts automatically the next time.
 */
next_action_at: Timestamp | null, 
/**
 * Whether its key was never tried, because the integration defines no test request.
 */
is_unchecked: boolean, 
/**
 * When a program last used it.
 */
last_used_at: Timestamp | null, created_at: Timestamp, };

/**
 * The new state of the changed accounts.
 */
export type AccountChanges = { changed: Array<Account>, removed: Array<AccountId>, };

/**
 * An integrated account.
 */
export type AccountId = string;

/**
 * How much an account was used in the last days.
 */
export type AccountUsage = { 
/**
 * Every day in UTC, oldest first. The last one is today.
 */
days: Array<UsageOfDay>, 
/**
 * The programs that used it, the latest first.
 */
programs: Array<UsageOfProgram>, 
/**
 * The calls, with all accounts, that Relink couldn't record since its start, because there were too many at once.
 */
dropped: number, };

export type AddedIntegration = { name: string, 
/**
 * How many accounts use it, if it took the place of a definition of the same name; `null` if it is new.
 */
replaced_for: number | null, 
/**
 * Warnings about unknown keys or inadvisable values in the definition.
 */
warnings: Array<string>, };

/**
 * An API token's metadata. The token itself is returned once, by the response that created it.
 */
export type ApiToken = { id: ApiTokenId, name: string, 
/**
 * How much the token may do.
 */
level: TokenLevel, created_at: Timestamp, 
/**
 * Null if it never expires.
 */
expires_at: Timestamp | null, 
/**
 * Null if it was never used.
 */
last_used_at: Timestamp | null, 
/**
 * Only these accounts; null: all.
 */
accounts: Array<AccountId> | null, 
/**
 * Only accounts of the integrations with these names; null: of all.
 */
integrations: Array<string> | null, 
/**
 * Only requests that read: GET, HEAD and OPTIONS, and the methods `get` and `list` of a resource at `/proxy`.
 */
read_only: boolean, };

/**
 * An API token's record, not the token itself.
 */
export type ApiTokenId = string;

export type Appearance = "system" | "light" | "dark";

/**
 * How the connection is authenticated, in Truto's words.
 */
export type AuthenticationMethod = "oauth2" | "api_key" | "oauth2_client_credentials";

/**
 * A call that a program made through Relink.
 */
export type Call = { 
/**
 * Its place in the order in which calls ended.
 */
seq: number, 
/**
 * When it began.
 */
at: Timestamp, 
/**
 * The API token that it was made with; null if it was made without one, by the person or by Relink itself.
 */
api_token_id: ApiTokenId | null, 
/**
 * The token's name when the call was made.
 */
program: string, route: CallRoute, method: string, 
/**
 * The path below the route, with the names of the query's parameters. Their values aren't recorded, because they may be
 * keys.
 */
path: string, 
/**
 * The response's status; null if the caller left before there was one.
 */
status: number | null, 
/**
 * Until the response's headers were there, in milliseconds.
 */
headers_ms: number | null, 
/**
 * Until the response had ended, in milliseconds.
 */
total_ms: number, 
/**
 * The bytes of the request's body that were sent.
 */
sent_bytes: number, 
/**
 * The bytes of the response's body that the caller took.
 */
received_bytes: number, 
/**
 * Why there is no complete response of the provider: an error code of Relink's, `caller_left` or `response_broke_off`.
 */
error: string | null, 
/**
 * Whether it counts as an error.
 */
failed: boolean, };

/**
 * The last calls with an account that were recorded with their bodies, while that is switched on.
 */
export type CallBodies = { 
/**
 * When the recording ends, and what was recorded is forgotten; null while it is switched off.
 */
until: Timestamp | null, 
/**
 * Newest first, at most 20.
 */
calls: Array<CallWithBodies>, };

/**
 * The route by which a call came.
 */
export type CallRoute = "via" | "proxy" | "custom" | "unified";

/**
 * A call with its bodies, as far as they are text: up to 16 KiB of each, without the account's secrets.
 */
export type CallWithBodies = { at: Timestamp, program: string, method: string, path: string, status: number | null, 
/**
 * Null if there was none, or if it isn't text.
 */
request: string | null, 
/**
 * The same of the response.
 */
response: string | null, };

/**
 * A change of what the window shows.
 */
export type Change = { "kind": "accounts", 
/**
 * Some of them. `null`: any may have changed; the window then loads its list again.
 */
changes: AccountChanges | null, } | { "kind": "timeline" } | { "kind": "integrations" } | { "kind": "webhooks" } | { "kind": "api_tokens" } | { "kind": "unified_models" } | { "kind": "sync_jobs" } | { "kind": "sync_progress", runs: Array<SyncJobRunId>, } | { "kind": "calls" } | { "kind": "overview" } | { "kind": "preferences" } | { "kind": "notices" } | { "kind": "sign_ins" };

/**
 * The provider's response to a check.
 */
export type CheckOutcome = "accepted" | "unauthorized" | "forbidden" | "another_identity" | "inconclusive" | "no_probe";

export type CheckResult = { outcome: CheckOutcome, 
/**
 * The account after the check.
 */
account: Account, };

/**
 * How an account was, from the best to the worst. A slot shows the worst condition of its time, except the last one, which
 * shows the present.
 */
export type Condition = "no_data" | "working" | "retrying" | "not_working";

/**
 * What a cron expression says.
 */
export type CronPreview = { problem: string | null, words: string, upcoming: Array<Timestamp>, };

/**
 * A store of somebody else's, to which sync jobs write.
 */
export type DatastoreId = string;

/**
 * What is wrong with a text, and where.
 */
export type DefinitionProblem = { 
/**
 * From 1; `null` if it is about no place in the text.
 */
line: number | null, 
/**
 * In characters, from 1.
 */
column: number | null, 
/**
 * The path of the field; empty for the whole text.
 */
field: string, problem: string, };

/**
 * A definition, and what is merged over its config.
 */
export type DefinitionView = { 
/**
 * JSON, without secrets.
 */
text: string, 
/**
 * A change names the version that it is of.
 */
version: number, 
/**
 * Whether it is built in, so that it can't be changed.
 */
built_in: boolean, 
/**
 * JSON, without secrets; `null` if the integration isn't installed.
 */
override_text: string | null, };

export type DeletedAccount = { id: AccountId, revocation: Revocation, 
/**
 * What was not revoked, and what to do; null if nothing is left to do.
 */
message: string | null, };

/**
 * The delivery of one event to a webhook.
 */
export type Delivery = { id: DeliveryId, event: string, state: DeliveryState, 
/**
 * Attempts so far.
 */
tries: number, next_try: Timestamp | null, 
/**
 * The HTTP status of the latest attempt.
 */
last_status: number | null, 
/**
 * What went wrong in the latest attempt.
 */
last_error: string | null, 
/**
 * When the latest attempt ended.
 */
updated_at: Timestamp, };

/**
 * One attempt at a delivery: what was sent and what came back. It contains no secret.
 */
export type DeliveryAttempt = { 
/**
 * When it began.
 */
at: Timestamp, duration_ms: number, target_url: string, 
/**
 * Empty if nothing was sent.
 */
request_headers: { [key in string]: string }, 
/**
 * Null if there was none.
 */
response: DeliveryResponse | null, 
/**
 * Why it failed.
 */
error: string | null, };

/**
 * A delivery with what was sent and what came back.
 */
export type DeliveryDetails = { delivery: Delivery, 
/**
 * The same in every attempt and every replay.
 */
event_id: EventId, 
/**
 * The body that is sent.
 */
request_body: string, 
/**
 * The attempts that are kept, oldest first.
 */
attempts: Array<DeliveryAttempt>, };

/**
 * The delivery of an event to a webhook.
 */
export type DeliveryId = string;

/**
 * A target's response to a delivery.
 */
export type DeliveryResponse = { status: number, 
/**
 * Values of one name are joined by commas; cookies are hidden.
 */
headers: { [key in string]: string }, 
/**
 * The first 4 KiB of the body.
 */
body: string, 
/**
 * Whether the body was longer.
 */
is_truncated: boolean, };

export type DeliveryState = "pending" | "delivered" | "failed";

/**
 * A page of the window.
 */
export type Destination = "accounts" | { "account": AccountId } | "webhooks" | "settings";

/**
 * What an error in a run leads to.
 */
export type ErrorHandling = "fail_fast" | "ignore" | "batch";

/**
 * The error of a command, with texts that the window shows unchanged.
 */
export type ErrorView = { 
/**
 * A stable code, for programs and tests.
 */
code: string, 
/**
 * What happened, in one line.
 */
title: string, 
/**
 * What it means.
 */
message: string, 
/**
 * What to do.
 */
hint: string | null, 
/**
 * The input field with the error.
 */
field: string | null, };

/**
 * An event. It is the `id` in the body of every delivery of the event.
 */
export type EventId = string;

/**
 * A kind of event that a webhook can receive.
 */
export type EventType = { name: string, 
/**
 * When it is sent, as a sentence.
 */
description: string, };

export type Fact = { name: string, value: string, };

/**
 * What is wrong with a field of a form.
 */
export type FieldProblem = { 
/**
 * `args.from`, `webhook_id`.
 */
field: string, problem: string, };

/**
 * The health of an account over the last days.
 */
export type Health = { 
/**
 * Slots of two hours, oldest first. The last one ends now.
 */
slots: Array<Condition>, 
/**
 * A summary in one sentence.
 */
sentence: string, };

/**
 * An integration of the catalog.
 */
export type Integration = { 
/**
 * Unique.
 */
name: string, label: string, 
/**
 * In CSS syntax.
 */
color: string | null, category: string | null, 
/**
 * Whether it is built in.
 */
built_in: boolean, 
/**
 * Whether it is Relink's own Sandbox.
 */
is_own_sandbox: boolean, installed: boolean, 
/**
 * How many accounts it has.
 */
accounts: number, methods: Array<AuthenticationMethod>, 
/**
 * What must be set up before an account can be connected; `null` if nothing.
 */
not_ready: string | null, 
/**
 * Whether it hides a built-in integration of the same name.
 */
hides_built_in: boolean, 
/**
 * Whether the provider has a guide to registering an OAuth client.
 */
documented: boolean, 
/**
 * Whether it needs an OAuth client that the user registers.
 */
wants_client: boolean, 
/**
 * The OAuth client's id, if one is set.
 */
client_id: string | null, 
/**
 * Whether a secret of that client is in the keychain.
 */
has_client_secret: boolean, 
/**
 * The redirect URIs to register with the provider.
 */
redirect_uris: Array<RedirectUri>, };

/**
 * A link that was created. Its token is stored nowhere.
 */
export type IssuedLink = { id: LinkTokenId, purpose: LinkPurpose, status: IssuedLinkStatus, 
/**
 * The tenant of the new account; null if the link is for an account that exists.
 */
tenant_id: string | null, 
/**
 * The account that the link is for.
 */
integrated_account_id: AccountId | null, account_name: string | null, 
/**
 * The name of the API token of the program that created the link; null if the person did.
 */
program: string | null, created_at: Timestamp, expires_at: Timestamp, };

export type IssuedLinkStatus = "usable" | "used" | "expired" | "ended" | "revoked";

export type KeychainState = { available: boolean, 
/**
 * Why it isn't available.
 */
message: string | null, };

/**
 * A call that the account's integration defines, to be completed while a path is entered.
 */
export type KnownCall = { method: string, 
/**
 * As the definition writes it, with its placeholders: `/users/{{id}}`.
 */
path: string, 
/**
 * The resource and its method: `users.get`.
 */
name: string, description: string | null, };

/**
 * What a new link is for.
 */
export type LinkFor = { "account": AccountId } | { "tenant": string } | { "form": AccountId };

export type LinkPurpose = "connect" | "reauthorize" | "post_connect_form";

/**
 * Where links work: only on this machine, unless the person says otherwise.
 */
export type LinkSettings = { 
/**
 * Whether the connect UI is also at `http://localhost:5173`, the one address on this machine from which Truto's Link SDK
 * accepts an iframe's messages.
 */
also_listen: boolean, 
/**
 * The origins of the pages that may show the connect UI in a frame.
 */
frame_origins: Array<string>, 
/**
 * The https origin of a tunnel or reverse proxy in front of the connect UI; null: links work on this machine only.
 */
public_address: string | null, };

/**
 * The settings of links, and what became of them.
 */
export type LinkSettingsState = { 
/**
 * Why Relink doesn't listen on `localhost:5173` although it should; null if it does, or shouldn't.
 */
also_listen_problem: string | null, 
/**
 * Whether the connect UI is also at `http://localhost:5173`, the one address on this machine from which Truto's Link SDK
 * accepts an iframe's messages.
 */
also_listen: boolean, 
/**
 * The origins of the pages that may show the connect UI in a frame.
 */
frame_origins: Array<string>, 
/**
 * The https origin of a tunnel or reverse proxy in front of the connect UI; null: links work on this machine only.
 */
public_address: string | null, };

/**
 * A link token's record, not the token itself.
 */
export type LinkTokenId = string;

/**
 * A magic link. The page opens or copies it by its id and never sees its token.
 */
export type MagicLink = { id: string, 
/**
 * The link without its token.
 */
shown: string, expires_at: Timestamp, 
/**
 * Whether it works on other machines, too: at the public address.
 */
is_public: boolean, };

export type MappableIntegration = { name: string, label: string, 
/**
 * In CSS syntax.
 */
color: string | null, };

/**
 * A method that is mapped for an integration.
 */
export type MappedMethod = { integration: string, method: string, 
/**
 * Whether the model itself maps it.
 */
has_base: boolean, 
/**
 * Whether this environment has a mapping of it.
 */
is_overridden: boolean, 
/**
 * The names of the accounts that have a mapping of it.
 */
accounts: Array<string>, };

/**
 * An account with which a mapping may be tried.
 */
export type MappingAccount = { id: AccountId, name: string, 
/**
 * Whether it has a mapping of its own over this one.
 */
is_overridden: boolean, };

/**
 * A key of a mapping, as it is written.
 */
export type MappingKey = { name: string, 
/**
 * Nothing: the key is left out.
 */
text: string, language: MappingLanguage, };

/**
 * What the text of a key is.
 */
export type MappingLanguage = "text" | "json";

/**
 * What is wrong, and where.
 */
export type MappingProblem = { at: MappingProblemAt, 
/**
 * The key, if it is in the mapping.
 */
key: string | null, 
/**
 * The mapping, the key and the record: `ticketing/tickets list on GitHub, response_mapping, record 3`.
 */
place: string, 
/**
 * In the key's text, or in the input. From 1.
 */
line: number | null, 
/**
 * In characters, from 1.
 */
column: number | null, problem: string, };

export type MappingProblemAt = "mapping" | "sample" | "run";

/**
 * Which mapping.
 */
export type MappingRef = { model: string, resource: string, integration: string, method: string, };

/**
 * A mapping as it is edited: what is in force here, key by key.
 */
export type MappingView = { integration_label: string, installed: boolean, 
/**
 * Whether the model that has the base is built in.
 */
built_in: boolean, 
/**
 * The keys of the base and of the environment over it.
 */
keys: Array<MappingKey>, 
/**
 * The keys of the base alone.
 */
base: Array<MappingKey>, 
/**
 * The version of the environment's mapping, if there is one.
 */
override_version: number | null, 
/**
 * All keys that a mapping may have, in the order in which they take effect.
 */
known_keys: Array<string>, 
/**
 * The accounts of the integration.
 */
accounts: Array<MappingAccount>, 
/**
 * An input to begin with, as JSON.
 */
sample: string, documentation_link: string | null, };

/**
 * Which of the account's tools a server offers, and whom it serves.
 */
export type McpConfig = { 
/**
 * Names of methods, or `read` (get, list), `write` (create, update, delete) and `custom` (all others). Empty: all.
 */
methods: Array<string>, 
/**
 * Tools of resources or methods with any of these tags (`tool_tags`). Empty: of all.
 */
tags: Array<string>, 
/**
 * Whether a request must have an API token too, as Bearer.
 */
require_api_token_auth: boolean, };

/**
 * An account's MCP server.
 */
export type McpServer = { id: McpTokenId, name: string, config: McpConfig, created_at: Timestamp, 
/**
 * Null if it never expires.
 */
expires_at: Timestamp | null, };

/**
 * The record of an MCP server's token, not the token itself.
 */
export type McpTokenId = string;

/**
 * The values of the form for a new integration.
 */
export type NewIntegration = { 
/**
 * Lower case letters, digits and hyphens.
 */
name: string, label: string, 
/**
 * The base URL of the provider's API.
 */
base_url: string, 
/**
 * The OAuth authorization endpoint.
 */
authorize_url: string, 
/**
 * The OAuth token endpoint.
 */
token_url: string, 
/**
 * Separated by spaces.
 */
scopes: string, client_id: string, 
/**
 * `null` or empty for a public client.
 */
client_secret: SecretInput | null, 
/**
 * The only redirect URI that the provider accepts; `null` if it accepts both.
 */
redirect: RedirectKind | null, };

export type NewMcpServer = { name: string, config: McpConfig, 
/**
 * Days until it ends. Null: it never does.
 */
days: number | null, };

export type NewWebhook = { target_url: string, 
/**
 * The events to deliver; `null`: all.
 */
event_types: Array<string> | null, signature_format: SignatureFormat, 
/**
 * Whether the user agreed to deliveries to a private address.
 */
allow_private: boolean, };

/**
 * A notification that was shown.
 */
export type NoticeRecord = { id: number, at: Timestamp, title: string, body: string, 
/**
 * The account that it opens, if it is about a single one.
 */
account_id: AccountId | null, 
/**
 * Whether it is about webhooks. Otherwise it is about accounts.
 */
about_webhooks: boolean, 
/**
 * How many accounts or webhooks it is about.
 */
subjects: number, 
/**
 * For how many of them the problem is over.
 */
resolved: number, 
/**
 * Whether the desktop accepted it. It is listed either way.
 */
delivered: boolean, };

/**
 * What a run does when its account needs reauthorization (**ours**).
 */
export type OnNeedsReauth = "fail" | "wait";

/**
 * Where to open a link.
 */
export type OpenIn = "window" | "browser";

/**
 * The state of Relink, for the window's frame and settings.
 */
export type Overview = { version: string, 
/**
 * The API's base URL, where it listens unless there is a problem with its port.
 */
base_url: string, 
/**
 * Why the API doesn't listen on its port, so that the connect pages are off too; `null` while it does.
 */
port_problem: string | null, keychain: KeychainState, 
/**
 * Whether the machine is online.
 */
online: boolean, 
/**
 * How many accounts need attention.
 */
needs_attention: number, 
/**
 * How many accounts there are.
 */
accounts: number, 
/**
 * Whether the Sandbox is installed.
 */
sandbox: boolean, 
/**
 * Why the latest notification could not be shown; `null` if it was shown, or there was none.
 */
notifications_trouble: string | null, 
/**
 * Whether the desktop shows Relink's tray icon.
 */
tray: boolean, 
/**
 * Whether Relink detects that the machine was unlocked, which ends "Remind me later".
 */
detects_unlock: boolean, 
/**
 * The path of the data folder.
 */
data_folder: string, };

/**
 * [`Preferences`] as the window sends them: the port may be any number.
 */
export type PreferenceUpdate = { appearance: Appearance, notifications_paused: boolean, start_at_login: boolean, port: number | null, };

/**
 * The user's preferences. They are stored in this format.
 */
export type Preferences = { appearance: Appearance, notifications_paused: boolean, 
/**
 * Whether Relink starts in the tray at login.
 */
start_at_login: boolean, 
/**
 * The API's port after the next start, or at once while the API can't use its port; `null`: 7417.
 */
port: number | null, };

/**
 * What is wrong with an account.
 */
export type Problem = { 
/**
 * A stable code, for programs and tests.
 */
code: string, 
/**
 * What happened, in one line.
 */
title: string, 
/**
 * What it means.
 */
message: string, 
/**
 * What to do.
 */
hint: string, 
/**
 * The HTTP status of the provider's response.
 */
http_status: number | null, provider_code: string | null, 
/**
 * The provider's error message.
 */
provider_message: string | null, occurred_at: Timestamp, };

/**
 * How a record differs from its schema.
 */
export type RecordFault = { 
/**
 * From 1; `null` if there is but one.
 */
record: number | null, 
/**
 * `assignees[0].id`.
 */
path: string, problem: string, };

/**
 * How the browser returns to Relink.
 */
export type RedirectKind = "deep_link" | "loopback";

/**
 * A redirect URI to register with a provider.
 */
export type RedirectUri = { kind: RedirectKind, uri: string, };

export type ResponseHeader = { name: string, value: string, };

/**
 * What became of a deleted account's tokens at the provider.
 */
export type Revocation = "not_offered" | "revoked" | "failed" | "pending";

/**
 * A run's status. A run that waits for its person, see [`OnNeedsReauth::Wait`], is still `running`.
 */
export type RunStatus = "created" | "running" | "rate_limited" | "completed" | "failed" | "stopped";

/**
 * An action on the Sandbox.
 */
export type SandboxAction = "expire" | "revoke" | { "fault": { kind: string, count: number, } } | "clear" | { "lifetime": { secs: number, } } | { "rotation": { kind: string, } };

/**
 * The Sandbox's settings.
 */
export type SandboxSettings = { token_lifetime_secs: number, 
/**
 * `none`, `rotate`, `grace` or `strict`.
 */
rotation: string, 
/**
 * How many more responses will fail.
 */
faults_left: number, };

/**
 * A field of a record.
 */
export type SchemaField = { name: string, 
/**
 * How many objects and lists it is in.
 */
depth: number, 
/**
 * `string`, `list of objects`.
 */
kind: string, is_required: boolean, description: string | null, 
/**
 * The values that it may have, if they are listed.
 */
values: Array<string>, };

/**
 * A secret that was entered in the window. It has no `Serialize`, so it can't be sent back.
 */
export type SecretInput = string;

/**
 * A sign-in that the window began, without the connect UI.
 */
export type SignInProgress = { "phase": "at_provider" } | { "phase": "checking" } | { "phase": "question", expected: string, actual: string, } | { "phase": "in_connect_window" } | { "phase": "reauthorized" } | { "phase": "kept_old" } | { "phase": "added", name: string, } | { "phase": "failed", error: ErrorView, };

/**
 * The encoding of the signature in `X-Truto-Signature` (contract section 5).
 */
export type SignatureFormat = "base64" | "hex";

/**
 * What became of a request to start a run.
 */
export type StartedSyncRun = { 
/**
 * `null`: there is none, see `problems`.
 */
run: SyncJobRunId | null, problems: Array<FieldProblem>, };

/**
 * Truto's five statuses.
 */
export type Status = "active" | "connecting" | "post_install_error" | "validation_error" | "needs_reauth";

export type SyncAccount = { id: AccountId, name: string, integration_label: string, 
/**
 * Whether it was deleted. Its name is its id then.
 */
is_gone: boolean, };

/**
 * An argument, for a field to give it.
 */
export type SyncArg = { name: string, kind: SyncArgKind, is_required: boolean, description: string | null, 
/**
 * The values that it may have, each as JSON, if they are listed.
 */
values: Array<string>, };

export type SyncArgKind = "account" | "webhook" | "datastore" | "date" | "time" | "text" | "number" | "boolean" | "json";

/**
 * What a run has done with a node. `null`: that isn't counted for a node of its type.
 */
export type SyncCounts = { fetched: number | null, 
/**
 * For a destination: what arrived there. Otherwise what destinations took of it.
 */
persisted: number | null, 
/**
 * What a transform left out.
 */
dropped: number | null, 
/**
 * Rows that destinations have marked or removed, because their records are gone.
 */
deleted: number | null, 
/**
 * Whether another node of the same resource and method is counted with it.
 */
is_shared: boolean, };

export type SyncDatastore = { id: DatastoreId, label: string, };

/**
 * Where records go.
 */
export type SyncDestination = { 
/**
 * Its place in the graph. The destination of a flat job has a webhook, a datastore or both.
 */
node: number, 
/**
 * `file`, `webhook` or `datastore`.
 */
kind: string, 
/**
 * A path, the URL of a webhook or the label of a datastore, as far as it is known.
 */
target: string, 
/**
 * If it is a webhook.
 */
webhook_id: WebhookId | null, };

/**
 * A job while it is written.
 */
export type SyncDraft = { problem: DefinitionProblem | null, 
/**
 * The node with the problem, by its place in the graph.
 */
node: number | null, 
/**
 * `null`: the nodes can't be drawn.
 */
graph: SyncGraph | null, 
/**
 * What has no effect.
 */
warnings: Array<string>, };

/**
 * Nodes by their places in the list.
 */
export type SyncEdge = { from: number, to: number, };

/**
 * A job to begin with.
 */
export type SyncExample = { title: string, description: string, text: string, 
/**
 * Whether it writes a file, for which a folder must be chosen.
 */
writes_files: boolean, };

/**
 * The nodes of a job, and what leads from one to the other.
 */
export type SyncGraph = { nodes: Array<SyncNode>, edges: Array<SyncEdge>, };

/**
 * What a run is started with, and a trigger.
 */
export type SyncInputs = { integrated_account_id: AccountId | null, webhook_id: WebhookId | null, datastore_id: DatastoreId | null, 
/**
 * A JSON object.
 */
args: string, on_needs_reauth: OnNeedsReauth, };

export type SyncIntegration = { name: string, label: string, 
/**
 * In CSS syntax.
 */
color: string | null, };

/**
 * What starts runs of a sync job by the clock.
 */
export type SyncJobCronTriggerId = string;

/**
 * A sync job in the list.
 */
export type SyncJobEntry = { id: SyncJobId, label: string, 
/**
 * Whose records it reads, if it says so.
 */
integration: SyncIntegration | null, 
/**
 * The run that was made last.
 */
last_run: SyncRunEntry | null, 
/**
 * When a trigger starts the next run.
 */
next_run_at: Timestamp | null, };

/**
 * A sync job.
 */
export type SyncJobId = string;

/**
 * A run of a sync job.
 */
export type SyncJobRunId = string;

/**
 * A job with all that its page shows but its runs.
 */
export type SyncJobView = { id: SyncJobId, label: string, integration: SyncIntegration | null, 
/**
 * The document, as JSON.
 */
text: string, 
/**
 * The version of the document, for a change of it.
 */
version: Timestamp, runtime: number, 
/**
 * `null`: the nodes can't run, see `problem`.
 */
graph: SyncGraph | null, problem: DefinitionProblem | null, args: Array<SyncArg>, 
/**
 * Whether a node uses the run's account.
 */
needs_account: boolean, 
/**
 * Whether records go to the run's webhook or datastore.
 */
needs_target: boolean, 
/**
 * Whether a node writes a file.
 */
writes_files: boolean, mutex_key: string | null, state_key: string | null, triggers: Array<SyncTrigger>, };

/**
 * Where a run is now.
 */
export type SyncLive = { 
/**
 * The request that was worked on last, by its place in the graph.
 */
node: number | null, 
/**
 * Requests that wait.
 */
waiting: number, };

/**
 * Lines of a run's log, newest first.
 */
export type SyncLog = { lines: Array<SyncLogLine>, 
/**
 * For the lines before; `null`: there are none.
 */
next: number | null, };

export type SyncLogLine = { seq: number, at: Timestamp, 
/**
 * `debug`, `info`, `warn` or `error`.
 */
level: string, node: string | null, message: string, };

export type SyncNode = { name: string, 
/**
 * Its `type`.
 */
kind: string, 
/**
 * What it does: `crm/contacts list`, `contacts.sqlite`.
 */
detail: string, 
/**
 * Whether it happens when everything else is done: an event of the end.
 */
is_at_end: boolean, 
/**
 * Its condition, if it has one.
 */
run_if: string | null, 
/**
 * Where it is in the text, from 1.
 */
line: number | null, };

/**
 * A run in a list.
 */
export type SyncRunEntry = { id: SyncJobRunId, status: RunStatus, account: SyncAccount | null, 
/**
 * Whether a trigger made it.
 */
is_triggered: boolean, created_at: Timestamp, started_at: Timestamp | null, finished_at: Timestamp | null, 
/**
 * Until when it waits, because a provider or a destination asked for it, or the computer is offline.
 */
waits_until: Timestamp | null, 
/**
 * The account that must be reauthorized for it to go on.
 */
waits_for: SyncAccount | null, fetched: number, persisted: number, };

/**
 * A run with all that its page shows but its log.
 */
export type SyncRunView = { run: SyncRunEntry, job: SyncJobId, 
/**
 * `null`: the job was deleted.
 */
job_label: string | null, 
/**
 * `null`: the nodes can't be read.
 */
graph: SyncGraph | null, 
/**
 * Of each node of the graph.
 */
counts: Array<SyncCounts>, live: SyncLive | null, 
/**
 * Why it failed, as the log says.
 */
reason: SyncLogLine | null, destinations: Array<SyncDestination>, 
/**
 * The webhook that gets its events, and the records of a flat job.
 */
webhook: SyncWebhook | null, 
/**
 * The datastore that gets the records of a flat job.
 */
datastore: SyncDatastore | null, 
/**
 * As JSON; empty: there are none.
 */
args: string, on_needs_reauth: OnNeedsReauth, error_handling: ErrorHandling, 
/**
 * Whether it waits for another run with the same `mutex_key` or trigger.
 */
waits_for_run: boolean, 
/**
 * Whether it was stopped, and can go on where it was.
 */
can_resume: boolean, };

/**
 * What starts runs by the clock.
 */
export type SyncTrigger = { id: SyncJobCronTriggerId, cron_expression: string, 
/**
 * When it fires, in words. Empty: the expression can't be read.
 */
words: string, 
/**
 * When it fires next; `null`: it isn't scheduled.
 */
next_run_at: Timestamp | null, 
/**
 * The next times, if it is scheduled.
 */
upcoming: Array<Timestamp>, account: SyncAccount | null, webhook: SyncWebhook | null, datastore: SyncDatastore | null, 
/**
 * As JSON; empty: there are none.
 */
args: string, on_needs_reauth: OnNeedsReauth, 
/**
 * Why it couldn't make its last run.
 */
last_error: SyncTriggerError | null, };

export type SyncTriggerError = { 
/**
 * What happened and what to do.
 */
message: string, at: Timestamp, };

export type SyncWebhook = { id: WebhookId, target_url: string, };

export type TimelineEntry = { 
/**
 * Its position in the timeline.
 */
seq: number, account_id: AccountId | null, 
/**
 * The account's name; if it was deleted, its last name.
 */
account_name: string | null, 
/**
 * Whether the account was deleted and can't be opened.
 */
account_gone: boolean, at: Timestamp, 
/**
 * The stored name of the kind of event.
 */
kind: string, tone: Tone, 
/**
 * What happened, in one line.
 */
title: string, detail: string | null, 
/**
 * Who did it, such as "by API token my-agent"; null if Relink acted automatically, or if the caller is unknown.
 */
by: string | null, 
/**
 * Shown under "Details": codes and the provider's message.
 */
facts: Array<Fact>, };

/**
 * A page of a timeline, newest first.
 */
export type TimelinePage = { 
/**
 * With `problems_only`, a page may be empty although more pages follow.
 */
entries: Array<TimelineEntry>, 
/**
 * The position before which the next page begins; `null` on the last page.
 */
next: number | null, };

/**
 * A point in time, in milliseconds. On the wire it is RFC 3339 with milliseconds and `Z`.
 */
export type Timestamp = string;

/**
 * How much an API token may do (`permission`).
 */
export type TokenLevel = "program" | "full";

/**
 * The limits of an API token. Each one that is set narrows what the token may do.
 */
export type TokenLimits = { 
/**
 * Only these accounts; null: all.
 */
accounts: Array<AccountId> | null, 
/**
 * Only accounts of the integrations with these names; null: of all.
 */
integrations: Array<string> | null, 
/**
 * Only requests that read: GET, HEAD and OPTIONS, and the methods `get` and `list` of a resource at `/proxy`.
 */
read_only: boolean, };

/**
 * How an entry is marked. Never by color alone: each tone has a shape and words of its own.
 */
export type Tone = "good" | "warning" | "bad";

/**
 * The provider's response to it, without the account's secrets.
 */
export type TriedCall = { status: number, 
/**
 * What the status means, in English; empty if nothing is known of it.
 */
reason: string, 
/**
 * Until the response's headers were there, in milliseconds.
 */
headers_ms: number, 
/**
 * Until the response had ended, in milliseconds.
 */
total_ms: number, headers: Array<ResponseHeader>, 
/**
 * The body; `null` if it isn't text.
 */
body: string | null, 
/**
 * How many bytes of the body were read.
 */
bytes: number, 
/**
 * Whether there is more of the body than that.
 */
is_cut: boolean, };

/**
 * What became of a call with a mapping that isn't saved.
 */
export type TriedMapping = { 
/**
 * What goes to the provider, as JSON.
 */
request: string | null, 
/**
 * With an account: the input, with what the provider answered.
 */
sample: string | null, 
/**
 * The answer to the caller, as JSON. An error's too.
 */
output: string | null, problem: MappingProblem | null, 
/**
 * How records differ from the schema.
 */
faults: Array<RecordFault>, 
/**
 * The further calls for which the input has no answer.
 */
unanswered: Array<string>, };

/**
 * A call that the person tries with an account.
 */
export type TryCall = { method: string, 
/**
 * The path below the provider's base URL, encoded. It begins with a slash.
 */
path: string, 
/**
 * The query, encoded.
 */
query: string | null, body: string | null, content_type: string | null, };

/**
 * A unified model with its resources and mappings.
 */
export type UnifiedModel = { 
/**
 * Unique.
 */
name: string, label: string, category: string | null, description: string | null, built_in: boolean, 
/**
 * Only an installed one can be called.
 */
installed: boolean, resources: Array<UnifiedResource>, 
/**
 * The integrations that may be mapped: those of the catalog, and any that is mapped already.
 */
integrations: Array<MappableIntegration>, };

export type UnifiedResource = { name: string, description: string | null, 
/**
 * What can be done with it, at integrations that are mapped.
 */
methods: Array<string>, 
/**
 * Of its schema, each before those in it.
 */
fields: Array<SchemaField>, mappings: Array<MappedMethod>, };

/**
 * The calls on one day.
 */
export type UsageOfDay = { 
/**
 * Such as `2026-01-31`.
 */
date: string, calls: number, 
/**
 * Those with a status of 400 or more, or without a complete response.
 */
errors: number, 
/**
 * Half of the calls got their response within so many milliseconds; null without calls.
 */
p50_ms: number | null, 
/**
 * 95 % of the calls did.
 */
p95_ms: number | null, };

/**
 * The calls of one program.
 */
export type UsageOfProgram = { 
/**
 * Null for the person, and for others without an API token.
 */
api_token_id: ApiTokenId | null, 
/**
 * The token's name at its last call.
 */
name: string, calls: number, errors: number, last_at: Timestamp, };

/**
 * Who can end the trouble.
 */
export type Verdict = "needs_person" | "needs_client" | "retrying";

/**
 * A wait that a provider asked for.
 */
export type Waiting = { 
/**
 * The host of the provider's token endpoint.
 */
host: string, 
/**
 * When Relink tries again, at the earliest.
 */
until: Timestamp, };

export type Webhook = { id: WebhookId, 
/**
 * Where deliveries are sent.
 */
target_url: string, 
/**
 * False while it is paused or disabled.
 */
is_active: boolean, 
/**
 * The events that are delivered; `null`: all.
 */
event_types: Array<string> | null, 
/**
 * How `X-Truto-Signature` is encoded.
 */
signature_format: SignatureFormat, 
/**
 * Since when no delivery has succeeded; `null` while deliveries succeed.
 */
failing_since: Timestamp | null, 
/**
 * When Relink disabled it, because no delivery had succeeded for a day.
 */
disabled_at: Timestamp | null, 
/**
 * Who created it, if that was a program: "API token NAME".
 */
created_by: string | null, created_at: Timestamp, };

/**
 * A webhook.
 */
export type WebhookId = string;
