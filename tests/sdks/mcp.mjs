// Uses the client of the Model Context Protocol's own SDK against Relink: node mcp.mjs URL|COMMAND [ARGUMENT]…, with an API token in
// RELINK_TOKEN if there is one. Prints what it found as JSON.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const [server, ...args] = process.argv.slice(2);
const transport = server.startsWith('http')
  ? new StreamableHTTPClientTransport(new URL(server))
  : new StdioClientTransport({ command: server, args, env: process.env, stderr: 'inherit' });
const client = new Client({ name: 'relink-tests', version: '1.0.0' });
await client.connect(transport);
const { tools } = await client.listTools();
const named = (beginning) => tools.find((tool) => tool.name.startsWith(beginning)).name;
const call = (name, params) => client.callTool({ name, arguments: params });
const pages = [await call(named('list_all_github-twin_repositories'), { limit: 20 })];
for (let next; (next = JSON.parse(pages.at(-1).content[0].text).next_cursor); ) {
  pages.push(await call(named('list_all_github-twin_repositories'), { limit: 20, next_cursor: next }));
}
const missing = await call(named('get_single_github-twin_issue'), { owner: 'ada-twin', repo: 'nowhere', id: '1' });
const unknown = await client.callTool({ name: 'no_such_tool', arguments: {} }).catch((error) => error.code);
const refused = await call(named('get_single_github-twin_issue'), {});
console.log(
  JSON.stringify({
    server: client.getServerVersion().name,
    names: tools.map((tool) => tool.name),
    read_only: tools.filter((tool) => tool.annotations.readOnlyHint).length,
    repositories: pages.flatMap((page) => JSON.parse(page.content[0].text).result).length,
    missing: [missing.isError, JSON.parse(missing.content[0].text).statusCode],
    refused: [refused.isError, JSON.parse(refused.content[0].text).message],
    unknown,
  }),
);
await client.close();
