// Takes the facts about OAuth providers from the npm package `grant` (MIT): name, version of OAuth, addresses, and what
// separates scopes. ../tests/providers.rs writes each as a definition.
//
//   node providers.mjs --check   check that the committed file is what the pinned package gives; name the providers that differ
//   node providers.mjs --write   write it
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const FILE = new URL('../tests/providers/grant.json', import.meta.url);
const FACTS = ['oauth', 'authorize_url', 'access_url', 'scope_delimiter'];
const { resolve } = createRequire(import.meta.url);

const providers = JSON.parse(readFileSync(resolve('grant/config/oauth.json'), 'utf8'));
const factsOf = (provider) => Object.fromEntries(FACTS.filter((key) => key in provider).map((key) => [key, provider[key]]));
const now = Object.fromEntries(Object.entries(providers).map(([name, provider]) => [name, factsOf(provider)]));

const [mode, ...more] = process.argv.slice(2);
if (!['--check', '--write'].includes(mode) || more.length > 0) {
  console.error('Say --check or --write; see the top of this file.');
  process.exit(2);
}
if (mode === '--write') {
  const lines = Object.entries(now).map(([name, facts]) => `  ${JSON.stringify(name)}: ${JSON.stringify(facts)}`);
  writeFileSync(FILE, `{\n${lines.join(',\n')}\n}\n`);
  console.log(`${lines.length} providers`);
} else {
  const committed = JSON.parse(readFileSync(FILE, 'utf8'));
  const names = [...new Set([...Object.keys(now), ...Object.keys(committed)])];
  const differing = names.filter((name) => JSON.stringify(now[name]) !== JSON.stringify(committed[name]));
  if (differing.length > 0) {
    console.error(`tests/providers/grant.json differs from the package grant: ${differing.join(', ')}. Run: node providers.mjs --write`);
    process.exit(1);
  }
}
