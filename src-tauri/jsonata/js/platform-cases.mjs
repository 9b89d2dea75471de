// Writes tests/platform/*.jsonl: expressions and what Node makes of them. Needs Node 20 with its full ICU: node platform-cases.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import * as lists from './platform-cases/index.mjs';

process.env.TZ = 'UTC';
const render = (0, eval)(`${readFileSync(new URL('platform-render.mjs', import.meta.url), 'utf8')}\nrender`);

for (const [name, expressions] of Object.entries(lists)) {
  const lines = [];
  for (const expression of new Set(expressions)) lines.push(JSON.stringify({ expression, node: await render(expression) }));
  writeFileSync(new URL(`../tests/platform/${name}.jsonl`, import.meta.url), lines.join('\n') + '\n');
  console.log(`${name}: ${lines.length}`);
}
