// For packages that only functions use which need a network: those fail before they get here.
export default function unreachable() {
  throw new Error('not available in an expression');
}
export class AbortError extends Error {}
export const getEncoding = unreachable;
