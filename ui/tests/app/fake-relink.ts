import type {
  Account,
  AccountUsage,
  ApiToken,
  Call,
  CallBodies,
  Delivery,
  Fact,
  TimelineEntry,
  TimelinePage,
  Health,
  Integration,
  IssuedLink,
  KnownCall,
  LinkSettingsState,
  McpServer,
  NoticeRecord,
  Overview,
  Preferences,
  SandboxSettings,
  SignInProgress,
  TriedCall,
  DeliveryAttempt,
  Webhook,
} from '../../host/types';
import type { Args, Command, Output } from '../../host/host';
import { errorView, ago, usageOf } from './fake-data';
import { DEFINITIONS } from './fake-definitions';
import { SYNC_JOBS } from './fake-sync';
import { UNIFIED_MODELS } from './fake-unified';

export { errorView, account, revoked, retrying, timelineEntry, usageOf, madeCall } from './fake-data';

/** A handler for every command of the window. */
export type Handlers = { [C in Command]: (args: Args<C>) => Output<C> | Promise<Output<C>> };

export interface Invocation {
  command: Command;
  args: unknown;
}

/** Handles the window’s commands from memory. Tests change its data or replace a handler. */
export class FakeRelink {
  invocations: Invocation[] = [];
  overview: Overview = {
    version: '0.1.0',
    base_url: 'http://127.0.0.1:7417',
    port_problem: null,
    keychain: { available: true, message: null },
    online: true,
    needs_attention: 0,
    accounts: 0,
    sandbox: false,
    notifications_trouble: null,
    tray: true,
    detects_unlock: true,
    data_folder: '/home/ada/.local/share/app.relink.desktop',
  };
  accounts: Account[] = [];
  entries: TimelineEntry[] = [];
  health: Health = {
    slots: Array.from({ length: 84 }, () => 'working' as const),
    sentence: 'Working for seven days',
  };
  usage: AccountUsage = usageOf(Array.from({ length: 14 }, () => 0));
  calls: Call[] = [];
  knownCalls: KnownCall[] = [];
  bodies: CallBodies = { until: null, calls: [] };
  tried: TriedCall = {
    status: 200,
    reason: 'OK',
    headers_ms: 92.4,
    total_ms: 101.3,
    headers: [{ name: 'content-type', value: 'application/json' }],
    body: '{"id":1,"login":"octo-acme"}',
    bytes: 28,
    is_cut: false,
  };
  integrations: Integration[] = [];
  webhooks: Webhook[] = [];
  deliveries: Delivery[] = [];
  attempts: DeliveryAttempt[] = [];
  mcpServers: McpServer[] = [];
  tokens: ApiToken[] = [];
  notices: NoticeRecord[] = [];
  preferences: Preferences = {
    appearance: 'system',
    notifications_paused: false,
    start_at_login: false,
    port: null,
  };
  redirectUris: string[] = [];
  links: IssuedLink[] = [];
  /** Whether the integrations of its accounts have forms. */
  hasForm = false;
  /** What was filled in for an account. */
  context: Fact[] = [];
  linkSettings: LinkSettingsState = {
    also_listen: false,
    frame_origins: [],
    public_address: null,
    also_listen_problem: null,
  };
  sandbox: SandboxSettings = { token_lifetime_secs: 3600, rotation: 'rotate', faults_left: 0 };
  signIn: SignInProgress | null = null;
  /** What Rust would have copied to the clipboard or opened. */
  copied: string[] = [];
  opened: string[] = [];

  handlers: Handlers = {
    initial_destination: () => null,
    overview: () => ({
      ...this.overview,
      accounts: this.accounts.length,
      needs_attention: this.accounts.filter(({ verdict }) => verdict !== null && verdict !== 'retrying')
        .length,
    }),
    accounts: () => this.accounts,
    account: ({ id }) => this.find(id),
    health: () => this.health,
    timeline: (pages) => this.page(pages),
    usage: () => this.usage,
    calls: () => this.calls,
    call_bodies: () => this.bodies,
    record_call_bodies: ({ on }) => (this.bodies = { until: on ? ago(-60) : null, calls: [] }),
    known_calls: () => this.knownCalls,
    try_call: () => this.tried,
    check: ({ id }) => ({ outcome: 'accepted', account: this.find(id) }),
    refresh: ({ id }) => this.find(id),
    run_steps: ({ id }) => this.find(id),
    rename: ({ id, name }) => {
      const renamed = { ...this.find(id), name };
      this.accounts = this.accounts.map((each) => (each.id === id ? renamed : each));
      return renamed;
    },
    delete_account: ({ id }) => {
      this.accounts = this.accounts.filter((each) => each.id !== id);
      return { id, revocation: 'revoked', message: null };
    },
    remind_later: () => null,
    page_ready: () => null,
    page_painted: () => null,
    begin_sign_in: () => {
      this.opened.push('sign-in page');
      this.signIn = { phase: 'at_provider' };
      return this.signIn;
    },
    sign_in: () => this.signIn,
    open_sign_in_page: () => {
      this.opened.push('sign-in page');
      return null;
    },
    cancel_sign_in: () => {
      this.signIn = null;
      return null;
    },
    has_form: () => this.hasForm,
    context: () => this.context,
    get_connection_link: () => ({
      id: 'link-1',
      shown: 'http://127.0.0.1:7417/connect-account?link_token=…',
      expires_at: ago(-7 * 24 * 60),
      is_public: this.linkSettings.public_address !== null,
    }),
    open_link: ({ id, target }) => {
      this.opened.push(`${id} in ${target}`);
      return null;
    },
    copy_link: ({ id }) => {
      this.copied.push(id);
      return null;
    },
    integrations: () => this.integrations,
    install: () => null,
    uninstall: () => null,
    set_client: () => null,
    ...DEFINITIONS,
    ...UNIFIED_MODELS,
    ...SYNC_JOBS,
    webhooks: () => this.webhooks,
    event_types: () => [
      {
        name: 'integrated_account:active',
        description: 'An account is ready. Also the last event of a reauthorization.',
      },
      {
        name: 'integrated_account:authentication_error',
        description:
          'An account needs to be reauthorized: a refresh was refused, or a call was answered with 401.',
      },
      { name: 'test', description: 'Somebody tests the webhook.' },
    ],
    add_webhook: ({ webhook }) => {
      const made: Webhook = {
        id: `webhook-${this.webhooks.length + 1}`,
        target_url: webhook.target_url,
        is_active: true,
        event_types: webhook.event_types,
        signature_format: webhook.signature_format,
        failing_since: null,
        disabled_at: null,
        created_by: null,
        created_at: ago(0),
      };
      this.webhooks = [...this.webhooks, made];
      this.copied.push('signing secret');
      return made;
    },
    remove_webhook: ({ id }) => {
      this.webhooks = this.webhooks.filter((each) => each.id !== id);
      return null;
    },
    test_webhook: () => null,
    set_webhook_active: ({ id, active }) =>
      this.changeWebhook(id, { is_active: active, failing_since: null, disabled_at: null }),
    set_signature_format: ({ id, format }) => this.changeWebhook(id, { signature_format: format }),
    replay_webhook: () => 1,
    replay_delivery: () => null,
    deliveries: () => this.deliveries,
    delivery: ({ delivery: id }) => {
      const delivery = this.deliveries.find((each) => each.id === id)!;
      return { delivery, event_id: 'event-1', request_body: '{"event":"test"}', attempts: this.attempts };
    },
    api_tokens: () => this.tokens,
    create_api_token: ({ name, level, limits, days }) => {
      const made: ApiToken = {
        id: `token-${this.tokens.length + 1}`,
        name,
        level,
        ...limits,
        created_at: ago(0),
        expires_at: days === null ? null : ago(-days * 24 * 60),
        last_used_at: null,
      };
      this.tokens = [...this.tokens, made];
      this.copied.push('API token');
      return made;
    },
    revoke_api_token: ({ id }) => {
      this.tokens = this.tokens.filter((each) => each.id !== id);
      return null;
    },
    mcp_servers: () => this.mcpServers,
    create_mcp_server: ({ server: { name, config, days } }) => {
      const made: McpServer = {
        id: `server-${this.mcpServers.length + 1}`,
        name,
        config,
        created_at: ago(0),
        expires_at: days === null ? null : ago(-days * 24 * 60),
      };
      this.mcpServers = [made, ...this.mcpServers];
      this.copied.push('MCP settings');
      return made;
    },
    delete_mcp_server: ({ server }) => {
      this.mcpServers = this.mcpServers.filter((each) => each.id !== server);
      return null;
    },
    agent_snippet: () =>
      JSON.stringify({ mcpServers: { relink: { command: '/usr/bin/relink', args: ['mcp'] } } }, null, 2),
    preferences: () => this.preferences,
    set_preferences: ({ preferences }) => (this.preferences = preferences),
    usable_links: () => this.links,
    revoke_link: ({ id }) => {
      this.links = this.links.filter((link) => link.id !== id);
      return null;
    },
    link_settings: () => this.linkSettings,
    set_link_settings: ({ settings }) => (this.linkSettings = { ...this.linkSettings, ...settings }),
    redirect_uris: () => this.redirectUris,
    set_redirect_uris: ({ uris }) => (this.redirectUris = uris),
    notices: () => this.notices,
    test_notification: () => null,
    test_sign_in_redirect: () => 'It works: your browser returned to Relink.',
    sandbox: () => this.sandbox,
    control_sandbox: () => this.sandbox,
    copy_text: ({ text }) => {
      this.copied.push(text);
      return null;
    },
    open_data_folder: () => null,
    open_documentation: () => null,
  };

  /** How many entries one page of problems looks through. Relink itself looks through 2,000. */
  searchDepth = 200;

  private page({ id, before, problems_only: problemsOnly }: Args<'timeline'>): TimelinePage {
    const older = this.entries.filter(
      (one) => (id === null || one.account_id === id) && (before === null || one.seq < before),
    );
    const looked = older.slice(0, problemsOnly ? this.searchDepth : 50);
    const entries = looked.filter(({ tone }) => !problemsOnly || tone !== 'good').slice(0, 50);
    const last = looked.at(-1);
    return { entries, next: last && older.length > looked.length ? last.seq : null };
  }

  private changeWebhook(id: string, change: Partial<Webhook>): Webhook {
    const changed = { ...this.webhooks.find((each) => each.id === id)!, ...change };
    this.webhooks = this.webhooks.map((each) => (each.id === id ? changed : each));
    return changed;
  }

  find(id: string): Account {
    const found = this.accounts.find((each) => each.id === id);
    if (!found) throw errorView('not_found', `There is no account ${id}`, 'It was deleted.');
    return found;
  }

  async invoke(name: string, args: unknown): Promise<unknown> {
    const command = name as Command;
    this.invocations.push({ command, args });
    const handler = this.handlers[command] as ((args: unknown) => unknown) | undefined;
    if (!handler) throw errorView('internal', 'Unknown command', name);
    return handler(args);
  }
}
