import type { FieldSpec, Method } from './api';

/** Whether a secret is entered into the form. */
export function hasSecret({ format, fields }: Method): boolean {
  return format !== 'oauth2' || fields.some(({ type }) => type === 'password');
}

/** The values to send: trimmed, because keys are often pasted with a line break, and without empty fields. */
export function typedValues(fields: FieldSpec[], data: FormData): Record<string, string> {
  const typed: Record<string, string> = {};
  for (const field of fields) {
    const value = data.get(field.name);
    if (typeof value === 'string' && value.trim() !== '') typed[field.name] = value.trim();
  }
  return typed;
}

/** The error of each invalid field, by name. It never contains the typed value. */
export function fieldErrors(fields: FieldSpec[], typed: Record<string, string>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const field of fields) {
    const value = typed[field.name];
    if (value === undefined) {
      if (field.required)
        found[field.name] = field.type === 'single_select' ? 'Select an option.' : 'Enter a value.';
    } else if (field.pattern !== null && !matches(field.pattern, value)) {
      found[field.name] = field.placeholder
        ? `This doesn’t match the expected format, such as ${field.placeholder}.`
        : 'This doesn’t match the expected format. Check that you copied all of it.';
    }
  }
  return found;
}

/** Matches the whole value, as HTML’s `pattern` does. An invalid pattern is left to the server. */
function matches(pattern: string, value: string): boolean {
  try {
    return new RegExp(`^(?:${pattern})$`, 'u').test(value);
  } catch {
    return true;
  }
}
