// Reads as much Rust as the structure check needs: modules, paths that lead to other modules, and public items.
// It knows no types and expands no macros.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

/** Replaces comments, strings and character literals by spaces. Offsets and lines stay. */
function blank(source) {
  const literal =
    /\/\/[^\n]*|\/\*|\bb?r(#*)"|\bb?"(?:[^"\\]|\\[\s\S])*"|"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\\n]|\\(?:u\{[0-9a-fA-F_]+\}|x..|.))'/g;
  let text = '';
  let from = 0;
  for (let match; (match = literal.exec(source)); ) {
    let end = literal.lastIndex;
    if (match[0] === '/*') end = blockCommentEnd(source, end);
    if (match[1] !== undefined) {
      const close = source.indexOf(`"${match[1]}`, end);
      end = close < 0 ? source.length : close + 1 + match[1].length;
    }
    text += source.slice(from, match.index) + source.slice(match.index, end).replace(/[^\n]/g, ' ');
    from = literal.lastIndex = end;
  }
  return text + source.slice(from);
}

function blockCommentEnd(source, from) {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = from;
  for (let depth = 1, match; (match = mark.exec(source)); ) {
    depth += match[0] === '/*' ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
  return source.length;
}

/** The tokens of a file, without what is only compiled for tests. */
function tokenize(source) {
  const tokens = [];
  for (const match of blank(source).matchAll(/[A-Za-z_][A-Za-z0-9_]*|::|->|=>|[^\s\w]/g)) {
    tokens.push({ text: match[0], at: match.index });
  }
  return withoutTests(tokens);
}

function withoutTests(tokens) {
  const kept = [];
  for (let i = 0; i < tokens.length; ) {
    if (tokens[i].text === '#' && tokens[i + 1]?.text === '[') {
      const end = closing(tokens, i + 1);
      const attribute = tokens.slice(i + 2, end).map((token) => token.text);
      if (attribute[0] === 'cfg' && attribute.includes('test') && !attribute.includes('not')) {
        i = itemEnd(tokens, end + 1);
        continue;
      }
    }
    kept.push(tokens[i++]);
  }
  return kept;
}

const OPEN = { '(': ')', '[': ']', '{': '}' };

/** The index of the bracket that closes the one at `open`. */
function closing(tokens, open) {
  const close = OPEN[tokens[open].text];
  for (let i = open, depth = 0; i < tokens.length; i++) {
    if (tokens[i].text === tokens[open].text) depth++;
    if (tokens[i].text === close && --depth === 0) return i;
  }
  return tokens.length - 1;
}

/** The index after the item, field or statement that begins at `from`. */
function itemEnd(tokens, from) {
  for (let i = from; i < tokens.length; i++) {
    const text = tokens[i].text;
    if (text === ';' || text === ',') return i + 1;
    if (text === '}') return i;
    if (text in OPEN) {
      i = closing(tokens, i);
      if (text === '{') return i + 1;
    }
  }
  return tokens.length;
}

/** The paths of a `use` tree that begins at `from`: `{ segments, as, at }` each. */
function useTree(tokens, from, prefix = []) {
  const found = [];
  let segments = [...prefix];
  let as;
  let at = tokens[from]?.at;
  const leaf = () => {
    const last = segments.at(-1);
    if (segments.length > prefix.length) {
      const named = last === 'self' && segments.length > 1 ? segments.slice(0, -1) : segments;
      found.push({ segments: named, as: as ?? named.at(-1), at });
    }
    segments = [...prefix];
    as = undefined;
  };
  let i = from;
  for (; i < tokens.length && tokens[i].text !== ';' && tokens[i].text !== '}'; i++) {
    const text = tokens[i].text;
    if (text === '{') {
      const inner = useTree(tokens, i + 1, segments);
      found.push(...inner.found);
      i = inner.end;
      segments = [...prefix];
    } else if (text === ',') {
      leaf();
    } else if (text === 'as') {
      as = tokens[++i].text;
    } else if (text !== '::') {
      segments.push(text);
      at = tokens[i].at;
    }
  }
  leaf();
  return { found, end: i };
}

/** A `pub` item at `i`: its kind and name. Not `pub(crate)`, nor a field. */
function publicItem(tokens, i) {
  let at = i + 1;
  if (tokens[at]?.text === '(') return undefined;
  while (['async', 'unsafe', 'extern'].includes(tokens[at]?.text)) at++;
  if (tokens[at]?.text === 'const' && ['fn', 'async', 'unsafe'].includes(tokens[at + 1]?.text)) {
    at++;
    while (tokens[at].text !== 'fn') at++;
  }
  const kind = tokens[at]?.text;
  if (!['fn', 'struct', 'enum', 'trait', 'type', 'const', 'static', 'mod', 'use', 'union'].includes(kind)) return undefined;
  return { kind, name: tokens[at + 1].text, next: at + 1 };
}

/**
 * What a function whose name is at `i` takes and gives, without spaces: the type of its first argument after `self` (empty if
 * there is none), and the type that it returns.
 */
function signature(tokens, i) {
  let at = i + 1;
  if (tokens[at]?.text === '<') at = genericsEnd(tokens, at);
  const end = closing(tokens, at);
  const parameters = [];
  let parameter = [];
  for (let depth = 0, k = at + 1; k <= end; k++) {
    const text = tokens[k].text;
    if ('([{<'.includes(text)) depth++;
    else if (')]}>'.includes(text)) depth--;
    if (k === end || (text === ',' && depth === 0)) {
      if (parameter.length > 0) parameters.push(parameter);
      parameter = [];
    } else {
      parameter.push(text);
    }
  }
  if (parameters[0]?.at(-1) === 'self') parameters.shift();
  const argument = (parameters[0] ?? []).slice((parameters[0] ?? []).indexOf(':') + 1).join('');
  let returns = '';
  if (tokens[end + 1]?.text === '->') {
    for (let k = end + 2; k < tokens.length && !['{', ';', 'where'].includes(tokens[k].text); k++) returns += tokens[k].text;
  }
  return { argument, returns };
}

/** The index after the `>` that closes the `<` at `open`. */
function genericsEnd(tokens, open) {
  for (let at = open, depth = 0; at < tokens.length; at++) {
    if (tokens[at].text === '<') depth++;
    if (tokens[at].text === '>' && --depth === 0) return at + 1;
  }
  return tokens.length;
}

/** The type of an inherent `impl` at `i`, and the index of its `{`. */
function inherentImpl(tokens, i) {
  let at = i + 1;
  if (tokens[at]?.text === '<') at = genericsEnd(tokens, at);
  let type;
  for (let depth = 0; at < tokens.length && tokens[at].text !== '{'; at++) {
    const text = tokens[at].text;
    if (text === '<') depth++;
    else if (text === '>') depth--;
    else if (text === 'for' && depth === 0) return undefined;
    else if (text === 'where') break;
    else if (depth === 0 && /^\w+$/.test(text)) type = text;
  }
  while (at < tokens.length && tokens[at].text !== '{') at++;
  return { type, open: at };
}

/**
 * Reads a target from its root file. `files`: each with its top-level module and the paths it names, from the crate's root.
 * `exports`: the names that the root brings into scope, with the module of each. `items` and `methods`: what is public.
 */
function readTarget(root) {
  const target = { modules: new Set(), files: [], exports: new Map(), items: [], methods: [] };
  readFile(target, root, [], path.dirname(root), true);
  return target;
}

function readFile(target, file, modulePath, folder, isVisible) {
  const source = fs.readFileSync(file, 'utf8');
  const tokens = tokenize(source);
  const paths = [];
  const blocks = [];
  const here = () => [...modulePath, ...blocks.flatMap((block) => block.module ?? [])];
  const visible = () => isVisible && blocks.every((block) => block.isVisible);
  const lineOf = (at) => source.slice(0, at).split('\n').length;
  const note = (segments, at) => {
    const absolute = fromRoot(segments, here());
    if (absolute) paths.push({ segments: absolute, line: lineOf(at) });
  };
  for (let i = 0; i < tokens.length; i++) {
    const text = tokens[i].text;
    const before = tokens[i - 1]?.text;
    if (text === 'pub') {
      const item = publicItem(tokens, i);
      const inImpl = blocks.at(-1)?.type;
      if (item?.kind === 'fn' && inImpl) {
        target.methods.push({ type: inImpl, name: item.name, ...signature(tokens, item.next), file, line: lineOf(tokens[i].at) });
      }
      else if (item && item.kind !== 'use' && item.kind !== 'mod' && !inImpl && visible()) target.items.push({ module: here().join('::'), name: item.name });
      if (item?.kind === 'use' && visible()) {
        for (const { as } of useTree(tokens, item.next).found) target.items.push({ module: here().join('::'), name: as });
      }
    } else if (text === 'use' && before !== '.') {
      const { found, end } = useTree(tokens, i + 1);
      for (const { segments, as, at } of found) {
        note(segments, at);
        if (here().length === 0) target.exports.set(as, segments.filter((name) => name !== 'crate' && name !== 'self')[0]);
      }
      i = end;
    } else if (text === 'mod' && tokens[i + 2]?.text === ';') {
      const name = tokens[i + 1].text;
      const isPublic = before === 'pub';
      if (here().length === 0) target.modules.add(name);
      const child = moduleFile(source, tokens, i, name, folder, file, blocks);
      if (child) readFile(target, child, [...here(), name], childFolder(child, name), visible() && isPublic);
    } else if (text === 'mod' && tokens[i + 2]?.text === '{') {
      if (here().length === 0) target.modules.add(tokens[i + 1].text);
      blocks.push({ module: [tokens[i + 1].text], isVisible: before === 'pub' });
      i += 2;
    } else if (text === 'impl' && [undefined, '}', ';', ']', '{'].includes(before)) {
      const found = inherentImpl(tokens, i);
      if (found) {
        for (let at = i + 1; at < found.open; at++) at = pathAt(tokens, at, note);
        blocks.push({ type: found.type, isVisible: true });
        i = found.open;
      }
    } else if (text === '{') {
      blocks.push({ isVisible: true });
    } else if (text === '}') {
      blocks.pop();
    } else {
      i = pathAt(tokens, i, note);
    }
  }
  target.files.push({ file, module: modulePath[0], paths });
}

/** Notes a path that begins at `i` with `crate`, `self` or `super`; gives the index of its last token. */
function pathAt(tokens, i, note) {
  if (!['crate', 'self', 'super'].includes(tokens[i].text) || tokens[i + 1]?.text !== '::') return i;
  if (['in', '::'].includes(tokens[i - 1]?.text)) return i;
  const segments = [tokens[i].text];
  let end = i;
  while (tokens[end + 1]?.text === '::' && /^\w+$/.test(tokens[end + 2]?.text ?? '')) {
    segments.push(tokens[end + 2].text);
    end += 2;
  }
  note(segments, tokens[i].at);
  return end;
}

/** A path from the crate's root on; `undefined` for one that leads out of the crate. */
function fromRoot(segments, here) {
  if (segments[0] === 'crate') return segments.slice(1);
  if (segments[0] !== 'self' && segments[0] !== 'super') return undefined;
  let base = here;
  let i = 0;
  for (; segments[i] === 'self' || segments[i] === 'super'; i++) {
    if (segments[i] === 'super') base = base.slice(0, -1);
  }
  return [...base, ...segments.slice(i)];
}

function moduleFile(source, tokens, i, name, folder, file, blocks) {
  // `#[path = "…"]` before the item: its string is blanked in the tokens.
  const given = /#\[path\s*=\s*"([^"]+)"\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([^)]*\))?\s+)?$/.exec(source.slice(0, tokens[i].at));
  if (given) return path.join(path.dirname(file), given[1]);
  const inline = blocks.flatMap((block) => block.module ?? []);
  const beside = path.join(folder, ...inline);
  return [path.join(beside, `${name}.rs`), path.join(beside, name, 'mod.rs')].find((candidate) => fs.existsSync(candidate));
}

function childFolder(file, name) {
  return path.basename(file) === 'mod.rs' ? path.dirname(file) : path.join(path.dirname(file), name);
}

module.exports = { readTarget };
