// An error as Rust reads it: jsonata throws plain objects with a code, the packages and the interpreter throw Errors.

/** The error's code, message, position and token, each only if it has one. */
export function explain(error) {
  const { code, message, position, token } = Object(error);
  return {
    code: typeof code === 'string' ? code : undefined,
    message: typeof message === 'string' ? message : String(message ?? (error === null || typeof error !== 'object' ? error : 'an error without a message')),
    position: typeof position === 'number' ? position : undefined,
    token: typeof token === 'string' ? token : undefined,
  };
}
