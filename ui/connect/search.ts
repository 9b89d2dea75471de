import type { Integration } from './api';

/** The integrations whose name, label or category contains every word of the query. Those that start with it come first. */
export function searchIntegrations(integrations: Integration[], query: string): Integration[] {
  const words = plain(query).split(' ').filter(Boolean);
  const [first = ''] = words;
  const matches = integrations.filter(({ name, label, category }) => {
    const text = plain(`${label} ${name} ${category}`);
    return words.every((word) => text.includes(word));
  });
  const rank = ({ label }: Integration): number => (plain(label).startsWith(first) ? 0 : 1);
  return matches.toSorted((one, other) => rank(one) - rank(other));
}

/** Lowercase, without accents and repeated spaces. */
function plain(text: string): string {
  return text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase().replaceAll(/\s+/g, ' ').trim();
}
