import { readFileSync } from 'node:fs';

const q = JSON.stringify;
const HASHES = ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512', 'sha-256', 'MD5', 'SHA-3', 'nonsense', '', { name: 'SHA-256' }, { name: 'sha-512' }];
const DATA = ['', 'abc', 'ü€😀', 'x'.repeat(200)];
const BLOBS = [
  'new Blob()',
  'new Blob([])',
  'new Blob(["abc"])',
  'new Blob(["a", new Uint8Array([98, 99]), new Blob(["d"]), new Uint8Array([101]).buffer])',
  'new Blob(["é😀"], { type: "Text/Plain;charset=UTF-8" })',
  'new Blob(["\\ud800"])',
  'new Blob([1, null, undefined, {}])',
  'new Blob(["a"], { type: "tëxt" })',
  'new Blob(["a\\r\\nb"], { endings: "transparent" })',
  'new Blob([new DataView(new Uint8Array([1, 2, 3]).buffer, 1)])',
  'new Blob([new Uint8Array([0xef, 0xbb, 0xbf, 0x61, 0xff])])',
  'new Blob(new Set(["x", "y"]))',
  'new Blob(["a"], null)',
  'new Blob(["a"], { type: null })',
];

const all = (stream) => `(async () => { const out = []; for await (const chunk of ${stream}) out.push(chunk); return out })()`;
const source = (body) => `new ReadableStream({ ${body} })`;

const RSA_KEY = readFileSync(new URL('../../tests/platform/rsa-key.txt', import.meta.url), 'utf8');
const rsa = (hash) =>
  `crypto.subtle.importKey("pkcs8", Uint8Array.from(atob(${q(RSA_KEY)}), (c) => c.charCodeAt(0)), { name: "RSASSA-PKCS1-v1_5", hash: { name: ${q(hash)} } }, false, ["sign"]).then((key) => crypto.subtle.sign("RSASSA-PKCS1-v1_5", key, new TextEncoder().encode("text")))`;

export const binary = [
  ...['SHA-256', 'SHA-384', 'SHA-512'].map(rsa),
  ...HASHES.flatMap((hash) => DATA.map((data) => `crypto.subtle.digest(${q(hash)}, new TextEncoder().encode(${q(data)}))`)),
  'crypto.subtle.digest("SHA-256", new Uint8Array([1, 2, 3, 4]).subarray(1, 3))',
  'crypto.subtle.digest("SHA-256", new Uint16Array([1, 2]))',
  'crypto.subtle.digest("SHA-256", new ArrayBuffer(3))',
  'crypto.subtle.digest("SHA-256", new Uint8Array(100000)).then((b) => b.byteLength)',
  ...HASHES.flatMap((hash) =>
    ['k', 'key'.repeat(60), 'ü'].map(
      (key) =>
        `crypto.subtle.importKey("raw", new TextEncoder().encode(${q(key)}), { name: "HMAC", hash: ${q(hash)} }, false, ["sign"]).then((key) => crypto.subtle.sign("HMAC", key, new TextEncoder().encode("text")))`,
    ),
  ),
  'crypto.subtle.importKey("raw", new Uint8Array(0), { name: "HMAC", hash: "SHA-256" }, false, ["sign"])',
  'crypto.getRandomValues(new Uint8Array(16)).length',
  'crypto.getRandomValues(new Float32Array(1))',
  'crypto.getRandomValues(new Uint8Array(65537))',
  'crypto.randomUUID().length',
  ...BLOBS.flatMap((blob) => [`((b) => [b.size, b.type])(${blob})`, `(${blob}).text()`, `(${blob}).arrayBuffer()`]),
  'new Blob("abc")',
  'new Blob(5)',
  'new Blob(null)',
  'new Blob({})',
  'Object.prototype.toString.call(new Blob())',
  'new Blob() instanceof Blob',
  ...['', '1', '1, 3', '-2', '-3, -1', '0, 100', '3, 1', 'undefined, 2', '1, 3, "Text/X"', '9'].flatMap((args) => [
    `new Blob(["abcdef"], { type: "t/y" }).slice(${args}).text()`,
    `((b) => [b.size, b.type])(new Blob(["abcdef"], { type: "t/y" }).slice(${args}))`,
  ]),
  all('new Blob(["abc"]).stream()'),
  all('new Blob([]).stream()'),
  all('new Blob([new Uint8Array(70000)]).stream()').replace('return out', 'return out.map((c) => c.length).reduce((a, b) => a + b)'),
  all(source('start(c) { c.enqueue(1); c.enqueue("b"); c.close() }')),
  all(source('start(c) { c.close() }')),
  all(source('start(c) { c.enqueue(1); c.error(new Error("broken")) }')),
  all(source('n: 0, pull(c) { if (this.n === 3) c.close(); else c.enqueue(this.n++) }')),
  all(source('n: 0, async pull(c) { await null; if (this.n === 3) c.close(); else c.enqueue(this.n++) }')),
  all(source('pull() { throw new Error("pull failed") }')),
  all(source('start() { throw new Error("start failed") }')),
  all(source('start() { return Promise.reject(new Error("start rejected")) }')),
  all('ReadableStream.from([1, 2, 3])'),
  `(async () => { const s = ${source('start(c) { c.enqueue(1); c.close() }')}; const r = s.getReader(); const a = await r.read(); const b = await r.read(); await r.closed; r.releaseLock(); return [a, b, s.locked] })()`,
  `(async () => { const s = ${source('start(c) { c.enqueue(1) }')}; const r = s.getReader(); return [s.locked, await r.cancel("why"), await r.read()] })()`,
  `(() => { const s = ${source('start(c) {}')}; s.getReader(); s.getReader() })()`,
  `(() => { const s = ${source('start(c) {}')}; s.getReader(); return s.cancel() })()`,
  `(async () => { const s = ${source('start(c) { c.enqueue(1); c.enqueue(2); c.close() }')}; for await (const x of s) break; return [s.locked, await s.getReader().read()] })()`,
  `(async () => { let reason; const s = ${source('start(c) { c.enqueue(1) }, cancel(r) { reason = r }')}; await s.cancel("bye"); return reason })()`,
  `(async () => { const [a, b] = ${source('start(c) { c.enqueue(1); c.enqueue(2); c.close() }')}.tee(); const read = async (s) => { const o = []; for await (const x of s) o.push(x); return o }; return [await read(a), await read(b)] })()`,
  `(async () => { const s = new Blob(["hello"]).stream(); const [a, b] = s.tee(); const read = async (s) => { let o = ""; for await (const x of s) o += Buffer.from(x).toString(); return o }; return [s.locked, await read(b), await read(a)] })()`,
  `(async () => { const [a, b] = ${source('start(c) { c.error(new Error("torn")) }')}.tee(); return a.getReader().read().catch((e) => e.message) })()`,
  `(async () => { const r = ${source('start(c) { c.enqueue(1) }')}.getReader(); r.releaseLock(); return r.read().catch((e) => e.name) })()`,
  `(() => { let controller; ${source('start(c) { controller = c }')}; controller.close(); controller.enqueue(1) })()`,
  'Object.prototype.toString.call(new ReadableStream())',
  'new ReadableStream().locked',
  'new ReadableStream() instanceof ReadableStream',
];
