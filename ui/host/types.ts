// Generated from src-tauri/contract/src/window by `make types`; don't edit. A test proves that it is current.

/** The window's commands: `name: [arguments, answer]`. */
export type Commands = {
  /** Where a window that was just opened should go. The answer is given once. */
  initial_destination: [arguments: void, answer: Destination | null];
  overview: [arguments: void, answer: Overview];
  accounts: [arguments: void, answer: Array<Account>];
  account: [arguments: { id: AccountId }, answer: Account];
  health: [arguments: { id: AccountId }, answer: Health];
  /** Up to 50 entries before a position, newest first: one account's, or everybody's; with `problems_only`, only
   * those that report a problem. */
  timeline: [arguments: { id: AccountId | null, before: number | null, problems_only: boolean }, answer: TimelinePage];
  /** Makes one call to the provider to see whether the account works. */
  check: [arguments: { id: AccountId }, answer: CheckResult];
  refresh: [arguments: { id: AccountId }, answer: Account];
  rename: [arguments: { id: AccountId, name: string }, answer: Account];
  delete_account: [arguments: { id: AccountId }, answer: null];
  /** Silences reminders about the account until tomorrow or, where Relink is notified of it, until the machine is
   * next unlocked. */
  remind_later: [arguments: { id: AccountId }, answer: null];
  get_connection_link: [arguments: { purpose: LinkPurpose }, answer: MagicLink];
  /** Opens a magic link's page, with this integration chosen if one is named. */
  open_link: [arguments: { id: string, target: OpenIn, integration: string | null }, answer: null];
  copy_link: [arguments: { id: string }, answer: null];
  /** The URIs that a link may send the browser to when its flow has ended. */
  redirect_uris: [arguments: void, answer: Array<string>];
  set_redirect_uris: [arguments: { uris: Array<string> }, answer: Array<string>];
  integrations: [arguments: void, answer: Array<Integration>];
  install: [arguments: { name: string }, answer: null];
  uninstall: [arguments: { name: string }, answer: null];
  set_client: [arguments: { name: string, id: string, secret: SecretInput | null }, answer: null];
  /** Adds an integration from the text of a definition file. */
  add_integration: [arguments: { text: string }, answer: AddedIntegration];
  /** Adds an integration from the form. */
  create_integration: [arguments: { integration: NewIntegration }, answer: AddedIntegration];
  /** Opens the provider's page that explains how to register an OAuth client. */
  open_documentation: [arguments: { integration: string }, answer: null];
  webhooks: [arguments: void, answer: Array<Webhook>];
  event_types: [arguments: void, answer: Array<string>];
  /** Copies the new webhook's signing secret to the clipboard; it can't be read again. */
  add_webhook: [arguments: { webhook: NewWebhook }, answer: Webhook];
  remove_webhook: [arguments: { id: WebhookId }, answer: null];
  test_webhook: [arguments: { id: WebhookId }, answer: null];
  /** Retries the failed deliveries; answers with their number. */
  replay_webhook: [arguments: { id: WebhookId }, answer: number];
  deliveries: [arguments: { id: WebhookId }, answer: Array<Delivery>];
  api_tokens: [arguments: void, answer: Array<ApiToken>];
  /** Copies the new token to the clipboard; it can't be read again. */
  create_api_token: [arguments: { name: string, days: number | null }, answer: ApiToken];
  revoke_api_token: [arguments: { id: ApiTokenId }, answer: null];
  preferences: [arguments: void, answer: Preferences];
  set_preferences: [arguments: { preferences: PreferenceUpdate }, answer: Preferences];
  notices: [arguments: void, answer: Array<NoticeRecord>];
  /** Shows a notification, to see whether this desktop does. */
  test_notification: [arguments: void, answer: null];
  /** Sends the browser through a redirect back to Relink, to see whether deep links work here; answers with what
   * happened, in words. */
  test_sign_in_return: [arguments: void, answer: string];
  sandbox: [arguments: void, answer: SandboxSettings];
  control_sandbox: [arguments: { action: SandboxAction }, answer: SandboxSettings];
  copy_text: [arguments: { text: string }, answer: null];
  open_data_folder: [arguments: void, answer: null];
};

/** The window's events: `name: payload`. */
export type Events = {
  changed: Change;
  show: Destination;
};

/**
 * An account, as the list and its page show it.
 */
export type Account = { id: AccountId, 
/**
 * The person's name for it.
 */
name: string, 
/**
 * Its integration's name, which is unique.
 */
integration: string, integration_label: string, 
/**
 * The integration's color, as CSS writes it.
 */
color: string | null, tenant_id: string, 
/**
 * The user that is signed in at the provider.
 */
identity: string | null, status: Status, method: AuthenticationMethod, 
/**
 * The authentication method in words.
 */
method_label: string, scopes: Array<string>, is_sandbox: boolean, 
/**
 * While something is wrong: what the account needs.
 */
verdict: Verdict | null, 
/**
 * While something is wrong: since when.
 */
trouble_since: Timestamp | null, 
/**
 * While something is wrong: what, in words.
 */
problem: Problem | null, 
/**
 * While something is wrong: when Relink tries again by itself.
 */
next_try: Timestamp | null, 
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
 * When Relink refreshes it next, by itself.
 */
next_action_at: Timestamp | null, 
/**
 * When a program last used it.
 */
last_used_at: Timestamp | null, created_at: Timestamp, };

/**
 * The new state of the accounts that changed.
 */
export type AccountChanges = { changed: Array<Account>, removed: Array<AccountId>, };

/**
 * An integrated account.
 */
export type AccountId = string;

export type AddedIntegration = { name: string, 
/**
 * What Relink doesn't know in the definition, or advises against.
 */
warnings: Array<string>, };

/**
 * An API token's record. The token itself is shown once, by the response that made it.
 */
export type ApiToken = { id: ApiTokenId, name: string, created_at: Timestamp, 
/**
 * Null: it doesn't expire.
 */
expires_at: Timestamp | null, 
/**
 * Null: it was never used.
 */
last_used_at: Timestamp | null, };

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
 * Something that the window shows is no longer current.
 */
export type Change = { "kind": "accounts", 
/**
 * `null`: too many to list; the window asks again.
 */
changes: AccountChanges | null, } | { "kind": "timeline" } | { "kind": "integrations" } | { "kind": "webhooks" } | { "kind": "api_tokens" } | { "kind": "overview" } | { "kind": "preferences" } | { "kind": "notices" };

/**
 * What the provider said to a check.
 */
export type CheckOutcome = "accepted" | "unauthorized" | "forbidden" | "inconclusive" | "no_probe";

export type CheckResult = { outcome: CheckOutcome, 
/**
 * The account after the check.
 */
account: Account, };

/**
 * How an account was, from the best to the worst. A slot shows the worst condition of its time.
 */
export type Condition = "no_data" | "working" | "retrying" | "not_working";

/**
 * One event's delivery to a webhook.
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
 * The delivery of an event to a webhook.
 */
export type DeliveryId = string;

export type DeliveryState = "pending" | "delivered" | "failed";

/**
 * Where the window should go.
 */
export type Destination = "accounts" | { "account": AccountId } | "settings";

/**
 * Why a command failed, in words that the window shows as they are.
 */
export type ErrorView = { 
/**
 * Stable, for programs and tests.
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
 * The input field that was refused.
 */
field: string | null, };

export type Fact = { name: string, value: string, };

/**
 * How an account did over the last days.
 */
export type Health = { 
/**
 * Two hours a slot, oldest first; the last one ends now.
 */
slots: Array<Condition>, 
/**
 * The same in a sentence.
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
 * As CSS writes it.
 */
color: string | null, category: string | null, 
/**
 * Whether it came with Relink.
 */
built_in: boolean, is_sandbox: boolean, installed: boolean, 
/**
 * How many accounts it has.
 */
accounts: number, methods: Array<AuthenticationMethod>, 
/**
 * What is missing before anybody can sign in, and what to do about it.
 */
not_ready: string | null, 
/**
 * Whether a built-in integration of the same name is hidden, because the person's keeps the name.
 */
hides_built_in: boolean, 
/**
 * Whether its provider has a page that explains how to register an OAuth client.
 */
documented: boolean, 
/**
 * Whether the person has to register an OAuth client for it.
 */
wants_client: boolean, 
/**
 * The OAuth client's id, where one is set.
 */
client_id: string | null, 
/**
 * The redirect URIs to register at the provider.
 */
redirect_uris: Array<RedirectUri>, };

export type KeychainState = { available: boolean, 
/**
 * Why it isn't available, in words.
 */
message: string | null, };

/**
 * What a new link is for.
 */
export type LinkPurpose = { "account": AccountId } | { "tenant": string };

/**
 * A magic link that Relink keeps for the window. The page opens or copies it by its id and never sees its token.
 */
export type MagicLink = { id: string, 
/**
 * The link with its token left out.
 */
shown: string, expires_at: Timestamp, };

/**
 * An integration as the form describes it.
 */
export type NewIntegration = { 
/**
 * Lower case letters, digits and hyphens.
 */
name: string, label: string, 
/**
 * Where its API is.
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

export type NewWebhook = { target_url: string, 
/**
 * The events to deliver; `null`: all.
 */
event_types: Array<string> | null, 
/**
 * Whether the person agreed to deliveries to a private address.
 */
allow_private: boolean, };

/**
 * A notification that was shown. Stored as it is here.
 */
export type NoticeRecord = { id: number, at: Timestamp, title: string, body: string, 
/**
 * The account that it opens, if it is about a single one.
 */
account_id: AccountId | null, 
/**
 * When it was taken down because it was no longer true.
 */
withdrawn_at: Timestamp | null, 
/**
 * Whether the desktop accepted it. It is listed in any case.
 */
delivered: boolean, };

/**
 * Where a link is opened.
 */
export type OpenIn = "window" | "browser";

/**
 * The state of Relink as a whole, for the window's frame and settings.
 */
export type Overview = { version: string, 
/**
 * Where the API listens.
 */
base_url: string, 
/**
 * Whether the preferred port was taken, so that the API listens on another one.
 */
wanted_port_taken: boolean, 
/**
 * The preferred port.
 */
wanted_port: number, keychain: KeychainState, 
/**
 * Whether the machine has a network.
 */
online: boolean, 
/**
 * How many accounts need their person.
 */
needs_you: number, 
/**
 * How many accounts there are.
 */
accounts: number, 
/**
 * Whether the Sandbox is installed.
 */
sandbox: boolean, 
/**
 * Why the latest notification could not be shown, in words; `null` if it was, or none was tried.
 */
notifications_trouble: string | null, 
/**
 * Whether the desktop shows Relink's tray icon.
 */
tray: boolean, 
/**
 * Whether Relink is notified when the machine is unlocked, which ends "Remind me later".
 */
hears_unlocking: boolean, 
/**
 * The path of the data folder.
 */
data_folder: string, };

/**
 * [`Preferences`] as the window sends them: the port is whatever number was typed.
 */
export type PreferenceUpdate = { appearance: Appearance, notifications_paused: boolean, start_at_login: boolean, port: number | null, };

/**
 * What the person has chosen in the settings. Stored as it is here.
 */
export type Preferences = { appearance: Appearance, notifications_paused: boolean, 
/**
 * Whether Relink starts, in the tray, when the person logs in to the machine.
 */
start_at_login: boolean, 
/**
 * The API's port from the next start on; `null`: 7417 or the next free one.
 */
port: number | null, };

/**
 * What is wrong with an account.
 */
export type Problem = { 
/**
 * Stable, for programs and tests.
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
 * The provider's own text.
 */
provider_message: string | null, occurred_at: Timestamp, };

/**
 * How the browser returns to Relink.
 */
export type RedirectKind = "deep_link" | "loopback";

/**
 * A redirect URI to register at a provider.
 */
export type RedirectUri = { kind: RedirectKind, uri: string, };

/**
 * Something to do to the Sandbox.
 */
export type SandboxAction = "expire" | "revoke" | { "fault": { kind: string, count: number, } } | "clear" | { "lifetime": { secs: number, } } | { "rotation": { kind: string, } };

/**
 * How the Sandbox behaves.
 */
export type SandboxSettings = { token_lifetime_secs: number, 
/**
 * `none`, `rotate`, `grace` or `strict`.
 */
rotation: string, 
/**
 * How many more responses will fail on purpose.
 */
faults_left: number, };

/**
 * A secret that the person types into the window. It has no `Serialize`, so it can't travel back.
 */
export type SecretInput = string;

/**
 * Truto's five statuses.
 */
export type Status = "active" | "connecting" | "post_install_error" | "validation_error" | "needs_reauth";

export type TimelineEntry = { 
/**
 * Its position in the timeline.
 */
seq: number, account_id: AccountId | null, 
/**
 * The account's name, or its last one if it was deleted.
 */
account_name: string | null, 
/**
 * Whether the account was deleted, so that there is nothing to open.
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
 * Who did it, such as "by API token my-agent"; null where Relink acted by itself.
 */
by: string | null, 
/**
 * Shown under "Details": codes and the provider's own text.
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
 * How an entry is marked. Never by color alone: each tone has a shape and words of its own.
 */
export type Tone = "good" | "warning" | "bad";

/**
 * Who can end the trouble.
 */
export type Verdict = "needs_person" | "needs_client" | "retrying";

export type Webhook = { id: WebhookId, 
/**
 * Where deliveries are sent.
 */
target_url: string, is_active: boolean, 
/**
 * The events that are delivered; `null`: all.
 */
event_types: Array<string> | null, 
/**
 * Since when no delivery has succeeded.
 */
failing_since: Timestamp | null, created_at: Timestamp, };

/**
 * A webhook.
 */
export type WebhookId = string;
