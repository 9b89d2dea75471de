// URL Standard §6.1: URL. Parsing and serializing are Rust's.
import { host } from './host.js';
import { internals, URLSearchParams } from './url-search-params.js';

/** In the order in which the host lists a URL's parts. */
const PARTS = ['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash'];
const READ_ONLY = new Set(['origin']);

function invalid(input, base) {
  const error = new TypeError('Invalid URL');
  error.code = 'ERR_INVALID_URL';
  error.input = input;
  if (base !== undefined) error.base = base;
  return error;
}

const parse = (input, base) => host.urlParse(input.toWellFormed(), base?.toWellFormed());

export class URL {
  #parts;
  #searchParams;

  constructor(input, base = undefined) {
    input = String(input);
    if (base !== undefined) base = String(base);
    this.#parts = parse(input, base);
    if (!this.#parts) throw invalid(input, base);
  }

  static canParse(input, base = undefined) {
    return Boolean(parse(String(input), base === undefined ? undefined : String(base)));
  }

  static {
    PARTS.forEach((part, index) => {
      const get = function () {
        return this.#parts[index];
      };
      const set = READ_ONLY.has(part)
        ? undefined
        : function (value) {
            value = String(value);
            const parts = host.urlSet(this.#parts[0], part, value.toWellFormed());
            if (!parts) throw invalid(value);
            this.#parts = parts;
            if (this.#searchParams && (part === 'href' || part === 'search'))
              internals.replace(this.#searchParams, this.#parts[PARTS.indexOf('search')]);
          };
      Object.defineProperty(URL.prototype, part, { get, set, enumerable: true, configurable: true });
    });
  }

  get searchParams() {
    if (!this.#searchParams) {
      this.#searchParams = new URLSearchParams(this.#parts[PARTS.indexOf('search')]);
      internals.connect(this.#searchParams, () => {
        this.#parts = host.urlSet(this.#parts[0], 'search', this.#searchParams.toString());
      });
    }
    return this.#searchParams;
  }

  toString() {
    return this.#parts[0];
  }

  toJSON() {
    return this.#parts[0];
  }

  get [Symbol.toStringTag]() {
    return 'URL';
  }
}
