// Node's own modules, which some packages look for and do without.
export default {};
export const inspect = {};
export const promises = {};
export const createReadStream = undefined;
