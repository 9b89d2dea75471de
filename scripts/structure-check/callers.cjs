// Every verb of a component takes the Caller. The components are what the engine hands out.
'use strict';

const ENGINE = 'Engine';

/** The public methods that take no `&Caller` as their first argument, and why not. */
const EXCEPTIONS = {
  // These find out who the caller is.
  Access: ['authenticate', 'authenticate_mcp'],
  Connections: ['callback_caller', 'exchange_nonce', 'flow_caller', 'form_grant', 'link_caller', 'return_caller'],
  // These are no verbs: the engine is started and stopped, and says what it was set up with.
  Engine: ['cursor_key', 'environment_id', 'keep_alive', 'now', 'organization_ids', 'set_api_port', 'set_api_port_taken', 'start', 'stop'],
};

/** The types that the engine's accessors hand out: `fn accounts(&self) -> &Accounts`. */
function components(methods) {
  const accessors = methods.filter(({ type, argument, returns }) => type === ENGINE && argument === '' && returns.startsWith('&'));
  return new Map(accessors.map(({ name, returns }) => [returns.slice(1), name]));
}

/** Verbs without a Caller, and exceptions that are none (any more), as `Type::method`. */
function offenders(methods, exceptions = EXCEPTIONS) {
  const handedOut = components(methods);
  const accessors = new Set(handedOut.values());
  const verbs = methods.filter(({ type, name }) => handedOut.has(type) || (type === ENGINE && !accessors.has(name)));
  const isException = ({ type, name }) => (exceptions[type] ?? []).includes(name);
  const without = verbs.filter((verb) => verb.argument !== '&Caller');
  const named = ({ type, name }) => `${type}::${name}`;
  const needed = new Set(without.filter(isException).map(named));
  return {
    withoutCaller: without.filter((verb) => !isException(verb)).map((verb) => ({ verb: named(verb), file: verb.file, line: verb.line })),
    unneeded: Object.entries(exceptions).flatMap(([type, names]) => names.map((name) => `${type}::${name}`)).filter((verb) => !needed.has(verb)),
  };
}

module.exports = { offenders };
