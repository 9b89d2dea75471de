// JSON.stringify in pieces: nothing can interrupt it, and a result may be as large as the memory allows.
import { MAX_AT_ONCE, look } from './clock.js';

// A value that is nested more deeply is written at once: it may contain itself, which JSON.stringify finds out.
const MAX_DEPTH = 200;

const { isArray } = Array;

/** JSON.stringify(value), or how many characters it has at least if those are more than `limit`. */
export function stringifyInPieces(value, limit) {
  const parts = new Map();
  // A method that writes a value gets the value's name, which pieces of an array would change.
  let hasMethod = false;
  let size = 0;
  const pieces = [];
  let length = 0;

  /** Notes where arrays have to be divided, and which objects. False: the value is nested too deeply. */
  function measure(value, depth) {
    if (depth > MAX_DEPTH) return false;
    if (typeof value.toJSON === 'function') {
      hasMethod = true;
      size += 1;
      return true;
    }
    const start = size;
    if (isArray(value)) {
      let begin = size;
      let ends;
      for (let index = 0; index < value.length; index++) {
        if (!add(value[index], depth)) return false;
        if (size - begin > MAX_AT_ONCE) {
          ends ??= [];
          ends.push(index);
          begin = size;
        }
      }
      if (ends) parts.set(value, ends);
      return true;
    }
    for (const name in value) {
      size += name.length;
      if (!add(value[name], depth)) return false;
    }
    if (size - start > MAX_AT_ONCE && isDivisible(value)) parts.set(value, undefined);
    return true;
  }

  function add(value, depth) {
    size += 1;
    if (typeof value === 'string') size += value.length;
    return typeof value !== 'object' || value === null || measure(value, depth + 1);
  }

  function push(text) {
    length += text.length;
    if (length > limit) throw pieces;
    pieces.push(text);
    look();
  }

  /** Whether there is anything to write. */
  function write(value, name, before) {
    if (typeof value === 'string' && value.length > MAX_AT_ONCE) {
      push(`${before}"`);
      writeText(value);
      push('"');
      return true;
    }
    if (typeof value === 'object' && value !== null && parts.has(value)) {
      push(before);
      if (isArray(value)) writeArray(value, parts.get(value));
      else writeObject(value);
      return true;
    }
    const text = stringifyMember(value, name);
    if (text === undefined) return false;
    push(before + text);
    return true;
  }

  function writeText(text) {
    let start = 0;
    while (start < text.length) {
      let end = start + MAX_AT_ONCE;
      // Half of a surrogate pair is written differently.
      if (isHighSurrogate(text.charCodeAt(end - 1))) end += 1;
      push(JSON.stringify(text.slice(start, end)).slice(1, -1));
      start = end;
    }
  }

  function writeArray(array, ends) {
    let separator = '[';
    let start = 0;
    const item = (index) => {
      if (!write(array[index], String(index), separator)) push(`${separator}null`);
      separator = ',';
    };
    const run = (end) => {
      if (hasMethod) {
        for (let index = start; index < end; index++) item(index);
      } else if (end > start) {
        push(separator + JSON.stringify(array.slice(start, end)).slice(1, -1));
        separator = ',';
      }
    };
    for (const end of ends) {
      run(end);
      // It may be large itself.
      item(end);
      start = end + 1;
    }
    run(array.length);
    push(']');
  }

  function writeObject(object) {
    let separator = '{';
    for (const name of Object.keys(object)) {
      if (write(object[name], name, `${separator}${JSON.stringify(name)}:`)) separator = ',';
    }
    push(separator === '{' ? '{}' : '}');
  }

  if (typeof value === 'object' && value !== null && !measure(value, 0)) return JSON.stringify(value);
  try {
    return write(value, '', '') ? pieces.join('') : undefined;
  } catch (error) {
    if (error === pieces) return length;
    throw error;
  }
}

const isHighSurrogate = (code) => code >= 0xd800 && code <= 0xdbff;

// JSON.stringify writes what these wrap.
const isDivisible = (object) => !(object instanceof String || object instanceof Number || object instanceof Boolean);

/** What JSON.stringify writes for an object's member of that name; undefined if it leaves it out. */
function stringifyMember(value, name) {
  if (typeof value !== 'object' || value === null || typeof value.toJSON !== 'function') return JSON.stringify(value);
  const text = JSON.stringify({ [name]: value });
  return text === '{}' ? undefined : text.slice(JSON.stringify(name).length + 2, -1);
}
