// An error as Rust reads it: jsonata throws plain objects with a code, the packages and the interpreter throw Errors.

// What Node calls the TypeErrors that QuickJS words differently.
const IN_NODES_WORDS = [
  [/^cannot read property '(.*)' of (null|undefined)$/s, "Cannot read properties of $2 (reading '$1')"],
  [/^cannot set property '(.*)' of (null|undefined)$/s, "Cannot set properties of $2 (setting '$1')"],
  [/^toPrimitive$/, 'Cannot convert object to primitive value'],
];

function messageOf(error) {
  if (error === null || typeof error !== 'object') return String(error);
  if (typeof error.message !== 'string') return String(error.message ?? 'an error without a message');
  const words = error instanceof TypeError ? IN_NODES_WORDS.find(([ours]) => ours.test(error.message)) : undefined;
  return words ? error.message.replace(...words) : error.message;
}

// A text with half a surrogate pair is none that Rust can hold.
const textOf = (value) => (typeof value === 'string' ? value.toWellFormed() : undefined);

/** The error's code, message, position and token, each only if it has one. */
export function explain(error) {
  const { code, position, token } = Object(error);
  return {
    code: textOf(code),
    message: textOf(messageOf(error)),
    position: typeof position === 'number' ? position : undefined,
    token: textOf(token),
  };
}
