// Generated from src-tauri/contract/src/connect.rs by `make types`: don't edit. A test proves that it is current.

/**
 * How the connection is authenticated, in Truto's words.
 */
export type AuthenticationMethod = "oauth2" | "api_key" | "oauth2_client_credentials";

/**
 * How the browser returns to Relink.
 */
export type RedirectKind = "deep_link" | "loopback";

/**
 * What a link token lets the connect UI do.
 */
export type Session = { purpose: LinkPurpose, tenant_id: string, 
/**
 * The account to reauthorize.
 */
account: SessionAccount | null, integrations: Array<SessionIntegration>, 
/**
 * The kinds of redirect that the running Relink can take, best first.
 */
redirects: Array<RedirectKind>, expires_at: string, };

export type LinkPurpose = "connect" | "reauthorize";

/**
 * An account, as its person knows it.
 */
export type SessionAccount = { id: string, name: string, 
/**
 * Who is signed in, where the integration can tell.
 */
identity: string | null, };

export type SessionIntegration = { name: string, label: string, category: string, 
/**
 * A data URL or a web address.
 */
logo: string | null, color: string | null, methods: Array<SessionMethod>, };

/**
 * A way to sign in.
 */
export type SessionMethod = { format: AuthenticationMethod, 
/**
 * Where the person signs in; set for OAuth.
 */
host: string | null, 
/**
 * What is asked for.
 */
scopes: Array<SessionScope>, 
/**
 * The kinds of redirect that the provider allows.
 */
redirects: Array<RedirectKind>, 
/**
 * The form.
 */
fields: Array<FieldSpec>, 
/**
 * Where the person finds what to type.
 */
documentation_link: string | null, 
/**
 * Whether what is typed is tried with the provider before it is kept.
 */
is_tried: boolean, 
/**
 * What is missing before anybody can sign in this way, and what to do.
 */
not_ready: string | null, };

export type SessionScope = { name: string, 
/**
 * What it allows.
 */
description: string | null, };

/**
 * One input of a form that an integration asks for.
 */
export type FieldSpec = { name: string, label: string, type: FieldType, required: boolean, default: string | null, placeholder: string | null, help_text: string | null, 
/**
 * A regular expression that the whole value must match.
 */
pattern: string | null, 
/**
 * What to choose from, for `single_select`.
 */
options: Array<FieldOption>, };

export type FieldType = "text" | "password" | "single_select";

export type FieldOption = { label: string, value: string, };

/**
 * Begins a try at connecting an account.
 */
export type NewFlow = { 
/**
 * The integration's name.
 */
integration: string, format: AuthenticationMethod, 
/**
 * By which way the browser is to come back.
 */
redirect: RedirectKind | null, 
/**
 * What the person typed.
 */
fields: Record<string, string> | null, };

/**
 * One try at connecting an account.
 */
export type Flow = { id: string, 
/**
 * Grows with every change.
 */
version: number, 
/**
 * The integration's name.
 */
integration: string, integration_label: string, format: AuthenticationMethod, phase: FlowPhase, 
/**
 * Where the browser goes, while the provider is waited for.
 */
authorize_url: string | null, 
/**
 * By which way the browser comes back.
 */
redirect: RedirectKind | null, 
/**
 * The OAuth redirect URI.
 */
redirect_uri: string | null, 
/**
 * What goes on, while something does.
 */
step: FlowStep | null, question: IdentityQuestion | null, outcome: FlowOutcome | null, error: FlowError | null, };

/**
 * A flow that was just begun.
 */
export type CreatedFlow = { 
/**
 * Opens the flow; given to the page that began it, and never again.
 */
key: string, id: string, 
/**
 * Grows with every change.
 */
version: number, 
/**
 * The integration's name.
 */
integration: string, integration_label: string, format: AuthenticationMethod, phase: FlowPhase, 
/**
 * Where the browser goes, while the provider is waited for.
 */
authorize_url: string | null, 
/**
 * By which way the browser comes back.
 */
redirect: RedirectKind | null, 
/**
 * The OAuth redirect URI.
 */
redirect_uri: string | null, 
/**
 * What goes on, while something does.
 */
step: FlowStep | null, question: IdentityQuestion | null, outcome: FlowOutcome | null, error: FlowError | null, };

export type FlowPhase = "waiting" | "returned" | "working" | "question" | "succeeded" | "failed";

export type FlowStep = "exchanging" | "checking" | "saving";

/**
 * Somebody else signed in.
 */
export type IdentityQuestion = { 
/**
 * Who was signed in.
 */
expected: string, 
/**
 * Who is now.
 */
actual: string, };

/**
 * What to do when somebody else signed in.
 */
export type IdentityChoice = "keep" | "replace" | "add";

export type IdentityAnswer = { answer: IdentityChoice, };

/**
 * The address that the person copied from the browser.
 */
export type PastedCallback = { url: string, };

/**
 * What came of a flow.
 */
export type FlowOutcome = { account: SessionAccount, 
/**
 * Whether the account was there before.
 */
reauthorized: boolean, 
/**
 * Whether the person chose to keep the old credentials.
 */
kept_old: boolean, 
/**
 * Where the browser goes now.
 */
redirect_uri: string | null, };

/**
 * Why a flow failed.
 */
export type FlowError = { 
/**
 * Stable: what a program matches on.
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
hint: string, error_type: FlowErrorType, 
/**
 * The form field that the error is about.
 */
field: string | null, };

/**
 * Truto's kinds of a connection's error.
 */
export type FlowErrorType = "connection_error" | "validation_error";
