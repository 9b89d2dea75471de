import { describe, expect, it } from 'vitest';
import type { MappingKey } from '../../host/types';
import { isSame } from './drafts.svelte';
import { hasChoice, isOfRequest, languageOf, sentenceOf, withKey } from './keys';

const key = (name: string, text: string): MappingKey => ({ name, text, language: languageOf(name) });

describe('the keys of a mapping', () => {
  it('stay in the order in which they take effect', () => {
    const known = ['query', 'query_mapping', 'response_mapping'];
    const keys = [key('response_mapping', 'response'), key('ours', '1')];
    const added = withKey(keys, key('query_mapping', '{}'), known);
    expect(added.map(({ name }) => name)).toEqual(['query_mapping', 'response_mapping', 'ours']);
    const changed = withKey(added, key('query_mapping', '{ }'), known);
    expect(changed[0]).toEqual(key('query_mapping', '{ }'));
    expect(changed).toHaveLength(3);
  });

  it('are JSON or a text, and each says what it is for', () => {
    expect(languageOf('side_load')).toBe('json');
    expect(languageOf('response_mapping')).toBe('text');
    expect([hasChoice('response_mapping'), hasChoice('is_partial_expression')]).toEqual([true, false]);
    expect([isOfRequest('query_mapping'), isOfRequest('response_mapping')]).toEqual([true, false]);
    expect(sentenceOf('response_mapping')).toContain('records');
    expect(sentenceOf('ours')).toContain('no effect');
  });
});

describe('a draft', () => {
  it('differs if a key says something else, and an empty key says nothing', () => {
    const saved = [key('query_mapping', '{}'), key('response_mapping', 'response')];
    expect(isSame(saved, saved.toReversed())).toBe(true);
    expect(isSame(saved, [...saved, key('after', ' ')])).toBe(true);
    expect(isSame(saved, [key('query_mapping', '{ }'), saved[1]!])).toBe(false);
    expect(isSame(saved, [{ ...saved[0]!, language: 'json' }, saved[1]!])).toBe(false);
  });
});
