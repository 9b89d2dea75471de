export { dates } from './dates.mjs';
export { formats } from './formats.mjs';
export { numbers } from './numbers.mjs';
export { text } from './text.mjs';
export { urls } from './urls.mjs';
export { binary } from './binary.mjs';
