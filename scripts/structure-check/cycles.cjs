// Import cycles between the top-level modules of one crate. The crate's root is exempt, and a module is one with its children.
'use strict';

/** The arrows between top-level modules: `{ from, to, file, line, count }`, the first place of each. */
function arrows(target) {
  const found = new Map();
  for (const { file, module, paths } of target.files) {
    if (module === undefined) continue;
    for (const { segments, line } of paths) {
      const name = segments[0];
      // A name that the root only passes on counts as the module it is from.
      const to = target.modules.has(name) ? name : target.exports.get(name);
      if (to === undefined || to === module || !target.modules.has(to)) continue;
      const key = `${module} ${to}`;
      const arrow = found.get(key) ?? { from: module, to, file, line, count: 0 };
      arrow.count++;
      found.set(key, arrow);
    }
  }
  return [...found.values()];
}

/** The groups of modules that reach one another (Tarjan's strongly connected components of more than one). */
function cycles(edges) {
  const next = new Map();
  for (const { from, to } of edges) {
    next.set(from, [...(next.get(from) ?? []), to]);
    if (!next.has(to)) next.set(to, []);
  }
  const seen = new Map();
  const stack = [];
  const groups = [];
  const visit = (node) => {
    const state = { index: seen.size, low: seen.size, onStack: true };
    seen.set(node, state);
    stack.push(node);
    for (const other of next.get(node)) {
      if (!seen.has(other)) state.low = Math.min(state.low, visit(other).low);
      else if (seen.get(other).onStack) state.low = Math.min(state.low, seen.get(other).index);
    }
    if (state.low === state.index) {
      const group = stack.splice(stack.indexOf(node));
      for (const member of group) seen.get(member).onStack = false;
      if (group.length > 1) groups.push(group.sort());
    }
    return state;
  };
  for (const node of next.keys()) if (!seen.has(node)) visit(node);
  return groups;
}

module.exports = { arrows, cycles };
