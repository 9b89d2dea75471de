// Which `$names` of an expression nothing binds.
import { FUNCTIONS } from './compiled.js';

/** Where the expression uses a `$name` that neither it nor a function's name binds: the caller has to. */
export function freeNames(tree) {
  const known = new Set([...FUNCTIONS, '', '$']);
  walk(tree, (node) => {
    if (node.type === 'bind') known.add(node.lhs.value);
    if (node.type === 'lambda') for (const argument of node.arguments) known.add(argument.value);
    if (typeof node.focus === 'string') known.add(node.focus);
    if (typeof node.index === 'string') known.add(node.index);
    for (const stage of node.stages ?? []) if (stage.type === 'index') known.add(stage.value);
  });
  const free = [];
  walk(tree, (node) => {
    if (node.type === 'variable' && !known.has(node.value)) free.push({ token: node.value, position: node.position });
  });
  return free;
}

/** The first name that the caller's bindings don't have either. */
export function firstUnknown(program, bindings) {
  program.free ??= freeNames(program.tree);
  return program.free.find(({ token }) => !Object.hasOwn(bindings, token));
}

function walk(node, visit) {
  if (node === null || typeof node !== 'object') return;
  if (Array.isArray(node)) {
    for (const it of node) walk(it, visit);
    return;
  }
  visit(node);
  for (const name in node) walk(node[name], visit);
}
