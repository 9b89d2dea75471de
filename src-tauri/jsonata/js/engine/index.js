// The engine's side of what Rust calls. Everything that an expression can reach is set up by the modules imported here.
import '../platform/index.js';
import './large.js';
import './luxon.js';

import { compiled, forgetCalls, register } from './compiled.js';
import { explain } from './errors.js';
import { toJson, toJsonWithoutFunctions } from './json.js';
import { firstUnknown } from './names.js';

// No result in JSON is a symbol.
const AGAIN = Symbol('evaluate again, as the original does');

/**
 * Evaluates without ever waiting. Gives the result as JSON, undefined, a number if it has more than `limit` characters of JSON, or
 * AGAIN when only the original can say what the result is. With `refuse`, a `$name` that nothing binds is an error.
 */
function evaluateAtOnce(expression, input, bindings, refuse, limit) {
  let program;
  try {
    program = compiled(expression);
    if (program.waits || (refuse && firstUnknown(program, bindings))) return AGAIN;
    return toJsonWithoutFunctions(program.atOnce.evaluate(input, bindings), limit);
  } catch (error) {
    // Without memory there is no second attempt.
    if (error === null || error instanceof InternalError) throw error;
    if (program && error.message === 'waits') program.waits = true;
    return AGAIN;
  }
}

/** Evaluates as the original does. Gives a promise of the same, except for AGAIN; its error is as `explain` gives it. */
async function evaluate(expression, input, bindings, refuse, limit) {
  try {
    const program = compiled(expression);
    if (refuse) refuseUnknown(program, bindings);
    forgetCalls();
    return toJson(await program.original.evaluate(input, bindings), limit);
  } catch (error) {
    throw explain(error);
  }
}

/** Fails if the expression has a syntax error or a `$name` that neither it nor one of `names` binds. */
function check(expression, names) {
  try {
    refuseUnknown(compiled(expression), Object.fromEntries(names.map((name) => [name, true])));
  } catch (error) {
    throw explain(error);
  }
}

function refuseUnknown(program, bindings) {
  const unknown = firstUnknown(program, bindings);
  if (unknown) throw { ...unknown, code: 'unknown_name', message: `$${unknown.token} isn't defined.` };
}

globalThis.__engine = { check, evaluate, evaluateAtOnce, register };

// Nothing that an expression does to what all values inherit from can be seen by the next one.
for (const type of [Object, Function, Array, String, Number, Boolean, Symbol, Date, RegExp, Promise, Map, Set, WeakMap, Error, TypeError, ArrayBuffer, Uint8Array]) {
  Object.preventExtensions(type);
  Object.preventExtensions(type.prototype);
}
