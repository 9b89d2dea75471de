// A result as JSON text.
import { deepUnwrapNative } from '@truto/truto-jsonata';

/** As JSON.stringify gives it: undefined for undefined and for functions. */
export function toJson(value) {
  return JSON.stringify(hasWrapper(value) ? deepUnwrapNative(value) : value);
}

// Truto's wrappers of dates, blobs, streams and the like keep what they wrap under a symbol. Unwrapping copies the whole value,
// and most results have no wrapper.
function hasWrapper(value) {
  if (value === null || typeof value !== 'object') return false;
  if (Array.isArray(value)) return value.some(hasWrapper);
  if (Object.getOwnPropertySymbols(value).length > 0) return true;
  for (const name in value) {
    if (hasWrapper(value[name])) return true;
  }
  return false;
}
