// QuickJS's atob and btoa with the messages of Node, which `$base64encode` and `$base64decode` pass on.

const native = { atob: globalThis.atob, btoa: globalThis.btoa };

const invalidCharacter = (message) => new DOMException(message, 'InvalidCharacterError');

export function atob(text) {
  text = String(text);
  try {
    return native.atob(text);
  } catch {
    const digits = text.replace(/[\t\n\f\r ]/g, '');
    throw invalidCharacter(/[^A-Za-z0-9+/]/.test(digits) ? 'Invalid character' : 'The string to be decoded is not correctly encoded.');
  }
}

export function btoa(text) {
  text = String(text);
  try {
    return native.btoa(text);
  } catch {
    throw invalidCharacter('Invalid character');
  }
}
