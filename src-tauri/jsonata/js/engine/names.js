// Which `$names` of an expression nothing binds.
import { FUNCTIONS } from './compiled.js';

/** Where the expression uses a `$name` that is neither a function's nor bound around it: the caller has to bind it. */
export function freeNames(tree) {
  const free = [];
  walk(tree, new Set([...FUNCTIONS, '', '$', ...boundIn(tree)]), free);
  return free;
}

/** The first name that the caller's bindings don't have either. */
export function firstUnknown(program, bindings) {
  program.free ??= freeNames(program.tree);
  return program.free.length === 0 ? undefined : program.free.find(({ token }) => !Object.hasOwn(bindings, token));
}

function walk(node, known, free) {
  if (node === null || typeof node !== 'object') return;
  if (Array.isArray(node)) {
    for (const it of node) walk(it, known, free);
    return;
  }
  if (node.type === 'variable' && !known.has(node.value)) free.push({ token: node.value, position: node.position });
  const around = opensScope(node) ? new Set([...known, ...namesOf(node)]) : known;
  for (const name in node) {
    // What is bound is no use of the name.
    if ((node.type === 'bind' && name === 'lhs') || (node.type === 'lambda' && name === 'arguments')) continue;
    walk(node[name], around, free);
  }
}

const opensScope = ({ type }) => type === 'block' || type === 'lambda' || type === 'path';

function namesOf(node) {
  if (node.type === 'block') return boundIn(node.expressions);
  if (node.type === 'lambda') return [...node.arguments.map(({ value }) => value), ...boundIn(node.body)];
  return node.steps.flatMap(({ focus, index, stages }) => [focus, index, ...(stages ?? []).filter(({ type }) => type === 'index').map(({ value }) => value)]);
}

/** The names that are bound with `:=` here, not in a block or function of its own. */
function boundIn(node) {
  if (node === null || typeof node !== 'object') return [];
  if (Array.isArray(node)) return node.flatMap(boundIn);
  const own = node.type === 'bind' ? [node.lhs.value] : [];
  if (node.type === 'block' || node.type === 'lambda') return own;
  return [...own, ...Object.values(node).flatMap(boundIn)];
}
