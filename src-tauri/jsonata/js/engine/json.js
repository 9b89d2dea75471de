// A result as JSON text.
import { deepUnwrapNative } from '@truto/truto-jsonata';

import { MAX_AT_ONCE } from './clock.js';
import { stringifyInPieces } from './pieces.js';

// A value that is nested more deeply is unwrapped in any case: it may contain itself, which unwrapping can deal with.
const MAX_SEARCHED = 200;

const { isArray } = Array;
const { getOwnPropertySymbols } = Object;

// What the last search found.
let hasFunction = false;
let hasWrapper = false;
let lambda;
// Values and characters of texts.
let size = 0;

let stopsAtFunction = false;

/** As JSON.stringify gives it: undefined for undefined and for functions. A number says that it has more than `limit` characters. */
export function toJson(value, limit) {
  stopsAtFunction = false;
  look(value);
  return write(value, limit);
}

/** For the synchronous evaluator: fails for a value with a function in it, which holds where it was called last. */
export function toJsonWithoutFunctions(value, limit) {
  stopsAtFunction = true;
  look(value);
  if (hasFunction) throw new Error('waits');
  return write(value, limit);
}

function write(value, limit) {
  try {
    // It contains the names of its surroundings, which contain themselves: fails at once, while unwrapping would copy them all.
    if (lambda !== undefined) JSON.stringify(lambda);
    const result = hasWrapper ? deepUnwrapNative(value) : value;
    return hasWrapper || size > MAX_AT_ONCE ? stringifyInPieces(result, limit) : JSON.stringify(result);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw { code: 'not_json', message: `The result can't be written as JSON (${error.message}). Functions and values that contain themselves can't be.` };
  }
}

function look(value) {
  hasFunction = false;
  hasWrapper = false;
  lambda = undefined;
  size = 0;
  if (typeof value === 'string') size = value.length;
  else if (typeof value === 'object' && value !== null) search(value, 0);
}

/** Whether it is useless to search any further. */
function search(value, depth) {
  if (depth > MAX_SEARCHED) {
    hasFunction = true;
    hasWrapper = true;
    return true;
  }
  if (isArray(value)) {
    size += value.length;
    for (let index = 0; index < value.length; index++) {
      const item = value[index];
      if (typeof item === 'string') size += item.length;
      else if (typeof item === 'object' && item !== null && search(item, depth + 1)) return true;
    }
    return false;
  }
  if (value._jsonata_function === true || value._jsonata_lambda === true) {
    hasFunction = true;
    if (stopsAtFunction) return true;
    if (value._jsonata_lambda === true) {
      lambda = value;
      hasWrapper = true;
      return true;
    }
  }
  // Truto's wrappers of dates, blobs, streams and the like keep what they wrap under a symbol. Unwrapping copies the whole value,
  // and most results have no wrapper.
  if (!hasWrapper && getOwnPropertySymbols(value).length > 0) {
    hasWrapper = true;
    if (!stopsAtFunction) return true;
  }
  for (const name in value) {
    const member = value[name];
    size += name.length;
    if (typeof member === 'string') size += member.length;
    else if (typeof member === 'object' && member !== null && search(member, depth + 1)) return true;
  }
  return false;
}
