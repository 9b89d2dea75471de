/** What the app that opens a form asks for in its URL (Truto’s Link SDK, contract section 2.2). */
export interface FormParameters {
  /** Merged into the account’s context. */
  additionalContext: Record<string, unknown>;
  /** By field: why what was chosen there can’t be taken back. */
  preventDeselect: Record<string, string>;
  /** By field: why it can’t be changed. */
  disabledFields: Record<string, string>;
  /** The parameter that can’t be read. */
  malformed: string | null;
}

export const NO_PARAMETERS: FormParameters = {
  additionalContext: {},
  preventDeselect: {},
  disabledFields: {},
  malformed: null,
};

export function formParameters(query: URLSearchParams): FormParameters {
  let malformed: string | null = null;
  const objectIn = (name: string): Record<string, unknown> => {
    const text = query.get(name);
    if (!text) return {};
    const value = parsed(text);
    if (isObject(value)) return value;
    malformed ??= name;
    return {};
  };
  const messagesIn = (name: string): Record<string, string> =>
    Object.fromEntries(Object.entries(objectIn(name)).map(([field, why]) => [field, messageOf(why)]));
  return {
    additionalContext: objectIn('truto_additional_context'),
    preventDeselect: messagesIn('truto_prevent_deselect'),
    disabledFields: messagesIn('truto_disabled_fields'),
    malformed,
  };
}

function messageOf(why: unknown): string {
  return isObject(why) && typeof why['message'] === 'string' ? why['message'] : '';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
