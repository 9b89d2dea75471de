import { expect, it } from 'vitest';
import { curly } from './typography';

it('curls apostrophes within words, and leaves quotes alone', () => {
  expect(curly("GitHub didn't answer. It's GitHub's problem.")).toBe(
    'GitHub didn’t answer. It’s GitHub’s problem.',
  );
  expect(curly("'a' is not 'b'")).toBe("'a' is not 'b'");
});
