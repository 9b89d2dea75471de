import type { Integration } from './api';

/** The integrations whose name, label or category has every word that was typed; those that begin with it first. */
export function found(integrations: Integration[], sought: string): Integration[] {
  const words = plain(sought).split(' ').filter(Boolean);
  const [first = ''] = words;
  const hits = integrations.filter(({ name, label, category }) => {
    const text = plain(`${label} ${name} ${category}`);
    return words.every((word) => text.includes(word));
  });
  const rank = ({ label }: Integration): number => (plain(label).startsWith(first) ? 0 : 1);
  return hits.toSorted((one, other) => rank(one) - rank(other));
}

/** Without case and accents. */
function plain(text: string): string {
  return text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase().replaceAll(/\s+/g, ' ').trim();
}
