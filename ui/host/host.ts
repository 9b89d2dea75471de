import type {
  Account,
  Added,
  ApiToken,
  Changed,
  Checked,
  Delivery,
  EntryPage,
  Health,
  Integration,
  LinkFor,
  MagicLink,
  NewIntegration,
  NewWebhook,
  NoticeRecord,
  OpenIn,
  Overview,
  Preferences,
  Rehearse,
  SandboxSettings,
  Show,
  ErrorView,
  Webhook,
} from './types';

/**
 * What the window may ask of Relink: one command each, and nothing else. What carries a secret (a magic link, an API token,
 * a signing secret) never comes here: Rust puts it into the clipboard or opens it.
 */
export interface Commands {
  /** Where this window, that was just opened, should go. Asked once. */
  arrival: [args: void, answer: Show | null];
  overview: [args: void, answer: Overview];

  accounts: [args: void, answer: Account[]];
  account: [args: { id: string }, answer: Account];
  health: [args: { id: string }, answer: Health];
  /** Up to 50 entries before a place: an account's, or everybody's; of what went wrong alone, if `wrong` says so. */
  timeline: [args: { id: string | null; before: number | null; wrong: boolean }, answer: EntryPage];
  check: [args: { id: string }, answer: Checked];
  refresh: [args: { id: string }, answer: Account];
  rename: [args: { id: string; name: string }, answer: Account];
  delete_account: [args: { id: string }, answer: null];
  /** Until tomorrow, or, where that is heard, until the machine is next unlocked. */
  remind_later: [args: { id: string }, answer: null];

  get_connection_link: [args: { purpose: LinkFor }, answer: MagicLink];
  /** Opens a link's page, for this integration if one is named. */
  open_link: [args: { id: string; where: OpenIn; integration: string | null }, answer: null];
  copy_link: [args: { id: string }, answer: null];

  integrations: [args: void, answer: Integration[]];
  install: [args: { name: string }, answer: null];
  uninstall: [args: { name: string }, answer: null];
  set_client: [args: { name: string; id: string; secret: string | null }, answer: null];
  add_integration: [args: { text: string }, answer: Added];
  make_integration: [args: { integration: NewIntegration }, answer: Added];

  webhooks: [args: void, answer: Webhook[]];
  event_types: [args: void, answer: string[]];
  /** Its signing secret is in the clipboard afterwards, this once. */
  add_webhook: [args: { webhook: NewWebhook }, answer: Webhook];
  remove_webhook: [args: { id: string }, answer: null];
  test_webhook: [args: { id: string }, answer: null];
  replay_webhook: [args: { id: string }, answer: number];
  deliveries: [args: { id: string }, answer: Delivery[]];

  api_tokens: [args: void, answer: ApiToken[]];
  /** The token is in the clipboard afterwards, this once. */
  create_api_token: [args: { name: string; days: number | null }, answer: ApiToken];
  revoke_api_token: [args: { id: string }, answer: null];

  preferences: [args: void, answer: Preferences];
  set_preferences: [args: { preferences: Preferences }, answer: Preferences];
  redirect_uris: [args: void, answer: string[]];
  set_redirect_uris: [args: { uris: string[] }, answer: string[]];
  notices: [args: void, answer: NoticeRecord[]];
  /** Shows a notification, to see whether this desktop does. */
  test_notification: [args: void, answer: null];
  /** Walks the Sandbox's redirect back to the app, to see whether this system does; says how it went. */
  test_sign_in_return: [args: void, answer: string];

  sandbox: [args: void, answer: SandboxSettings];
  rehearse: [args: { rehearse: Rehearse }, answer: SandboxSettings];

  copy_text: [args: { text: string }, answer: null];
  open_data_folder: [args: void, answer: null];
  open_documentation: [args: { integration: string }, answer: null];
}

export type Command = keyof Commands;
export type Args<C extends Command> = Commands[C][0];
export type Answer<C extends Command> = Commands[C][1];

export interface Host {
  ask<C extends Command>(command: C, ...args: Args<C> extends void ? [] : [Args<C>]): Promise<Answer<C>>;
  /** Calls back whenever something has changed; ends with the function it gives. */
  onChanged(listener: (changed: Changed) => void): () => void;
  /** Calls back when the window is sent somewhere: by a notification, the tray, a second start. */
  onShow(listener: (show: Show) => void): () => void;
}

/** Why Relink could not do something. Every rejection of `ask` is one. */
export class HostError extends Error implements ErrorView {
  readonly code: string;
  readonly title: string;
  readonly hint: string | null;
  readonly field: string | null;

  constructor(error: ErrorView) {
    super(error.message);
    this.name = 'HostError';
    this.code = error.code;
    this.title = error.title;
    this.hint = error.hint;
    this.field = error.field;
  }
}

/** Whatever was thrown, as an error that can be shown. */
export function errorViewOf(thrown: unknown): ErrorView {
  if (thrown instanceof HostError) {
    const { code, title, message, hint, field } = thrown;
    return { code, title, message, hint, field };
  }
  return {
    code: 'internal',
    title: 'Something went wrong',
    message: 'The window ran into an unexpected error. Nothing was lost.',
    hint: 'Try again. If it keeps happening, please report it.',
    field: null,
  };
}
