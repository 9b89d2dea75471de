// Generates templates from a seeded grammar, so that each run gives the same ones.

const SEED = 20260714;
const COUNT = 2000;
// The others are for the edge cases.
const CONTEXTS = ['account', 'texts', 'numbers', 'shapes'];

/** A generator of numbers from 0 to 1 (xorshift32). */
function numbers(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const TYPES = ['str', 'int', 'num', 'bool', 'json', 'any', 'null'];
const FLAGS = ['undefined', 'null', 'ignore-empty-str'];
const DEFAULTS = ['x', ' 5', '5', '1.5e3', 'true', 'false', 'null', 'https://x', 'http://x:8080', 'a-b/c', ' ', '-3', '0x10', '.5', '', 'Infinity'];
const NOT_PLACEHOLDERS = [
  '{{a[0]}}', '{{*}}', "{{'text'}}", '{{text@x}}', '{{ä}}', '{{text}', '{text}', '{{}}', '{{text', '}}', '{{list[0].name}}', '{{a,b}}', '{{text + 1}}', '{{{}}',
];
const TEXTS = ['', ' ', '-', '/users/', 'Bearer ', '$&', '$1', "$'", '{', '}', '{{', 'https://', 'ä', '\n', '"', '{"a": ', '?:', ':', '|'];
const KEYS = ['a', 'b', 'c', 'name', 'items', '{{text}}', 'with space', '$x', 'deep'];

/** Gives the questions: {"id", "in": the name of a context, "template"}. */
export function questions(contexts) {
  const random = numbers(SEED);
  const below = (count) => Math.floor(random() * count);
  const chance = (share) => random() < share;
  const one = (list) => list[below(list.length)];
  const some = (most, make) => Array.from({ length: below(most + 1) }, make);

  /** Walks some steps into a value, and sometimes one too far. */
  function knownPath(value) {
    const names = [];
    let here = value;
    while (here !== null && typeof here === 'object' && (names.length === 0 || chance(0.6))) {
      const keys = Object.keys(here);
      if (keys.length === 0) break;
      const key = one(keys);
      names.push(key);
      here = here[key];
    }
    if (Array.isArray(here) && chance(0.4)) names.push(one(['-1', '-0', '-9', '9', 'length', ':', '1:', ':-1', '-2:', '0', '00']));
    if (chance(0.08)) names.push(one(['missing', '0', 'length', '']));
    return names.join('.');
  }

  function path(context) {
    const names = chance(0.2) ? one(['missing', 'missing.deep', 'text.missing', 'list.9', '..', 'a.', 'oauth.token.refresh']) : knownPath(context);
    const dotted = chance(0.04) ? `.${names}` : names;
    return chance(0.05) ? `${dotted} ${knownPath(context)}` : dotted;
  }

  const space = () => (chance(0.15) ? one([' ', '  ', '\t', '\n', ' \u00a0']) : '');

  function alternative(context) {
    const modifiers = [];
    if (chance(0.6)) modifiers.push(chance(0.04) ? one(['float', 'string', 'number', '']) : one(TYPES));
    if (chance(0.25)) modifiers.push(one(FLAGS));
    if (chance(0.1)) modifiers.push(one(FLAGS));
    return `${space()}${path(context)}${space()}${modifiers.map((it) => `:${space()}${it}${space()}`).join('')}`;
  }

  function placeholder(context) {
    const alternatives = [alternative(context), ...some(chance(0.35) ? 2 : 0, () => alternative(context))];
    let fallback = '';
    if (chance(0.3)) fallback = `?:${one(DEFAULTS)}${chance(0.5) ? `:${chance(0.05) ? one(['float', 'int ', ' int']) : one(TYPES)}` : ''}`;
    return `{{${alternatives.join('|')}${fallback}}}`;
  }

  const piece = (context) => (chance(0.5) ? placeholder(context) : chance(0.15) ? one(NOT_PLACEHOLDERS) : one(TEXTS));
  const text = (context) => (chance(0.5) ? placeholder(context) : [piece(context), ...some(4, () => piece(context))].join(''));
  const objects = (context) => Object.keys(context).filter((key) => context[key]?.constructor === Object || Array.isArray(context[key]));
  const merged = (context) => (chance(0.7) ? `{{${one(objects(context))}:json}}` : chance(0.5) ? text(context) : node(context, 1));

  function node(context, depth) {
    const kind = depth > 0 ? random() : 0;
    if (kind < 0.55) return text(context);
    if (kind < 0.65) return one([null, true, 1, 0.5, 'plain', {}, []]);
    if (kind < 0.75) return some(3, () => node(context, depth - 1));
    const members = {};
    some(4, () => (members[one(KEYS)] = node(context, depth - 1)));
    if (chance(0.35)) members.$truto_merge = chance(0.5) ? merged(context) : some(3, () => merged(context));
    return members;
  }

  return Array.from({ length: COUNT }, (_, at) => {
    const name = one(CONTEXTS);
    const context = contexts[name];
    // An array at the top may hold no number: the library throws.
    const template = chance(0.6) ? text(context) : { body: node(context, 2), ...(chance(0.5) ? { more: node(context, 3) } : {}) };
    return { id: `generated-${String(at + 1).padStart(4, '0')}`, in: name, template };
  });
}
