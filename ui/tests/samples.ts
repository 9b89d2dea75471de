import type { Flow, Integration, ReturnedSignIn, Session } from '../connect/api';

/** Sample responses of the connect UI’s API. */

export const github: Integration = {
  name: 'github',
  label: 'GitHub',
  category: 'Ticketing',
  logo: null,
  color: '#24292f',
  methods: [
    {
      format: 'oauth2',
      host: 'github.com',
      fields: [],
      documentation_link: null,
      scopes: [
        { name: 'repo', description: 'Read and write repositories' },
        { name: 'read:org', description: 'Read organization membership' },
      ],
      redirects: ['deep_link', 'loopback'],
      not_ready: null,
    },
  ],
};

export const hubspot: Integration = {
  name: 'hubspot',
  label: 'HubSpot',
  category: 'CRM',
  logo: null,
  color: '#c8501e',
  methods: [
    {
      format: 'api_key',
      documentation_link: 'https://developers.hubspot.com/docs/private-apps',
      permissions_text: 'The key needs the scope crm.objects.contacts.read.',
      is_tried: true,
      not_ready: null,
      fields: [
        {
          name: 'region',
          label: 'Region',
          type: 'single_select',
          required: true,
          default: null,
          placeholder: null,
          help_text: null,
          pattern: null,
          options: [
            { label: 'Europe', value: 'eu1' },
            { label: 'North America', value: 'na1' },
          ],
        },
        {
          name: 'portal',
          label: 'Portal ID',
          type: 'text',
          required: false,
          default: null,
          placeholder: '12345678',
          help_text: 'The number in the URL when you are signed in.',
          pattern: '[0-9]+',
          options: [],
        },
        {
          name: 'api_key',
          label: 'Private app token',
          type: 'password',
          required: true,
          default: null,
          placeholder: 'pat-…',
          help_text: 'Create one under Settings, Integrations, Private apps.',
          pattern: 'pat-.+',
          options: [],
        },
      ],
    },
  ],
};

/** Two methods, one of which isn't ready. */
export const salesforce: Integration = {
  ...github,
  name: 'salesforce',
  label: 'Salesforce',
  category: 'CRM',
  color: '#2b66c4',
  methods: [
    {
      format: 'oauth2',
      host: 'login.salesforce.com',
      fields: [],
      documentation_link: null,
      scopes: [],
      redirects: ['loopback'],
      not_ready:
        'Salesforce needs OAuth setup. Register an app on Salesforce and enter its client ID under Integrations.',
    },
    {
      ...(hubspot.methods[0] as object),
      format: 'oauth2_client_credentials',
    } as Integration['methods'][number],
  ],
};

export const reauthorizeSession: Session = {
  purpose: 'reauthorize',
  tenant_id: 'acme-1',
  requested_by: { team: 'Acme', program: null },
  account: { id: '0193', name: 'Acme engineering', identity: 'octo-acme' },
  integrations: [github],
  redirects: ['deep_link', 'loopback'],
  expires_at: '2026-12-01T00:00:00Z',
};

export const connectSession: Session = {
  ...reauthorizeSession,
  purpose: 'connect',
  account: null,
  integrations: [github, hubspot, salesforce],
};

export const returnedSignIn: ReturnedSignIn = {
  purpose: 'reauthorize',
  tenant_id: 'acme-1',
  account: { id: '0193', name: 'Acme engineering', identity: 'octo-acme' },
  integration_label: 'GitHub',
  logo: null,
  color: '#24292f',
};

export const waitingFlow: Omit<Flow, 'id'> = {
  version: 1,
  integration: 'github',
  format: 'oauth2',
  integration_label: 'GitHub',
  phase: 'waiting',
  needs_return_key: false,
  authorize_url: 'https://github.com/login/oauth/authorize?state=abc',
  redirect: 'deep_link',
  redirect_uri: 'app.relink.desktop:/oauth/callback/github',
  step: null,
  question: null,
  outcome: null,
  error: null,
};

export const succeeded: Partial<Flow> = {
  phase: 'succeeded',
  outcome: {
    account: { id: '0193', name: 'Acme engineering', identity: 'octo-acme' },
    reauthorized: true,
    kept_old: false,
    is_checked: true,
    redirect_uri: null,
    form_token: null,
  },
};

export const question: Partial<Flow> = {
  phase: 'question',
  question: { expected: 'octo-acme', actual: 'someone-else' },
};

export const denied: Partial<Flow> = {
  phase: 'failed',
  error: {
    code: 'access_denied',
    title: 'You didn’t allow access',
    message: 'GitHub reports that access was denied. Nothing was changed.',
    hint: 'Try again and choose Authorize.',
    copy: null,
    provider_code: 'access_denied',
    provider_message: null,
    error_type: 'connection_error',
    field: null,
    integrated_account_id: null,
  },
};

/** The sign-in is saved; a step that follows it failed. */
export const stepFailed: Partial<Flow> = {
  phase: 'failed',
  error: {
    code: 'post_install_error',
    title: 'A setup step for GitHub failed',
    message:
      'The sign-in was saved, but a step that the integration runs after it failed. GitHub answered 500: The index is being rebuilt.',
    hint: 'Look at what the step says. When that is solved, run the steps again.',
    copy: null,
    provider_code: null,
    provider_message: null,
    error_type: 'post_install_error',
    field: null,
    integrated_account_id: '0193',
  },
};

/** The provider’s words, and what to do about them. */
export const mismatch: Partial<Flow> = {
  phase: 'failed',
  error: {
    code: 'redirect_uri_mismatch',
    title: 'GitHub rejected the sign-in',
    message: 'Nothing was changed.',
    hint: 'Register exactly this redirect URI at GitHub, then start over.',
    copy: 'app.relink.desktop:/oauth/callback/github',
    provider_code: 'redirect_uri_mismatch',
    provider_message: 'The redirect_uri is not associated with this application.',
    error_type: 'connection_error',
    field: null,
    integrated_account_id: null,
  },
};
