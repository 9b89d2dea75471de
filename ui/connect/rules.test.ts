import { describe, expect, it } from 'vitest';
import { connectSession, github, hubspot, reauthorizeSession, salesforce, succeeded } from '../tests/samples';
import { storage } from '../tests/fake-tab';
import type { FieldSpec, Integration, Method, Session } from './api';
import { fieldErrors, typedValues } from './fields';
import { FlowKeys, storageOf } from './flow-keys';
import { searchIntegrations } from './search';
import { OpenerReport, viewResult } from './opener';
import { addressWithoutSecrets, openable, requestFrom } from './urls';
import { firstView, integrationView, methodChoices, previous } from './views';
import { recipientText, storageText, outcomeText, refusalText, errorLine } from './texts';

it('a form says whether Relink tests the credentials first', () => {
  const [method] = hubspot.methods;
  if (method?.format !== 'api_key') throw new Error('a form');
  expect(storageText('HubSpot', method)).toMatch(/^Relink tests it with HubSpot first/);
  expect(storageText('HubSpot', { ...method, is_tried: false })).toMatch(
    /^Relink can’t test it with HubSpot/,
  );
});

describe('openable URLs', () => {
  it.each([
    'https://github.com/login',
    'http://127.0.0.1:7417/oauth',
    'http://[::1]:1/',
    'http://localhost:5173/',
  ])('%s', (address) => {
    expect(openable(address)).toBe(address);
  });

  it.each([
    null,
    '',
    '//github.com/login',
    'github.com',
    'http://github.com/',
    'http://127.0.0.1.example.com/',
    'http://localhost@example.com/',
    'https://user:word@example.com/',
    'https:\\\\example.com',
    'javascript:alert(1)',
    'data:text/html,x',
    'app.relink.desktop:/oauth/callback/github',
  ])('not %s', (address) => {
    expect(openable(address)).toBeNull();
  });
});

const location = (path: string) => new URL(path, 'http://127.0.0.1:7417');

describe('the page’s URL', () => {
  it('reads every parameter', () => {
    const query =
      '?link_token=t&integration=github&no_back=true&skip_rapid_form=true&integrations=github,%20hubspot,&auth_format=api_key';
    expect(requestFrom(location(`/connect-account${query}`))).toEqual({
      at: 'connect',
      linkToken: 't',
      nonce: null,
      integration: 'github',
      only: ['github', 'hubspot'],
      authFormat: 'api_key',
      noBack: true,
      skipForm: true,
    });
    expect(requestFrom(location('/connect-account/open/n-_1?integration=github'))).toMatchObject({
      linkToken: null,
      nonce: 'n-_1',
      integration: 'github',
    });
  });

  it.each([
    ['#return=r', 'r', null],
    ['#key=k', null, 'k'],
    ['', null, null],
  ])('recognizes the page that a provider returns to: %s', (hash, returnKey, flowKey) => {
    expect(requestFrom(location(`/connect-account/return?flow=f${hash}`))).toEqual({
      at: 'return',
      flowId: 'f',
      returnKey,
      flowKey,
    });
  });

  it.each([
    ['/connect-account?link_token=t', '/connect-account'],
    ['/connect-account/?no_back=true&link_token=t&link_token=u', '/connect-account/?no_back=true'],
    ['/connect-account/open/n?integration=a%26b', '/connect-account?integration=a%26b'],
    ['/connect-account/open/n/', '/connect-account'],
    ['/connect-account/return?flow=f#return=r', '/connect-account/return?flow=f'],
  ])('keeps no token: %s', (path, clean) => {
    expect(addressWithoutSecrets(location(path))).toBe(clean);
  });
});

/** A window that gets messages. */
function receiver(): { messages: unknown[]; window: Window } {
  const messages: unknown[] = [];
  const postMessage = (...message: unknown[]): void => void messages.push(message);
  return { messages, window: { postMessage } as unknown as Window };
}

describe('the message to the app around the page', () => {
  const first = { is_truto: true, result: 'success' } as const;
  const none = { opener: null, frame: null };

  it('is sent once, to the origin that opened the pop-up', () => {
    const { messages, window } = receiver();
    const report = new OpenerReport({ ...none, opener: window, referrer: 'http://127.0.0.1:5173/app?x=1' });
    report.send(first);
    report.send({ ...first, result: 'error' });
    expect(messages).toEqual([[first, 'http://127.0.0.1:5173']]);
  });

  it('is sent to whoever opened it if that app sends no referrer', () => {
    const { messages, window } = receiver();
    new OpenerReport({ ...none, opener: window, referrer: '' }).send(first);
    expect(messages).toEqual([[first, '*']]);
  });

  it('is sent to the page around a frame, which gets “closed” if the person gives up', () => {
    const [result, closed] = [receiver(), receiver()];
    const referrer = 'https://app.example.com/';
    const done = new OpenerReport({ ...none, frame: result.window, referrer });
    done.send(first);
    done.giveUp();
    expect(result.messages).toEqual([[first, 'https://app.example.com']]);
    const given = new OpenerReport({ ...none, frame: closed.window, referrer });
    expect(given.isFramed).toBe(true);
    given.giveUp();
    given.send(first);
    expect(closed.messages).toEqual([['closed', 'https://app.example.com']]);
  });

  it('of a pop-up never says that it was closed: the SDK sees that itself', () => {
    const { messages, window } = receiver();
    const report = new OpenerReport({ ...none, opener: window, referrer: '' });
    report.giveUp();
    expect([report.isFramed, messages]).toEqual([false, []]);
  });
});

describe('a browser that refuses its storage', () => {
  it('still runs a flow, whose key then is in memory alone', () => {
    const refusing = {
      get localStorage(): Storage {
        throw new DOMException('The operation is insecure.', 'SecurityError');
      },
    };
    const keys = new FlowKeys(storageOf(refusing));
    keys.save('f', { key: 'k', color: null, logo: null });
    keys.ended('f');
    keys.forget('f');
    expect(keys.find('f')).toBeNull();
  });
});

const choices = (integration: Integration, query: string) => {
  const request = requestFrom(location(`/connect-account/open/n?${query}`));
  return methodChoices(integration, request).map(({ format }) => format);
};

describe('the parameters of the URL', () => {
  const both: Integration = {
    ...salesforce,
    methods: [
      { ...salesforce.methods[0]!, not_ready: null },
      { ...salesforce.methods[1]!, not_ready: null },
    ],
  };
  const session: Session = { ...connectSession, integrations: [github, both] };
  const view = (query: string) => {
    const request = requestFrom(location(`/connect-account/open/n?${query}`));
    const first = firstView(session, request);
    const back = previous(first, session, request);
    return [first.at, 'method' in first ? first.method.format : null, back?.at ?? null];
  };

  it('select the authentication method, which then can’t be changed', () => {
    expect(view('integration=salesforce&auth_format=oauth2')).toEqual([
      'authorize',
      'oauth2',
      'integrations',
    ]);
    expect(view('integration=salesforce&auth_format=oauth2_client_credentials&no_back=true')).toEqual([
      'form',
      'oauth2_client_credentials',
      null,
    ]);
    expect(choices(both, 'auth_format=oauth2')).toEqual([]);
  });

  it('leave the choice of a method to the person if they name none that there is', () => {
    for (const query of ['integration=salesforce', 'integration=salesforce&auth_format=keka_oauth']) {
      expect(view(query)).toEqual(['authorize', 'oauth2', 'integrations']);
      expect(choices(both, query)).toEqual(['oauth2', 'oauth2_client_credentials']);
    }
    expect(choices(github, 'integration=github')).toEqual([]);
  });

  it('select a method that is ready, or else the first', () => {
    const request = requestFrom(location('/connect-account/open/n'));
    const format = (integration: Integration, chosen?: Method) => {
      const first = integrationView(integration, request, chosen);
      return 'method' in first ? first.method.format : null;
    };
    expect(format(salesforce)).toBe('oauth2_client_credentials');
    const [first, second] = salesforce.methods;
    expect(format(salesforce, first)).toBe('oauth2');
    expect(format({ ...both, methods: [first!, { ...second!, not_ready: 'Not yet.' }] })).toBe('oauth2');
  });

  it('leave an integration with one method as it is', () => {
    expect(view('integration=github&auth_format=api_key')).toEqual(['authorize', 'oauth2', 'integrations']);
  });

  it('name an integration that isn’t there', () => {
    const request = requestFrom(
      location('/connect-account/open/n?integrations=nosuch&skip_rapid_form=true&iframe=true'),
    );
    const missing = firstView(session, request);
    expect(missing).toEqual({ at: 'nothing_offered', missing: 'nosuch' });
    expect(viewResult(missing, session)).toMatchObject({
      error_type: 'invalid_integration',
      integration: 'nosuch',
    });
  });
});

describe('typed fields', () => {
  const { fields } = hubspot.methods[0] as { fields: FieldSpec[] };
  const typed = (values: Record<string, string>) => {
    const data = new FormData();
    for (const [name, value] of Object.entries(values)) data.set(name, value);
    return typedValues(fields, data);
  };

  it('are trimmed, and omitted when empty or unknown', () => {
    expect(typed({ region: 'eu1', portal: ' ', api_key: ' pat-1\n', other: 'x' })).toEqual({
      region: 'eu1',
      api_key: 'pat-1',
    });
  });

  it('get errors that never repeat the typed value', () => {
    const errors = fieldErrors(fields, { portal: 'abc', api_key: 'secret' });
    expect(Object.keys(errors)).toEqual(['region', 'portal', 'api_key']);
    expect(JSON.stringify(errors)).not.toMatch(/abc|secret/);
  });

  it('are left to the server if the pattern is invalid', () => {
    const [field] = fields;
    expect(fieldErrors([{ ...field!, pattern: '(' }], { region: 'eu1' })).toEqual({});
  });
});

const names = (query: string) =>
  searchIntegrations(connectSession.integrations, query).map(({ name }) => name);

describe('searching integrations', () => {
  it('finds by label, name and category, ignoring case', () => {
    expect(names('')).toEqual(['github', 'hubspot', 'salesforce']);
    expect(names('HUB')).toEqual(['hubspot', 'github']);
    expect(names('crm sales')).toEqual(['salesforce']);
    expect(names('xyz')).toEqual([]);
  });
});

describe('stored flow keys', () => {
  it('outlive their flow by two minutes', () => {
    const store = storage();
    let now = 0;
    const keys = new FlowKeys(store, () => now);
    keys.save('f', { key: 'k', color: null, logo: null });
    keys.ended('f');
    now = 119_000;
    expect(keys.find('f')?.key).toBe('k');
    now = 120_000;
    expect(keys.find('f')).toBeNull();
    expect(store.length).toBe(0);
  });
});

describe('texts', () => {
  it('say who the link is for', () => {
    expect(recipientText(reauthorizeSession)).toBe(
      'Acme asks for this, for Acme engineering (tenant acme-1), connected as octo-acme.',
    );
    const requested_by = { team: 'Acme', program: 'my-agent' };
    expect(recipientText({ ...connectSession, requested_by })).toBe(
      'my-agent (Acme) asks for this, for tenant acme-1.',
    );
  });

  it('say how the flow ended', () => {
    const outcome = succeeded.outcome!;
    expect(outcomeText(outcome, 'GitHub', reauthorizeSession)).toEqual({
      title: 'Connection successful',
      description: 'Acme engineering is connected to GitHub as octo-acme.',
    });
    expect(outcomeText({ ...outcome, kept_old: true }, 'GitHub', reauthorizeSession).title).toBe(
      'Nothing was changed',
    );
    expect(outcomeText({ ...outcome, is_checked: false }, 'GitHub', reauthorizeSession).description).toBe(
      'Acme engineering is connected to GitHub as octo-acme. Relink couldn’t test the credentials with GitHub.',
    );
    const account = { ...outcome.account, name: 'octo-acme', identity: 'octo-acme' };
    expect(outcomeText({ ...outcome, account }, 'GitHub', reauthorizeSession).description).toBe(
      'octo-acme is connected to GitHub.',
    );
  });

  it('put an error in one line', () => {
    const error = {
      code: 'rejected',
      title: 'Not accepted',
      message: 'It said no.',
      hint: null,
      field: 'key',
    };
    expect(errorLine(error)).toBe('Not accepted. It said no.');
    expect(errorLine({ ...error, title: null, hint: 'Try again.' })).toBe('It said no. Try again.');
  });

  it('prefer the text that Relink sent', () => {
    const error = { code: 'link_token_used', title: null, message: 'Used.', hint: null, field: null };
    expect(refusalText(error).title).toBe('This link was already used');
    expect(refusalText({ ...error, title: 'Ended' }).title).toBe('Ended');
  });

  it('don’t repeat their title', () => {
    const error = {
      code: 'ended',
      title: 'It ended',
      message: 'It ended. Ask again.',
      hint: null,
      field: null,
    };
    expect(refusalText(error)).toMatchObject({ title: 'It ended', message: 'Ask again.' });
    expect(refusalText({ ...error, message: 'It ended early.' }).message).toBe('It ended early.');
    expect(refusalText({ ...error, message: 'It ended.' }).message, 'the title says it all').toBe('');
  });
});
