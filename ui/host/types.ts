// Generated from src-tauri/app/src/types.rs by `make types`: don't edit. A test proves that it is current.

/**
 * Why something could not be done.
 */
export type ErrorView = { 
/**
 * The stable code.
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
 * The field that it is about.
 */
field: string | null, };

/**
 * How Relink is.
 */
export type Overview = { 
/**
 * Its version.
 */
version: string, 
/**
 * Where its API listens.
 */
base_url: string, 
/**
 * Whether the port that was wanted was taken, so that another one serves.
 */
wanted_port_taken: boolean, 
/**
 * The port that was wanted.
 */
wanted_port: number, 
/**
 * The keychain.
 */
keychain: Keychain, 
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
 * Why no notification could be shown when that was last tried, in words: at the start, or with the latest one.
 */
notifications_trouble: string | null, 
/**
 * Whether there is a tray to stay in.
 */
tray: boolean, 
/**
 * Whether unlocking the machine is received, which ends "Remind me later".
 */
hears_unlocking: boolean, 
/**
 * Where Relink keeps its data.
 */
data_folder: string, };

/**
 * How the keychain is.
 */
export type Keychain = { 
/**
 * Whether it can be used.
 */
available: boolean, 
/**
 * Why not, in words.
 */
message: string | null, };

/**
 * An account, as the list and its page show it.
 */
export type Account = { 
/**
 * Its id.
 */
id: string, 
/**
 * What the person calls it.
 */
name: string, 
/**
 * Its integration's name.
 */
integration: string, 
/**
 * What a person calls the integration.
 */
integration_label: string, 
/**
 * The integration's colour, as CSS writes it.
 */
color: string | null, 
/**
 * The tenant.
 */
tenant_id: string, 
/**
 * Who is signed in.
 */
identity: string | null, 
/**
 * Truto's status.
 */
status: "connecting" | "active" | "needs_reauth" | "validation_error" | "post_install_error", 
/**
 * How it signs in.
 */
method: "oauth2" | "oauth2_client_credentials" | "api_key", 
/**
 * The same, in words.
 */
method_label: string, 
/**
 * What it may do.
 */
scopes: Array<string>, 
/**
 * Whether it is the Sandbox's.
 */
is_sandbox: boolean, 
/**
 * While something is wrong: what it asks for.
 */
verdict: "needs_person" | "needs_client" | "retrying" | null, 
/**
 * While something is wrong: since when.
 */
trouble_since: string | null, 
/**
 * While something is wrong: what, in words.
 */
problem: Problem | null, 
/**
 * When Relink tries again by itself.
 */
next_try: string | null, 
/**
 * Until when the person wants to be left alone about it.
 */
remind_at: string | null, 
/**
 * When the access token was got.
 */
refreshed_at: string | null, 
/**
 * When the access token ends.
 */
expires_at: string | null, 
/**
 * When Relink refreshes it next, by itself.
 */
next_action_at: string | null, 
/**
 * When a program last used it.
 */
last_used_at: string | null, 
/**
 * When it was made.
 */
created_at: string, };

/**
 * What is wrong with an account.
 */
export type Problem = { 
/**
 * The stable code.
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
 * The HTTP status that the provider answered with.
 */
http_status: number | null, 
/**
 * The provider's own code.
 */
provider_code: string | null, 
/**
 * The provider's own words.
 */
provider_message: string | null, 
/**
 * When it was seen.
 */
occurred_at: string, };

/**
 * An account's last days at a glance.
 */
export type Health = { 
/**
 * How it was, two hours a slot, oldest first; the last one ends now.
 */
slots: ("no_data" | "working" | "retrying" | "not_working")[], 
/**
 * The same in a sentence.
 */
sentence: string, };

/**
 * Something that happened.
 */
export type Entry = { 
/**
 * Its place in the timeline.
 */
seq: number, 
/**
 * To which account.
 */
account_id: string | null, 
/**
 * What the person calls that account, or called it while it was there.
 */
account_name: string | null, 
/**
 * Whether that account is gone: there is nothing to open.
 */
account_gone: boolean, 
/**
 * When.
 */
at: string, 
/**
 * What kind of moment it is.
 */
kind: string, 
/**
 * How it is marked.
 */
tone: "good" | "warning" | "bad", 
/**
 * In one line.
 */
title: string, 
/**
 * What there is to add.
 */
detail: string | null, 
/**
 * What stands behind "Details": codes, the provider's own words.
 */
facts: Array<Fact>, };

/**
 * A page of a timeline, newest first.
 */
export type EntryPage = { 
/**
 * What is on it. Of what went wrong alone it may be nothing, though there is more.
 */
entries: Array<Entry>, 
/**
 * Before which place the next page begins; `null` at the timeline's beginning.
 */
next: number | null, };

/**
 * A name and what stands behind it.
 */
export type Fact = { 
/**
 * The name.
 */
name: string, 
/**
 * What stands behind it.
 */
value: string, };

/**
 * What a check found.
 */
export type Checked = { 
/**
 * What the provider said.
 */
outcome: "accepted" | "unauthorized" | "forbidden" | "inconclusive" | "no_probe", 
/**
 * The account after it.
 */
account: Account, };

/**
 * A magic link that Relink holds for the window. The link itself stays outside the page: it is opened or copied by name.
 */
export type MagicLink = { 
/**
 * Its name.
 */
id: string, 
/**
 * How it begins; its token is left out.
 */
shown: string, 
/**
 * When it ends, unused.
 */
expires_at: string, };

/**
 * What a new link is for.
 */
export type LinkFor = { "account": string } | { "tenant": string };

/**
 * Where a link is opened.
 */
export type OpenIn = "window" | "browser";

/**
 * An integration of the catalogue.
 */
export type Integration = { 
/**
 * Its name.
 */
name: string, 
/**
 * What a person calls it.
 */
label: string, 
/**
 * Its colour, as CSS writes it.
 */
color: string | null, 
/**
 * What it is for.
 */
category: string | null, 
/**
 * Whether it came with Relink.
 */
built_in: boolean, 
/**
 * Whether it is the Sandbox.
 */
is_sandbox: boolean, 
/**
 * Whether it is installed.
 */
installed: boolean, 
/**
 * How many accounts it has.
 */
accounts: number, 
/**
 * The ways to sign in.
 */
methods: ("oauth2" | "oauth2_client_credentials" | "api_key")[], 
/**
 * What is lacking before anybody can sign in, and what to do.
 */
not_ready: string | null, 
/**
 * Whether its provider has a page that explains how to register a client.
 */
documented: boolean, 
/**
 * Whether it wants an OAuth client that the person registers.
 */
wants_client: boolean, 
/**
 * The id of the OAuth client, where one is set.
 */
client_id: string | null, 
/**
 * The addresses to register at the provider.
 */
redirect_uris: Array<RedirectUri>, };

/**
 * An address to register at a provider.
 */
export type RedirectUri = { 
/**
 * `deep_link` or `loopback`.
 */
kind: string, 
/**
 * The address.
 */
uri: string, };

/**
 * An integration made by form.
 */
export type NewIntegration = { 
/**
 * Its name: lower case, digits and hyphens.
 */
name: string, 
/**
 * What a person calls it.
 */
label: string, 
/**
 * Where its API is.
 */
base_url: string, 
/**
 * Where the person signs in.
 */
authorize_url: string, 
/**
 * Where codes and refresh tokens are exchanged.
 */
token_url: string, 
/**
 * What is asked for, separated by spaces.
 */
scopes: string, 
/**
 * The OAuth client's id.
 */
client_id: string, 
/**
 * Its secret, if it has one.
 */
client_secret: string | null, 
/**
 * The only way back that the provider takes: `deep_link` or `loopback`; `null`: both.
 */
redirect: string | null, };

/**
 * An integration that was added.
 */
export type Added = { 
/**
 * Its name.
 */
name: string, 
/**
 * What Relink doesn't know of it or advises against.
 */
warnings: Array<string>, };

/**
 * A webhook.
 */
export type Webhook = { 
/**
 * Its id.
 */
id: string, 
/**
 * Where deliveries go.
 */
target_url: string, 
/**
 * Whether it is told anything.
 */
is_active: boolean, 
/**
 * The events it wants; `null`: all.
 */
event_types: Array<string> | null, 
/**
 * Since when no delivery has succeeded.
 */
failing_since: string | null, 
/**
 * When it was made.
 */
created_at: string, };

/**
 * What a webhook is made of.
 */
export type NewWebhook = { 
/**
 * Where deliveries go.
 */
target_url: string, 
/**
 * The events it wants; `null`: all.
 */
event_types: Array<string> | null, 
/**
 * The person's consent to a private address.
 */
allow_private: boolean, };

/**
 * A delivery to a webhook.
 */
export type Delivery = { 
/**
 * Its id.
 */
id: string, 
/**
 * The event.
 */
event: string, 
/**
 * `pending`, `delivered` or `failed`.
 */
state: "pending" | "delivered" | "failed", 
/**
 * Tries so far.
 */
tries: number, 
/**
 * When it is tried again.
 */
next_try: string | null, 
/**
 * The HTTP status of the last try.
 */
last_status: number | null, 
/**
 * What went wrong at the last try.
 */
last_error: string | null, 
/**
 * When it was last tried.
 */
updated_at: string, };

/**
 * An API token, without itself.
 */
export type ApiToken = { 
/**
 * Its id.
 */
id: string, 
/**
 * What the person calls it.
 */
name: string, 
/**
 * When it was made.
 */
created_at: string, 
/**
 * When it ends.
 */
expires_at: string | null, 
/**
 * When it was last used.
 */
last_used_at: string | null, };

/**
 * Light, dark, or as the system.
 */
export type Appearance = "system" | "light" | "dark";

/**
 * What the person has chosen.
 */
export type Preferences = { 
/**
 * Light, dark, or as the system.
 */
appearance: Appearance, 
/**
 * Whether notifications are paused.
 */
notifications_paused: boolean, 
/**
 * Whether Relink starts, in the tray, when the person signs in to the machine.
 */
start_at_login: boolean, 
/**
 * The API's port from the next start on; `null`: 7417 or the next free one.
 */
port: number | null, };

/**
 * A notification that was shown.
 */
export type NoticeRecord = { 
/**
 * Its number.
 */
id: number, 
/**
 * When it was shown.
 */
at: string, 
/**
 * Its first line.
 */
title: string, 
/**
 * What followed.
 */
body: string, 
/**
 * The account that it opens, if it is about one.
 */
account_id: string | null, 
/**
 * When it was taken back, because what it said was over.
 */
withdrawn_at: string | null, 
/**
 * Whether the desktop took it. It is kept here in any case.
 */
delivered: boolean, };

/**
 * What the Sandbox does now.
 */
export type SandboxSettings = { 
/**
 * How long access tokens live.
 */
token_lifetime_secs: number, 
/**
 * `none`, `rotate`, `grace` or `strict`.
 */
rotation: string, 
/**
 * How many answers will still go wrong on purpose.
 */
faults_left: number, };

/**
 * Something to do to the Sandbox.
 */
export type Rehearse = "expire" | "revoke" | { "fault": { 
/**
 * How.
 */
kind: string, 
/**
 * How many.
 */
count: number, } } | "clear" | { "lifetime": { 
/**
 * In seconds.
 */
secs: number, } } | { "rotation": { 
/**
 * `none`, `rotate`, `grace` or `strict`.
 */
kind: string, } };

/**
 * What has changed, so that the window asks anew.
 */
export type Changed = "accounts" | "integrations" | "webhooks" | "api_tokens" | "overview" | "preferences" | "notices";

/**
 * Where the window should go.
 */
export type Show = "accounts" | { "account": string } | "settings";
