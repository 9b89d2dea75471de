// File API: Blob.
import { byteString, host, utf8Bytes, viewOf } from './host.js';
import { ReadableStream } from './streams.js';

const CHUNK = 65_536;

function bytesOfPart(part) {
  return part instanceof Blob ? bytesOfBlob(part) : (viewOf(part) ?? utf8Bytes(String(part)));
}

function typeOf(type = '') {
  type = String(type);
  return /[^\x20-\x7e]/.test(type) ? '' : type.toLowerCase();
}

let bytesOfBlob;

export class Blob {
  #bytes;
  #type;

  static {
    bytesOfBlob = (blob) => blob.#bytes;
  }

  constructor(parts = [], options = {}) {
    if (parts === null || typeof parts !== 'object' || typeof parts[Symbol.iterator] !== 'function') {
      const received =
        parts === null
          ? 'null'
          : typeof parts === 'object'
            ? 'an instance of Object'
            : `type ${typeof parts} (${typeof parts === 'string' ? `'${parts}'` : String(parts)})`;
      const error = new TypeError(`The "sources" argument must be a sequence. Received ${received}`);
      error.code = 'ERR_INVALID_ARG_TYPE';
      throw error;
    }
    const native = options?.endings === 'native';
    const chunks = Array.from(parts, (part) => bytesOfPart(native && typeof part === 'string' ? part.replace(/\r\n?/g, '\n') : part));
    this.#bytes = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
    let offset = 0;
    for (const chunk of chunks) {
      this.#bytes.set(chunk, offset);
      offset += chunk.length;
    }
    this.#type = typeOf(options?.type);
  }

  get size() {
    return this.#bytes.length;
  }

  get type() {
    return this.#type;
  }

  async arrayBuffer() {
    return this.#bytes.slice().buffer;
  }

  async text() {
    const text = host.utf8Decode(byteString(this.#bytes), false);
    return text.startsWith('\ufeff') ? text.slice(1) : text;
  }

  slice(start = 0, end = this.size, type = '') {
    return new Blob([this.#bytes.subarray(start, end)], { type });
  }

  stream() {
    const bytes = this.#bytes;
    let offset = 0;
    return new ReadableStream({
      pull(controller) {
        if (offset < bytes.length) controller.enqueue(bytes.slice(offset, (offset += CHUNK)));
        if (offset >= bytes.length) controller.close();
      },
    });
  }

  get [Symbol.toStringTag]() {
    return 'Blob';
  }
}
