/**
 * Text from Relink, with curly apostrophes. Rust writes them straight, because its texts also appear in the terminal and in
 * API responses.
 */
export function curly(text: string): string {
  return text.replaceAll(/(?<=\p{L})'(?=\p{L})/gu, '’');
}
