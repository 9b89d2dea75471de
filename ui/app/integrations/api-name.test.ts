import { expect, it } from 'vitest';
import { apiName } from './api-name';

it.each([
  ['Acme CRM', 'acme-crm'],
  ['  Acme & Söhne  ', 'acme-sohne'],
  ['Café Zoë', 'cafe-zoe'],
  ['1Password', 'app-1password'],
  ['Acme Приложение', 'acme'],
  ['Приложение', ''],
  ['应用', ''],
  ['---', ''],
  ['', ''],
])('makes an API name of %s', (name, expected) => {
  expect(apiName(name)).toBe(expected);
});

it('makes an API name that the API accepts', () => {
  const long = apiName(`${'ab '.repeat(40)}`);
  expect(long).toMatch(/^[a-z][a-z0-9_-]*[a-z0-9]$/);
  expect(long.length).toBeLessThanOrEqual(64);
});
