/** The patterns that select several of these events: `integrated_account:*`. */
export function families(events: string[]): string[] {
  const prefixes = events
    .filter((name) => name.includes(':'))
    .map((name) => name.slice(0, name.indexOf(':') + 1));
  const several = prefixes.filter((prefix, at) => prefixes.indexOf(prefix) !== at);
  return [...new Set(several)].map((prefix) => `${prefix}*`);
}

/** The events that a person has typed, separated by commas or spaces. */
export function typed(text: string): string[] {
  return text.split(/[\s,]+/).filter((name) => name !== '');
}
