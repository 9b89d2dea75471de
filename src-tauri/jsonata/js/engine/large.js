// Operations on large values that can be interrupted. Those of QuickJS can't.
import { MAX_AT_ONCE, look } from './clock.js';

const { isArray } = Array;
const joinAtOnce = Array.prototype.join;

// Also what a text of an array is made with.
Object.defineProperty(Array.prototype, 'join', {
  value: function join(separator) {
    if (!isArray(this) || this.length <= MAX_AT_ONCE) return joinAtOnce.call(this, separator);
    const between = separator === undefined ? ',' : String(separator);
    let text = '';
    for (let start = 0; start < this.length; start += MAX_AT_ONCE) {
      if (start > 0) text += between;
      text += joinAtOnce.call(this.slice(start, start + MAX_AT_ONCE), between);
      look();
    }
    return text;
  },
});

const assignAtOnce = Object.assign;
const isLongText = (value) => typeof value === 'string' && value.length > MAX_AT_ONCE;

// Options may be a text, whose characters are its members.
Object.defineProperty(Object, 'assign', {
  value: function assign(target, ...sources) {
    if (!sources.some(isLongText)) return assignAtOnce(target, ...sources);
    for (const source of sources) {
      if (isLongText(source)) for (let index = 0; index < source.length; index++) target[index] = source[index];
      else assignAtOnce(target, source);
    }
    return target;
  },
});
