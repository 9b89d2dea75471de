// Where Truto's code does less than its documentation says, and nothing depends on it.

/** By the function's name: gives the function that takes the place of the package's. */
export const improvements = {
  // Documented: removes the members whose values are empty from an object. The code gives nothing for any object.
  removeEmpty: (original) => (arg) => (isPlain(arg) ? withoutEmptyMembers(arg) : original(arg)),
};

// Truto's wrappers of dates, blobs and the like have symbols.
function isPlain(value) {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && Object.getOwnPropertySymbols(value).length === 0;
}

/** Without members, as for an empty array or text: nothing. */
function withoutEmptyMembers(object) {
  const members = Object.entries(object).filter(([, value]) => value !== null && value !== undefined && value !== '' && !isEmptyArray(value));
  return members.length > 0 ? Object.fromEntries(members) : undefined;
}

const isEmptyArray = (value) => Array.isArray(value) && value.length === 0;
