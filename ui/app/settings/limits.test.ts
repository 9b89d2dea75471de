import { expect, it } from 'vitest';
import { limitsText } from './limits';

it('says what a token is limited to', () => {
  const none = { accounts: null, integrations: null, read_only: false };
  expect(limitsText(none)).toBe('');
  expect(limitsText({ ...none, accounts: ['1'] })).toBe(', 1 account');
  expect(limitsText({ accounts: ['1', '2'], integrations: ['github', 'slack'], read_only: true })).toBe(
    ', 2 accounts, only github, slack, read only',
  );
});
