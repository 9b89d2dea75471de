// What an expression cannot have: the network and time that passes. `console` exists because packages write warnings to it; nobody reads them.

function refuse(name, message) {
  const refused = () => {
    throw new Error(message);
  };
  Object.defineProperty(refused, 'name', { value: name });
  return refused;
}

const timer = (name) => refuse(name, `Timers (${name}) are not available in an expression`);
const ignore = () => undefined;

const fetch = async () => {
  throw new Error('Network functions are not available in an expression: fetch cannot be called');
};

const console = Object.fromEntries(
  ['assert', 'debug', 'error', 'group', 'groupEnd', 'info', 'log', 'table', 'time', 'timeEnd', 'trace', 'warn'].map((name) => [
    name,
    ignore,
  ]),
);

export const unavailable = {
  clearImmediate: ignore,
  clearInterval: ignore,
  clearTimeout: ignore,
  console,
  fetch,
  setImmediate: timer('setImmediate'),
  setInterval: timer('setInterval'),
  setTimeout: timer('setTimeout'),
};
