// Stands in for the package md5.js: the same interface, the work done by Rust.
import { Buffer } from './buffer.js';
import { byteString, host, viewOf } from './host.js';

export default class MD5 {
  #chunks = [];
  #finished = false;

  update(data, encoding) {
    const bytes = typeof data === 'string' ? Buffer.from(data, encoding) : viewOf(data);
    if (!bytes || data instanceof ArrayBuffer)
      throw new TypeError('The "data" argument must be a string, a Buffer, a Uint8Array, or a DataView');
    if (this.#finished) throw new Error('Digest already called');
    this.#chunks.push(byteString(bytes));
    return this;
  }

  digest(encoding) {
    if (this.#finished) throw new Error('Digest already called');
    this.#finished = true;
    const digest = Buffer.from(host.digest('MD5', this.#chunks.join('')));
    return encoding === undefined ? digest : digest.toString(encoding);
  }
}
