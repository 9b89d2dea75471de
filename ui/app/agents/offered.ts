import type { McpConfig } from '../../host/types';

/** The words of a text, which commas or spaces separate. */
export function words(text: string): string[] {
  return text.split(/[\s,]+/u).filter((word) => word !== '');
}

/** What an MCP server offers, in a few words. */
export function offered(config: McpConfig): string {
  const kinds: Record<string, string> = {
    read: 'tools that read',
    write: 'tools that write',
    custom: 'custom tools',
  };
  const [first, ...others] = config.methods;
  let tools = 'All tools';
  if (first !== undefined) {
    const kind = others.length === 0 ? kinds[first] : undefined;
    tools = kind === undefined ? `Only ${config.methods.join(', ')}` : `Only ${kind}`;
  }
  const tags = config.tags.length > 0 ? ` · tagged ${config.tags.join(', ')}` : '';
  return `${tools}${tags}${config.require_api_token_auth ? ' · needs an API token' : ''}`;
}
