/**
 * Indents a JSON text without reading its values, so that numbers, escapes and the order of keys stay as they were sent.
 * `null`: the text isn’t JSON.
 */
export function indented(text: string): string | null {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  let depth = 0;
  const line = (): string => `\n${'  '.repeat(depth)}`;
  // In valid JSON, these are all tokens.
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[[\]{}:,]|[^\s"[\]{}:,]+/g) ?? [];
  return tokens
    .map((token, index) => {
      switch (token) {
        case '{':
        case '[': {
          depth += 1;
          const isEmpty = tokens[index + 1] === (token === '{' ? '}' : ']');
          return isEmpty ? token : token + line();
        }
        case '}':
        case ']': {
          depth -= 1;
          const isEmpty = tokens[index - 1] === (token === '}' ? '{' : '[');
          return isEmpty ? token : line() + token;
        }
        case ',':
          return token + line();
        case ':':
          return ': ';
        default:
          return token;
      }
    })
    .join('');
}
