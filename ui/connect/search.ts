import type { Integration } from './api';

/** The integrations whose name, label or category contains every word of the query. Those that start with it come first. */
export function searchIntegrations(integrations: Integration[], query: string): Integration[] {
  const [first = ''] = plain(query).split(' ');
  const matches = integrations.filter(({ name, label, category }) =>
    textMatches(`${label} ${name} ${category}`, query),
  );
  const rank = ({ label }: Integration): number => (plain(label).startsWith(first) ? 0 : 1);
  return matches.toSorted((one, other) => rank(one) - rank(other));
}

/** Whether a text contains every word of the query. */
export function textMatches(text: string, query: string): boolean {
  const searched = plain(text);
  return plain(query)
    .split(' ')
    .every((word) => searched.includes(word));
}

/** Lowercase, without accents and repeated spaces. */
function plain(text: string): string {
  return text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase().replaceAll(/\s+/g, ' ').trim();
}
