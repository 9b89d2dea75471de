// Fills templates with Truto's library, so that Relink can be compared with it. package-lock.json pins 1.0.11: npm has no 1.0.10,
// from which the contract was written.
//
//   node reference.mjs --check   check that the committed cases are what generate.mjs and the library give; name those that differ
//   node reference.mjs --write   write them
//
// A case is one line of ../tests/templates/*.jsonl:
//   {"id", "in": the name of a context in contexts.json, or the context itself, "roots"?: {name: any JSON}, "template", answer}
// and its answer is one of
//   "gives": the result, as JSON.stringify writes it
//   "undefined": true
//   "error": the message of what was thrown
// Relink reads the members of a context that are named in its "secret" as the secret fields of a form.
import { readFileSync, writeFileSync } from 'node:fs';

import replacePlaceholders from '@truto/replace-placeholders';

import { questions } from './generate.mjs';

const FOLDER = new URL('../tests/templates/', import.meta.url);
const ANSWERS = ['gives', 'undefined', 'error'];
const read = (name) => readFileSync(new URL(name, FOLDER), 'utf8');
const contexts = JSON.parse(read('contexts.json'));

/** The library changes what it reads, so each case gets a context of its own. */
function scopeOf({ in: context, roots }) {
  const copy = () => structuredClone(typeof context === 'string' ? contexts[context] : context);
  return { ...copy(), ...structuredClone(roots), credentials: copy(), context: copy() };
}

function answer(test) {
  try {
    const result = replacePlaceholders(structuredClone(test.template), scopeOf(test));
    return result === undefined ? { undefined: true } : { gives: result };
  } catch (thrown) {
    return { error: thrown.message.split('\n')[0] };
  }
}

function answered(test) {
  const question = Object.entries(test).filter(([name]) => !ANSWERS.includes(name));
  return JSON.stringify({ ...Object.fromEntries(question), ...answer(test) });
}

const cases = (name) => read(name).split('\n').filter(Boolean).map((line) => JSON.parse(line));
const files = { 'edges.jsonl': () => cases('edges.jsonl'), 'generated.jsonl': () => questions(contexts) };

const [mode, ...more] = process.argv.slice(2);
if (!['--check', '--write'].includes(mode) || more.length > 0) {
  console.error('Say --check or --write; see the top of this file.');
  process.exit(2);
}
for (const [name, questionsOf] of Object.entries(files)) {
  const now = questionsOf().map(answered);
  if (mode === '--write') {
    writeFileSync(new URL(name, FOLDER), now.map((line) => `${line}\n`).join(''));
    console.log(`${name}: ${now.length} cases`);
    continue;
  }
  const committed = read(name).split('\n').filter(Boolean);
  const differing = [...Array(Math.max(now.length, committed.length)).keys()].filter((at) => now[at] !== committed[at]);
  for (const at of differing.slice(0, 10)) console.error(`${name}:${at + 1}\n  committed ${committed[at]}\n  library   ${now[at]}`);
  if (differing.length > 0) {
    console.error(`${differing.length} cases of ${name} aren't current: node src-tauri/domain/js/reference.mjs --write`);
    process.exitCode = 1;
  }
}
