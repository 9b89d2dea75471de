// Node's part of `make bench SECTIONS=sync`: pages a list and writes JSON Lines, as one would by hand. It doesn't wait for the disk.
//
//   node node.mjs URL FILE LIMIT [EXPRESSION]   prints the records and the milliseconds, without the start of Node, and those of the expression alone
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';

const [url, path, limit, expressionPath] = process.argv.slice(2);
const packages = createRequire(new URL('../../src-tauri/jsonata/js/package.json', import.meta.url));
const expression = expressionPath && packages('@truto/truto-jsonata').default(readFileSync(expressionPath, 'utf8'));

const begin = performance.now();
const file = openSync(path, 'w');
let written = 0;
let cursor = '';
let evaluating = 0;
do {
  const response = await fetch(`${url}?limit=${limit}&cursor=${cursor}`);
  const page = await response.json();
  const began = performance.now();
  const records = expression ? await expression.evaluate({ resources: { records: page.results } }) : page.results;
  evaluating += performance.now() - began;
  writeSync(file, records.map((record) => JSON.stringify(record) + '\n').join(''));
  written += records.length;
  cursor = page.next;
} while (cursor);
closeSync(file);
console.log(JSON.stringify({ records: written, milliseconds: performance.now() - begin, evaluating }));
