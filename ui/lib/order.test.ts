import { expect, it } from 'vitest';
import { byName } from './order';

it.each([
  [['Account 59', 'Account 427']],
  [['v1.2', 'v1.10', 'v1.10.1']],
  [['acme', 'Acme 2', 'ACME 10', 'beta', 'Gamma']],
  [['Ägypten', 'ägypten 2', 'Apfel', 'Banane']],
  [['Заявка 2', 'заявка 10']],
])('puts names into the order that people expect: %s', (names) => {
  expect(names.toReversed().toSorted(byName)).toEqual(names);
});
