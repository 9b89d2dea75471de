// What is changed in @truto/truto-jsonata 3.0.6 before it is bundled.
import { readFileSync } from 'node:fs';

import { patch } from './unpack.mjs';

const PATCHES = [
  {
    from: 'export {\n  trutoJsonata as default\n};',
    to: `export {
  deepUnwrapNative,
  registerAiExtensions,
  registerCoreExtensions,
  registerDataFormatsExtensions,
  registerDatetimeExtensions,
  registerHtmlExtensions,
  registerMarkdownExtensions,
};`,
  },
  // Both bundles hold a part of the package: what one wraps, the other one unwraps.
  { from: ' = Symbol("', to: ' = Symbol.for("', times: 10 },
];

/** `$each` and `$sift` for the synchronous evaluator: the package's text without \`async\` and \`await\`. */
function synchronousCallbacks(source) {
  const statements = ['each', 'sift'].map((name) => {
    const start = source.indexOf(`  expression.registerFunction("${name}", async function(`);
    const end = source.indexOf('");\n', start);
    if (start < 0 || end < 0) throw new Error(`$${name} isn't registered as expected`);
    return source.slice(start, end + 4).replace(/\basync /g, '').replace(/\bawait /g, '');
  });
  return `export function registerSynchronousCallbacks(expression) {\n${statements.join('')}}\n`;
}

/** The source that the bundle takes in place of the package's. */
export function trutoModule(file) {
  const source = readFileSync(file, 'utf8').replace(/\n\/\/# .*\n?$/, '\n');
  return patch(source, PATCHES) + synchronousCallbacks(source);
}
