// What Truto's packages expect of a JavaScript platform and QuickJS lacks. Local time is UTC and the language is English (United States), as on Truto's workers.
// QuickJS itself brings DOMException, queueMicrotask, performance and String.prototype.normalize.
import { define } from './host.js';
import { atob, btoa } from './base64.js';
import { Blob } from './blob.js';
import { Buffer } from './buffer.js';
import { crypto } from './crypto.js';
import { Date } from './date.js';
import { Intl } from './intl/index.js';
import './intl/methods.js';
import { ReadableStream } from './streams.js';
import { TextDecoder, TextEncoder } from './text.js';
import { unavailable } from './unavailable.js';
import { URL } from './url.js';
import { URLSearchParams } from './url-search-params.js';

define(globalThis, {
  atob,
  Blob,
  btoa,
  Buffer,
  crypto,
  Date,
  Intl,
  ReadableStream,
  TextDecoder,
  TextEncoder,
  URL,
  URLSearchParams,
  ...unavailable,
});
