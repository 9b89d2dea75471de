// Expressions that were parsed lately. Truto's functions are registered once, for all of them.
import { registerCoreExtensions, registerDatetimeExtensions, registerSynchronousCallbacks } from '@truto/truto-jsonata';
import jsonata from 'jsonata';
import parser from 'jsonata/parser';
import synchronous from 'jsonata-synchronous';

import { improvements } from './improvements.js';
import { unavailable } from './unavailable.js';

const MAX_COMPILED = 128;
// Characters of all compiled expressions, and of one that is kept: their syntax trees are a hundred times as large.
const MAX_COMPILED_LENGTH = 64 * 1024;
const MAX_KEPT_LENGTH = 16 * 1024;

const loadFormats = globalThis.__loadFormats;
delete globalThis.__loadFormats;
// The names are known when the bundle is made (bundle.mjs).
const FORMATS = new Set(__FORMAT_FUNCTIONS__);
const PARAMETERS = __PARAMETERS__;
let hasFormats = false;

/** The names of all functions. */
export const FUNCTIONS = new Set(FORMATS);

/** Registers functions with both evaluators: `extensions` are the package's own registering functions. */
export function register(...extensions) {
  for (const extend of extensions) {
    extend({
      registerFunction(name, theirs, signature) {
        const implementation = improvements[name]?.(theirs) ?? theirs;
        implementation.synchronous = false;
        implementation.parameters = PARAMETERS[name];
        jsonata.register(name, implementation, signature);
        synchronous.register(name, implementation, signature);
      },
    });
  }
  for (const [name, implementation] of Object.entries(unavailable)) {
    jsonata.register(name, implementation);
    synchronous.register(name, implementation);
  }
}

register(registerCoreExtensions, registerDatetimeExtensions);
registerSynchronousCallbacks({ registerFunction: synchronous.register });
for (const name of [...jsonata.names(), 'now', 'millis']) FUNCTIONS.add(name);

/** To be called before each evaluation by the original. */
export const { forgetCalls } = jsonata;

const programs = new Map();
let compiledLength = 0;
// The last one in the map.
let latest;
let latestProgram;

/** The expression's syntax tree, and its two evaluators. Throws what the parser throws. */
export function compiled(expression) {
  if (expression === latest) return latestProgram;
  let program = programs.get(expression);
  if (program) {
    // Moved to the end: the first one is the one that was used least recently.
    programs.delete(expression);
  } else {
    program = compile(expression);
    if (expression.length > MAX_KEPT_LENGTH) return program;
    compiledLength += expression.length;
    while (programs.size >= MAX_COMPILED || (programs.size > 0 && compiledLength > MAX_COMPILED_LENGTH)) {
      const [oldest] = programs.keys();
      programs.delete(oldest);
      compiledLength -= oldest.length;
    }
  }
  programs.set(expression, program);
  latest = expression;
  latestProgram = program;
  return program;
}

function compile(expression) {
  // Compiling the text, not the tree, explains the parser's errors.
  const original = jsonata(expression);
  const tree = original.ast();
  if (!hasFormats && uses(tree, (name) => FORMATS.has(name) || name === 'eval')) {
    loadFormats();
    hasFormats = true;
  }
  return { tree, original, atOnce: synchronous(tree), waits: bindsInParallel(tree) || uses(tree, (name) => name === 'eval') };
}

/** Whether the expression mentions such a `$name`. */
function uses(node, isSuch) {
  if (node === null || typeof node !== 'object') return false;
  if (node.type === 'variable' && isSuch(node.value)) return true;
  return Object.values(node).some((it) => uses(it, isSuch));
}

/**
 * Whether a variable is bound in the items of an array or in the values of an object, outside of a block or function of its own.
 * The original evaluates those together, so that one item doesn't see what another one binds.
 */
function bindsInParallel(node, parallel = false) {
  if (node === null || typeof node !== 'object') return false;
  if (Array.isArray(node)) return node.some((it) => bindsInParallel(it, parallel));
  if (node.type === 'bind' && parallel) return true;
  let inside = parallel || (node.type === 'unary' && (node.value === '[' || node.value === '{'));
  if (node.type === 'block' || node.type === 'lambda') inside = false;
  return Object.entries(node).some(([name, it]) => bindsInParallel(it, inside || name === 'group'));
}

