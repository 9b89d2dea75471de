// Web Cryptography API: digests, HMAC, and RSASSA-PKCS1-v1_5 signatures with a PKCS #8 key.
import { byteString, host, viewOf } from './host.js';

const HASHES = ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'];

/** An ArrayBuffer of exactly these bytes. */
const bufferOf = (bytes) => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);

const nameOf = (algorithm) => String(typeof algorithm === 'object' && algorithm !== null ? algorithm.name : algorithm);

function hashOf(algorithm) {
  const name = nameOf(algorithm).toUpperCase();
  if (!HASHES.includes(name)) throw new DOMException('Unrecognized algorithm name', 'NotSupportedError');
  return name;
}

function bytesOf(data, argument) {
  const bytes = viewOf(data);
  if (!bytes) throw new TypeError(`Failed to execute on 'SubtleCrypto': ${argument} is not an ArrayBuffer or a view on one.`);
  return byteString(bytes);
}

const secrets = new WeakMap();

class CryptoKey {
  constructor(type, algorithm, usages, secret) {
    this.type = type;
    this.algorithm = algorithm;
    this.usages = usages;
    this.extractable = false;
    secrets.set(this, secret);
  }

  get [Symbol.toStringTag]() {
    return 'CryptoKey';
  }
}

const subtle = {
  async digest(algorithm, data) {
    return bufferOf(host.digest(hashOf(algorithm), bytesOf(data, 'data')));
  },

  async importKey(format, keyData, algorithm, _extractable, usages) {
    const name = nameOf(algorithm).toUpperCase();
    const secret = bytesOf(keyData, 'keyData');
    if (name === 'HMAC' && format === 'raw') {
      const hash = { name: hashOf(algorithm.hash) };
      if (!secret) throw new DOMException('Zero-length key is not supported', 'DataError');
      return new CryptoKey('secret', { name: 'HMAC', hash, length: secret.length * 8 }, usages, secret);
    }
    if (name === 'RSASSA-PKCS1-V1_5' && format === 'pkcs8') {
      const hash = { name: hashOf(algorithm.hash) };
      const problem = host.rsaKeyProblem(secret);
      if (problem) throw new DOMException(problem, 'DataError');
      return new CryptoKey('private', { name: 'RSASSA-PKCS1-v1_5', hash }, usages, secret);
    }
    throw new DOMException(`Importing a key for ${name} in the format "${format}" is not supported`, 'NotSupportedError');
  },

  async sign(algorithm, key, data) {
    const secret = secrets.get(key);
    if (secret === undefined) throw new TypeError("Failed to execute 'sign' on 'SubtleCrypto': the key is not a CryptoKey.");
    if (nameOf(algorithm).toUpperCase() !== key.algorithm.name.toUpperCase())
      throw new DOMException('Key algorithm mismatch', 'InvalidAccessError');
    const sign = key.type === 'secret' ? host.hmac : host.rsaSign;
    const signature = sign(key.algorithm.hash.name, secret, bytesOf(data, 'data'));
    if (!signature) throw new DOMException(`Signing with ${key.algorithm.hash.name} is not supported`, 'NotSupportedError');
    return bufferOf(signature);
  },
};

export const crypto = {
  subtle,

  randomUUID: () => host.randomUuid(),

  getRandomValues(array) {
    if (!ArrayBuffer.isView(array) || array instanceof DataView || array instanceof Float32Array || array instanceof Float64Array)
      throw new DOMException('The data argument must be an integer-type TypedArray', 'TypeMismatchError');
    if (array.byteLength > 65_536) throw new DOMException(`The requested length exceeds 65,536 bytes`, 'QuotaExceededError');
    viewOf(array).set(host.randomBytes(array.byteLength));
    return array;
  },
};
