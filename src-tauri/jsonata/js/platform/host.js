// The functions that Rust provides (src/host). Expressions must not reach them, so the global goes away here.
export const host = globalThis.__host;
delete globalThis.__host;

/** A view of the bytes of an ArrayBuffer or of any view; undefined for anything else. */
export function viewOf(source) {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  return undefined;
}

// The engine passes arguments on its stack.
const CHUNK = 8192;

/** How bytes travel to Rust: one character up to U+00FF for each. */
export function byteString(bytes) {
  if (bytes.length <= CHUNK) return String.fromCharCode.apply(null, bytes);
  let text = '';
  for (let start = 0; start < bytes.length; start += CHUNK) text += String.fromCharCode.apply(null, bytes.subarray(start, start + CHUNK));
  return text;
}

/** The reverse of `byteString`. */
export function bytesOfString(text) {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

export const utf8Bytes = (text) => host.utf8Encode(text.toWellFormed());

/** A map that forgets its oldest entry when it grows beyond `limit`. */
export class BoundedCache {
  #entries = new Map();
  #limit;

  constructor(limit) {
    this.#limit = limit;
  }

  get(key) {
    return this.#entries.get(key);
  }

  set(key, value) {
    if (this.#entries.size >= this.#limit && !this.#entries.has(key)) this.#entries.delete(this.#entries.keys().next().value);
    this.#entries.set(key, value);
    return value;
  }
}

/** Adds properties as the standard defines globals: not enumerable. */
export function define(target, properties) {
  for (const [name, value] of Object.entries(properties))
    Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
}
