// Generated from src-tauri/contract/src/connect.rs and form.rs by `make types`: don't edit. A test proves that it is current.

/**
 * How the connection is authenticated, in Truto's words.
 */
export type AuthenticationMethod = "oauth2" | "api_key" | "oauth2_client_credentials";

/**
 * How the browser returns to Relink.
 */
export type RedirectKind = "deep_link" | "loopback";

/**
 * The nonce of a page's URL.
 */
export type Nonce = { nonce: string, };

/**
 * Stands for the link token in the requests of one page.
 */
export type PageToken = { page_token: string, };

/**
 * What a link token permits.
 */
export type Session = { purpose: LinkPurpose, tenant_id: string, requested_by: Requester, 
/**
 * The account that the link is for; null: a new one.
 */
account: SessionAccount | null, integrations: Array<SessionIntegration>, 
/**
 * The redirect types that the running Relink supports, best first.
 */
redirects: Array<RedirectKind>, expires_at: string, };

export type LinkPurpose = "connect" | "reauthorize" | "post_connect_form";

/**
 * Who asks for what a link is for.
 */
export type Requester = { 
/**
 * The name of the team that runs this Relink.
 */
team: string, 
/**
 * The name of the API token of the program that created the link; null if the person did.
 */
program: string | null, };

/**
 * An account, as its person recognizes it.
 */
export type SessionAccount = { id: string, name: string, 
/**
 * The signed-in user, if the integration provides it.
 */
identity: string | null, };

export type SessionIntegration = { name: string, label: string, category: string, 
/**
 * A data URL.
 */
logo: string | null, color: string | null, methods: Array<SessionMethod>, };

/**
 * An authentication method.
 */
export type SessionMethod = { format: AuthenticationMethod, 
/**
 * The host of the provider's sign-in page; set for OAuth.
 */
host: string | null, 
/**
 * The requested scopes.
 */
scopes: Array<SessionScope>, 
/**
 * The redirect types that the provider allows.
 */
redirects: Array<RedirectKind>, 
/**
 * The form's fields.
 */
fields: Array<FieldSpec>, 
/**
 * A page that explains where to find the credentials.
 */
documentation_link: string | null, 
/**
 * What the key must be allowed to do at the provider.
 */
permissions_text: string | null, 
/**
 * Whether the entered credentials are tested with the provider before they are saved.
 */
is_tried: boolean, 
/**
 * What must be set up before this method can be used; null if nothing.
 */
not_ready: string | null, };

export type SessionScope = { name: string, 
/**
 * What the scope permits.
 */
description: string | null, };

/**
 * A field of an integration's form.
 */
export type FieldSpec = { name: string, label: string, type: FieldType, required: boolean, default: string | null, placeholder: string | null, help_text: string | null, 
/**
 * A regular expression that the whole value must match.
 */
pattern: string | null, 
/**
 * The options of a `single_select`.
 */
options: Array<FieldOption>, };

export type FieldType = "text" | "password" | "single_select";

export type FieldOption = { label: string, value: string, };

/**
 * A request to begin a connect flow.
 */
export type NewFlow = { 
/**
 * The integration's name.
 */
integration: string, format: AuthenticationMethod, 
/**
 * The redirect type to use.
 */
redirect: RedirectKind | null, 
/**
 * The entered values, by field name.
 */
fields: Record<string, string> | null, 
/**
 * Whether the integration's `RapidForm` doesn't follow.
 */
skip_rapid_form: boolean, };

/**
 * A connect flow: one attempt to connect or reauthorize an account.
 */
export type Flow = { id: string, 
/**
 * Increases with every change.
 */
version: number, 
/**
 * The integration's name.
 */
integration: string, integration_label: string, format: AuthenticationMethod, phase: FlowPhase, 
/**
 * Whether a callback can only be claimed with the return key, which the page gets that the provider returned to.
 */
needs_return_key: boolean, 
/**
 * The URL to open in the browser, in the phase `waiting`.
 */
authorize_url: string | null, 
/**
 * The redirect type that is used.
 */
redirect: RedirectKind | null, 
/**
 * The OAuth redirect URI.
 */
redirect_uri: string | null, 
/**
 * The current step, in the phase `working`.
 */
step: FlowStep | null, question: IdentityQuestion | null, outcome: FlowOutcome | null, error: FlowError | null, };

/**
 * A new flow.
 */
export type CreatedFlow = { 
/**
 * Authorizes requests about the flow. It is returned only once.
 */
key: string, id: string, 
/**
 * Increases with every change.
 */
version: number, 
/**
 * The integration's name.
 */
integration: string, integration_label: string, format: AuthenticationMethod, phase: FlowPhase, 
/**
 * Whether a callback can only be claimed with the return key, which the page gets that the provider returned to.
 */
needs_return_key: boolean, 
/**
 * The URL to open in the browser, in the phase `waiting`.
 */
authorize_url: string | null, 
/**
 * The redirect type that is used.
 */
redirect: RedirectKind | null, 
/**
 * The OAuth redirect URI.
 */
redirect_uri: string | null, 
/**
 * The current step, in the phase `working`.
 */
step: FlowStep | null, question: IdentityQuestion | null, outcome: FlowOutcome | null, error: FlowError | null, };

export type FlowPhase = "waiting" | "returned" | "working" | "question" | "succeeded" | "failed";

export type FlowStep = "exchanging" | "checking" | "saving" | "onboarding";

/**
 * The user signed in with another identity than before.
 */
export type IdentityQuestion = { 
/**
 * The previous identity.
 */
expected: string, 
/**
 * The new identity.
 */
actual: string, };

/**
 * What to do after a sign-in with another identity.
 */
export type IdentityChoice = "keep" | "replace" | "add";

export type IdentityAnswer = { answer: IdentityChoice, };

/**
 * The URL that the user copied from the browser.
 */
export type PastedCallback = { url: string, };

/**
 * The result of a successful flow.
 */
export type FlowOutcome = { account: SessionAccount, 
/**
 * Whether an existing account was reauthorized.
 */
reauthorized: boolean, 
/**
 * Whether the user chose to keep the old credentials.
 */
kept_old: boolean, 
/**
 * Whether the credentials were tested with the provider.
 */
is_checked: boolean, 
/**
 * The URL that the browser goes to next.
 */
redirect_uri: string | null, 
/**
 * Authorizes requests about the `RapidForm` that the person fills in next; null: none, or it was submitted.
 */
form_token: string | null, };

/**
 * Why a flow failed.
 */
export type FlowError = { 
/**
 * A stable code, for programs.
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
 * A text to copy for that, such as the redirect URI to register at the provider.
 */
copy: string | null, 
/**
 * The provider's error code, in its own words.
 */
provider_code: string | null, 
/**
 * The provider's error message, in its own words.
 */
provider_message: string | null, error_type: FlowErrorType, 
/**
 * The form field with the error.
 */
field: string | null, 
/**
 * The account whose steps failed. It exists: the sign-in was saved.
 */
integrated_account_id: string | null, };

/**
 * Truto's kinds of connection errors.
 */
export type FlowErrorType = "connection_error" | "validation_error" | "post_install_error";

/**
 * What a person confirms whose browser didn't begin the flow that the provider returned to.
 */
export type ReturnedSignIn = { purpose: LinkPurpose, tenant_id: string, 
/**
 * The account to reauthorize.
 */
account: SessionAccount | null, integration_label: string, 
/**
 * A data URL.
 */
logo: string | null, color: string | null, };

/**
 * A form to fill in.
 */
export type FormSession = { 
/**
 * The integration's name.
 */
integration: string, integration_label: string, 
/**
 * A data URL.
 */
logo: string | null, color: string | null, account: SessionAccount, tenant_id: string, 
/**
 * Who asks, if it was opened with a link.
 */
requested_by: Requester | null, fields: Array<FormField>, 
/**
 * The values that the account has, by the fields' names.
 */
values: Record<string, unknown>, 
/**
 * The password fields that have a value, which isn't shown.
 */
kept: Array<string>, };

/**
 * A field of a form.
 */
export type FormField = { name: string, label: string, type: FormFieldType, required: boolean, help_text: string | null, placeholder: string | null, 
/**
 * The fields without whose values this one is disabled.
 */
depends_on: Array<string>, 
/**
 * What is shown while it is disabled.
 */
disabled_text: string | null, 
/**
 * The options that the form itself lists; null: they are requested.
 */
options: Array<FormOption> | null, };

export type FormFieldType = "single_select" | "multi_select" | "text" | "password" | "checkbox" | "hidden";

/**
 * Something to choose.
 */
export type FormOption = { 
/**
 * A text, a number or a flag.
 */
value: string | number | boolean, label: string, sub_text: string | null, };

/**
 * Which field's options are requested.
 */
export type OptionsRequest = { field: string, 
/**
 * The values of the fields that it depends on.
 */
values: Record<string, unknown>, additional_context: Record<string, unknown>, };

/**
 * A field's options.
 */
export type FormOptions = { options: Array<FormOption>, };

/**
 * What a person has filled in so far.
 */
export type FilledForm = { 
/**
 * By the fields' names.
 */
values: Record<string, unknown>, 
/**
 * Of password fields.
 */
secrets: Record<string, string>, 
/**
 * Merged into the context beside them (`truto_additional_context`).
 */
additional_context: Record<string, unknown>, };

/**
 * What became of a form that was sent.
 */
export type SubmittedForm = { "result": "submitted", 
/**
 * The URL that the browser goes to next.
 */
redirect_uri: string | null, } | { "result": "invalid", problems: Array<FormProblem>, };

/**
 * A mistake in a form.
 */
export type FormProblem = { 
/**
 * The field's name; null: it is about the whole form.
 */
field: string | null, message: string, };
