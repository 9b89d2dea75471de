import type { FieldSpec } from './api';

/** What was typed, as it is sent: trimmed (keys are pasted with line ends), without what was left empty. */
export function typedValues(fields: FieldSpec[], data: FormData): Record<string, string> {
  const typed: Record<string, string> = {};
  for (const field of fields) {
    const value = data.get(field.name);
    if (typeof value === 'string' && value.trim() !== '') typed[field.name] = value.trim();
  }
  return typed;
}

/** What is wrong with each field, by name. The words never repeat what was typed. */
export function mistakes(fields: FieldSpec[], typed: Record<string, string>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const field of fields) {
    const value = typed[field.name];
    if (value === undefined) {
      if (field.required)
        found[field.name] = field.type === 'single_select' ? 'Choose one.' : 'Fill this in.';
    } else if (field.pattern !== null && !matches(field.pattern, value)) {
      found[field.name] = field.placeholder
        ? `This doesn't have the expected form, like ${field.placeholder}.`
        : "This doesn't have the expected form. Check that all of it was copied.";
    }
  }
  return found;
}

/** As HTML's `pattern`: the whole value. A pattern that this browser can't read is left to the server. */
function matches(pattern: string, value: string): boolean {
  try {
    return new RegExp(`^(?:${pattern})$`, 'u').test(value);
  } catch {
    return true;
  }
}
