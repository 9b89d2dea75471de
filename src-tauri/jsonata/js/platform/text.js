// Encoding Standard: TextEncoder, and TextDecoder for UTF-8, UTF-16LE and Latin-1.
import { byteString, host, utf8Bytes, viewOf } from './host.js';

export class TextEncoder {
  get encoding() {
    return 'utf-8';
  }

  encode(input = '') {
    return utf8Bytes(String(input));
  }

  encodeInto(source, destination) {
    let read = 0;
    let written = 0;
    for (const character of String(source).toWellFormed()) {
      const bytes = utf8Bytes(character);
      if (written + bytes.length > destination.length) break;
      destination.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }

  get [Symbol.toStringTag]() {
    return 'TextEncoder';
  }
}

const LABELS = new Map([
  ...['unicode-1-1-utf-8', 'unicode11utf8', 'unicode20utf8', 'utf-8', 'utf8', 'x-unicode20utf8'].map((label) => [label, 'utf-8']),
  ...['csunicode', 'iso-10646-ucs-2', 'ucs-2', 'unicode', 'unicodefeff', 'utf-16', 'utf-16le'].map((label) => [label, 'utf-16le']),
  ...['ascii', 'us-ascii', 'latin1', 'l1', 'iso-8859-1', 'iso8859-1', 'iso88591', 'cp1252', 'windows-1252', 'x-cp1252'].map((label) => [
    label,
    'windows-1252',
  ]),
]);

// The 32 bytes from 0x80 in which windows-1252 differs from Latin-1.
const WINDOWS_1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

function decodeUtf16(bytes, fatal) {
  let text = '';
  for (let i = 0; i + 1 < bytes.length; i += 2) text += String.fromCharCode(bytes[i] | (bytes[i + 1] << 8));
  if (bytes.length % 2) text += '\ufffd';
  if (fatal && (bytes.length % 2 || !text.isWellFormed())) return undefined;
  return text.toWellFormed();
}

/** How many bytes at the end begin a UTF-8 character that may still be completed. */
function incompleteTail(bytes) {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back];
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 && byte <= 0xf4 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    return byte <= 0xf4 && length > back ? back : 0;
  }
  return 0;
}

function concatenate(first, second) {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

export class TextDecoder {
  #encoding;
  #fatal;
  #ignoreBOM;
  /** The beginning of a character, kept for the next call. */
  #pending = null;
  #started = false;

  constructor(label = 'utf-8', options = {}) {
    this.#encoding = label === 'utf-8' ? label : LABELS.get(String(label).trim().toLowerCase());
    if (!this.#encoding) throw new RangeError(`The "${label}" encoding is not supported`);
    this.#fatal = Boolean(options?.fatal);
    this.#ignoreBOM = Boolean(options?.ignoreBOM);
  }

  get encoding() {
    return this.#encoding;
  }

  get fatal() {
    return this.#fatal;
  }

  get ignoreBOM() {
    return this.#ignoreBOM;
  }

  decode(input = new Uint8Array(0), options = {}) {
    let bytes = viewOf(input);
    if (!bytes) throw new TypeError('The "list" argument must be an instance of ArrayBuffer or ArrayBufferView.');
    if (this.#pending) bytes = concatenate(this.#pending, bytes);
    let tail = 0;
    if (options?.stream) tail = this.#encoding === 'utf-8' ? incompleteTail(bytes) : this.#encoding === 'utf-16le' ? bytes.length % 2 : 0;
    this.#pending = tail ? bytes.slice(bytes.length - tail) : null;
    let text = this.#decodeWhole(tail ? bytes.subarray(0, bytes.length - tail) : bytes);
    if (!this.#started && !this.#ignoreBOM && text.charCodeAt(0) === 0xfeff && this.#encoding !== 'windows-1252') text = text.slice(1);
    this.#started = Boolean(options?.stream) && (this.#started || text !== '');
    return text;
  }

  #decodeWhole(bytes) {
    if (this.#encoding === 'windows-1252')
      return byteString(bytes).replace(/[\x80-\x9f]/g, (character) => WINDOWS_1252[character.charCodeAt(0) - 0x80]);
    const text = this.#encoding === 'utf-8' ? host.utf8Decode(byteString(bytes), this.#fatal) : decodeUtf16(bytes, this.#fatal);
    if (text === undefined || text === null) {
      const error = new TypeError(`The encoded data was not valid for encoding ${this.#encoding}`);
      error.code = 'ERR_ENCODING_INVALID_ENCODED_DATA';
      throw error;
    }
    return text;
  }

  get [Symbol.toStringTag]() {
    return 'TextDecoder';
  }
}
