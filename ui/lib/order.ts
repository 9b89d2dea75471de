const collator = new Intl.Collator(undefined, { numeric: true });

/**
 * The order in which people expect names: as in their language, numbers by their value (59 before 427), capital letters only
 * if nothing else differs. The command line and the tray have the same order (`natural_order` in Rust).
 */
export function byName(one: string, other: string): number {
  return collator.compare(one, other);
}
