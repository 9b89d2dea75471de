import type { Integration } from '../../host/types';
import { account, FakeRelink, retrying, revoked } from './fake-relink';

/** Fake Relinks with the data that most tests start from. */

export const at = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();

export function relinkWithAccounts(): FakeRelink {
  const relink = new FakeRelink();
  relink.accounts = [
    account('1', { name: 'ada@example.com' }),
    revoked('2'),
    retrying('3'),
    account('4', { name: 'Acme HQ', integration_label: 'Slack', color: '#5b3fae', refreshed_at: at(120) }),
    account('5', {
      name: 'Product wiki',
      integration_label: 'Notion',
      color: '#2f2f2f',
      method: 'api_key',
      method_label: 'API key',
      refreshed_at: null,
      expires_at: null,
      expiry_is_assumed: false,
      next_action_at: null,
    }),
    account('6', { name: 'acme.atlassian.net', integration_label: 'Atlassian', color: '#2563eb' }),
  ];
  relink.entries = [
    {
      seq: 3,
      account_id: '2',
      account_name: 'Acme engineering',
      account_gone: false,
      at: at(12),
      kind: 'refresh_failed',
      tone: 'bad',
      title: 'Refresh refused',
      detail: 'GitHub: the grant is no longer valid',
      by: null,
      facts: [{ name: 'Code', value: 'invalid_grant' }],
    },
    {
      seq: 2,
      account_id: '2',
      account_name: 'Acme engineering',
      account_gone: false,
      at: at(4000),
      kind: 'deferred',
      tone: 'warning',
      title: 'Refresh deferred: offline',
      detail: null,
      by: null,
      facts: [],
    },
    {
      seq: 1,
      account_id: '2',
      account_name: 'Acme engineering',
      account_gone: false,
      at: at(8000),
      kind: 'connected',
      tone: 'good',
      title: 'Connected as octo-acme',
      detail: null,
      by: 'by a connection link',
      facts: [],
    },
  ];
  relink.health = {
    slots: [
      ...Array.from({ length: 6 }, () => 'no_data' as const),
      ...Array.from({ length: 40 }, () => 'working' as const),
      'retrying',
      'retrying',
      ...Array.from({ length: 34 }, () => 'working' as const),
      'not_working',
      'not_working',
    ],
    sentence:
      'Working for six days, retrying for four hours on Thursday, not working for the last 12 minutes',
  };
  return relink;
}

export function integration(name: string, change: Partial<Integration> = {}): Integration {
  return {
    name,
    label: name.charAt(0).toUpperCase() + name.slice(1),
    color: '#24292f',
    category: 'development',
    built_in: true,
    is_own_sandbox: false,
    installed: true,
    accounts: 0,
    methods: ['oauth2'],
    not_ready: null,
    hides_built_in: false,
    documented: true,
    wants_client: true,
    client_id: null,
    has_client_secret: false,
    redirect_uris: [
      { kind: 'deep_link', uri: `app.relink.desktop:/oauth/callback/${name}` },
      { kind: 'loopback', uri: `http://127.0.0.1:7417/oauth/callback/${name}` },
    ],
    ...change,
  };
}

export function relinkWithIntegrations(): FakeRelink {
  const relink = new FakeRelink();
  relink.accounts = [account('1')];
  relink.integrations = [
    integration('github', { label: 'GitHub', not_ready: 'Register an OAuth app first.' }),
    integration('notion', { methods: ['api_key'], wants_client: false, redirect_uris: [], color: '#2f2f2f' }),
    integration('sandbox', { is_own_sandbox: true, installed: false, wants_client: false, color: '#0f766e' }),
  ];
  return relink;
}
