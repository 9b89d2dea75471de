/** A caller’s name as a heading. One without an API token has a name in words, such as `you` or `an account token`. */
export const callerName = (token: string | null, name: string): string =>
  token === null ? name.charAt(0).toUpperCase() + name.slice(1) : name;
