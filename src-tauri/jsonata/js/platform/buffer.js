// As much of Node's Buffer as Truto's functions use: from, concat, isBuffer, byteLength and toString with an encoding.
import { atob, btoa } from './base64.js';
import { byteString, bytesOfString, host, utf8Bytes, viewOf } from './host.js';

const encodingOf = (name) => {
  const encoding = String(name ?? 'utf8')
    .toLowerCase()
    .replace('utf-', 'utf')
    .replace('ucs-2', 'ucs2');
  return { '': 'utf8', binary: 'latin1', ucs2: 'utf16le' }[encoding] ?? encoding;
};

function unknownEncoding(name) {
  const error = new TypeError(`Unknown encoding: ${name}`);
  error.code = 'ERR_UNKNOWN_ENCODING';
  return error;
}

function bytesFromText(text, name) {
  switch (encodingOf(name)) {
    case 'utf8':
      return utf8Bytes(text);
    case 'latin1':
    case 'ascii':
      return bytesOfString(text);
    case 'hex':
      return Uint8Array.from(/^(?:[0-9a-f]{2})*/i.exec(text)[0].match(/../g) ?? [], (pair) => parseInt(pair, 16));
    case 'base64':
    case 'base64url': {
      // Node skips what isn't base64 and stops at the padding.
      const digits = text
        .split('=', 1)[0]
        .replace(/-/g, '+')
        .replace(/_/g, '/')
        .replace(/[^A-Za-z0-9+/]/g, '');
      return bytesOfString(atob(digits.length % 4 === 1 ? digits.slice(0, -1) : digits));
    }
    case 'utf16le':
      return Uint8Array.from({ length: text.length * 2 }, (_, i) => (text.charCodeAt(i >> 1) >> (i % 2 ? 8 : 0)) & 0xff);
    default:
      throw unknownEncoding(name);
  }
}

function textFromBytes(bytes, name) {
  switch (encodingOf(name)) {
    case 'utf8':
      return host.utf8Decode(byteString(bytes), false);
    case 'latin1':
      return byteString(bytes);
    case 'ascii':
      return byteString(bytes).replace(/[\x80-\xff]/g, (character) => String.fromCharCode(character.charCodeAt(0) & 0x7f));
    case 'hex':
      return Array.from(bytes, (byte) => (byte < 16 ? '0' : '') + byte.toString(16)).join('');
    case 'base64':
      return btoa(byteString(bytes));
    case 'base64url':
      return btoa(byteString(bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
    case 'utf16le': {
      let text = '';
      for (let i = 0; i + 1 < bytes.length; i += 2) text += String.fromCharCode(bytes[i] | (bytes[i + 1] << 8));
      return text;
    }
    default:
      throw unknownEncoding(name);
  }
}

function invalidSource(value) {
  const error = new TypeError(
    'The first argument must be of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object. Received ' +
      (value === null || value === undefined ? value : `type ${typeof value}`),
  );
  error.code = 'ERR_INVALID_ARG_TYPE';
  return error;
}

export class Buffer extends Uint8Array {
  static from(source, encoding) {
    if (typeof source === 'string') return Buffer.#over(bytesFromText(source, encoding));
    if (source instanceof ArrayBuffer) return new Buffer(source);
    if (typeof source !== 'object' || source === null) throw invalidSource(source);
    const copy = new Buffer(Math.max(0, Math.trunc(Number(source.length)) || 0));
    for (let i = 0; i < copy.length; i++) copy[i] = source[i];
    return copy;
  }

  static #over(bytes) {
    return new Buffer(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  static alloc(length) {
    return new Buffer(length);
  }

  static concat(list) {
    const whole = new Buffer(list.reduce((length, bytes) => length + bytes.length, 0));
    let offset = 0;
    for (const bytes of list) {
      whole.set(bytes, offset);
      offset += bytes.length;
    }
    return whole;
  }

  static isBuffer(value) {
    return value instanceof Buffer;
  }

  static byteLength(value, encoding) {
    return typeof value === 'string' ? bytesFromText(value, encoding).length : (viewOf(value)?.length ?? 0);
  }

  toString(encoding, start = 0, end = this.length) {
    return textFromBytes(this.subarray(start, end), encoding);
  }

  toJSON() {
    return { type: 'Buffer', data: Array.from(this) };
  }
}
