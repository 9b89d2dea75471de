import { describe, expect, it } from 'vitest';
import { offered, words } from './offered';

const config = { methods: [], tags: [], require_api_token_auth: false };

describe('an MCP server', () => {
  it('says which tools it offers', () => {
    expect(offered(config)).toBe('All tools');
    expect(offered({ ...config, methods: ['read'] })).toBe('Only tools that read');
    expect(offered({ ...config, methods: ['list', 'search'], tags: ['crm'] })).toBe(
      'Only list, search · tagged crm',
    );
    expect(offered({ ...config, require_api_token_auth: true })).toBe('All tools · needs an API token');
  });

  it('takes words with commas or spaces between them', () => {
    expect(words(' list, get\tsearch,,')).toEqual(['list', 'get', 'search']);
    expect(words('')).toEqual([]);
  });
});
