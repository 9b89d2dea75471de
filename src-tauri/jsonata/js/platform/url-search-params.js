// URL Standard §6.2: URLSearchParams.
import { host } from './host.js';

const text = (value) => String(value).toWellFormed();

/** Lets a URL learn of changes to its parameters, and replace them, without either becoming public. */
export const internals = { connect: undefined, replace: undefined };

export class URLSearchParams {
  #pairs = [];
  #changed = () => undefined;

  static {
    internals.connect = (params, changed) => (params.#changed = changed);
    internals.replace = (params, query) => (params.#pairs = parse(query));
  }

  constructor(init = undefined) {
    if (init === undefined || init === null) return;
    if (typeof init === 'object' || typeof init === 'function') {
      if (init[Symbol.iterator] !== undefined && init[Symbol.iterator] !== null) {
        for (const pair of init) {
          const entry = typeof pair === 'object' && pair !== null && typeof pair[Symbol.iterator] === 'function' ? [...pair] : [];
          if (entry.length !== 2) throw invalidTuple();
          this.#pairs.push(entry.map(text));
        }
      } else {
        for (const key of Reflect.ownKeys(init))
          if (Object.prototype.propertyIsEnumerable.call(init, key)) this.#pairs.push([text(key), text(init[key])]);
      }
    } else {
      this.#pairs = parse(text(init));
    }
  }

  get size() {
    return this.#pairs.length;
  }

  append(name, value) {
    this.#pairs.push([text(name), text(value)]);
    this.#changed();
  }

  delete(name, value = undefined) {
    name = text(name);
    if (value !== undefined) value = text(value);
    this.#pairs = this.#pairs.filter((pair) => pair[0] !== name || (value !== undefined && pair[1] !== value));
    this.#changed();
  }

  get(name) {
    name = text(name);
    return this.#pairs.find((pair) => pair[0] === name)?.[1] ?? null;
  }

  getAll(name) {
    name = text(name);
    return this.#pairs.filter((pair) => pair[0] === name).map((pair) => pair[1]);
  }

  has(name, value = undefined) {
    name = text(name);
    if (value !== undefined) value = text(value);
    return this.#pairs.some((pair) => pair[0] === name && (value === undefined || pair[1] === value));
  }

  set(name, value) {
    name = text(name);
    const first = this.#pairs.findIndex((pair) => pair[0] === name);
    if (first < 0) return this.append(name, value);
    this.#pairs[first] = [name, text(value)];
    this.#pairs = this.#pairs.filter((pair, index) => index <= first || pair[0] !== name);
    this.#changed();
  }

  sort() {
    this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    this.#changed();
  }

  forEach(callback, thisArg = undefined) {
    if (typeof callback !== 'function') throw new TypeError('The "callback" argument must be of type function.');
    for (const [name, value] of this) callback.call(thisArg, value, name, this);
  }

  *entries() {
    for (let i = 0; i < this.#pairs.length; i++) yield [...this.#pairs[i]];
  }

  *keys() {
    for (const [name] of this.entries()) yield name;
  }

  *values() {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  toString() {
    return host.formEncode(this.#pairs.flat());
  }

  get [Symbol.toStringTag]() {
    return 'URLSearchParams';
  }
}

function invalidTuple() {
  const error = new TypeError('Each query pair must be an iterable [name, value] tuple');
  error.code = 'ERR_INVALID_TUPLE';
  return error;
}

function parse(query) {
  const list = host.formDecode(query.startsWith('?') ? query.slice(1) : query);
  const pairs = [];
  for (let i = 0; i < list.length; i += 2) pairs.push([list[i], list[i + 1]]);
  return pairs;
}
