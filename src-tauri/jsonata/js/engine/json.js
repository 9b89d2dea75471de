// A result as JSON text.
import { deepUnwrapNative } from '@truto/truto-jsonata';

// A value that is nested more deeply is unwrapped in any case: it may contain itself, which unwrapping can deal with.
const MAX_SEARCHED = 200;

/** As JSON.stringify gives it: undefined for undefined and for functions. */
export function toJson(value) {
  const result = hasWrapper(value, 0) ? deepUnwrapNative(value) : value;
  try {
    return JSON.stringify(result);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw { code: 'not_json', message: `The result can't be written as JSON (${error.message}). Functions and values that contain themselves can't be.` };
  }
}

/** For the synchronous evaluator: fails for a value with a function in it, which holds where it was called last. */
export function toJsonWithoutFunctions(value) {
  if (hasFunction(value, 0)) throw new Error('waits');
  return toJson(value);
}

function hasFunction(value, depth) {
  if (value === null || typeof value !== 'object') return false;
  if (depth > MAX_SEARCHED || value._jsonata_function === true || value._jsonata_lambda === true) return true;
  if (Array.isArray(value)) return value.some((item) => hasFunction(item, depth + 1));
  for (const name in value) {
    if (hasFunction(value[name], depth + 1)) return true;
  }
  return false;
}

// Truto's wrappers of dates, blobs, streams and the like keep what they wrap under a symbol. Unwrapping copies the whole value,
// and most results have no wrapper.
function hasWrapper(value, depth) {
  if (value === null || typeof value !== 'object') return false;
  if (depth > MAX_SEARCHED) return true;
  if (Array.isArray(value)) return value.some((item) => hasWrapper(item, depth + 1));
  if (Object.getOwnPropertySymbols(value).length > 0) return true;
  for (const name in value) {
    if (hasWrapper(value[name], depth + 1)) return true;
  }
  return false;
}
