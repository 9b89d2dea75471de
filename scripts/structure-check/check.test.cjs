'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { offenders } = require('./callers.cjs');
const { arrows, cycles } = require('./cycles.cjs');
const { readTarget } = require('./rust.cjs');

/** Writes a crate of these files and reads it. */
function read(t, files) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'structure-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
  }
  return readTarget(path.join(folder, 'lib.rs'));
}

const places = (target) => arrows(target).map(({ from, to, file, line }) => `${from} → ${to} ${path.basename(file)}:${line}`);
const cyclesOf = (t, files) => cycles(arrows(read(t, files)));

test('a cycle of two modules is found, and each arrow names its place', (t) => {
  const target = read(t, {
    'lib.rs': 'mod a;\nmod b;\n',
    'a.rs': 'use std::fmt;\nuse crate::{\n    b::Thing,\n};\n',
    'b.rs': 'pub struct Thing;\nfn f() -> crate::a::Other { todo!() }\n',
  });
  assert.deepEqual(cycles(arrows(target)), [['a', 'b']]);
  assert.deepEqual(places(target), ['a → b a.rs:3', 'b → a b.rs:2']);
});

test('a longer cycle is found through super, a nested tree and a child module', (t) => {
  const found = cyclesOf(t, {
    'lib.rs': 'mod a; mod b; mod c; mod d;',
    'a.rs': 'use super::b;',
    'b/mod.rs': 'mod child;',
    'b/child.rs': 'use crate::{c::{self, One, Two}, d::Three as Four};',
    'c.rs': 'fn f() { super::a::g(); }',
    'd.rs': '',
  });
  assert.deepEqual(found, [['a', 'b', 'c']]);
});

test('a name that the root passes on counts as the module it is from', (t) => {
  const found = cyclesOf(t, {
    'lib.rs': 'mod engine; mod store; pub use engine::Engine;',
    'engine.rs': 'use crate::store;',
    'store.rs': 'use crate::Engine;',
  });
  assert.deepEqual(found, [['engine', 'store']]);
});

test('the root, own children, tests, comments and strings make no cycle', (t) => {
  const found = cyclesOf(t, {
    'lib.rs': 'mod a; mod b; use a::A; use b::B; pub struct Root;',
    'a.rs': 'mod child; use crate::{Root, b::B}; use child::C; use std::{self, io};',
    'a/child.rs': 'use crate::a::A; use super::A as Again;',
    'b.rs': [
      '// use crate::a::A;',
      '/* crate::a::A /* nested */ crate::a::A */',
      'const TEXT: &str = "crate::a::A \\" crate::a::A"; const RAW: &str = r#"crate::a::A " "#; const C: char = \'"\';',
      "fn f<'a>(x: &'a str) -> char { '\\'' }",
      'pub(in crate::a) fn g() {}',
      '#[cfg(test)]\nmod tests { use crate::a::A; fn h() { crate::a::f(); } }',
      '#[cfg(any(test, feature = "test-support"))]\nuse crate::a::A;',
    ].join('\n'),
  });
  assert.deepEqual(found, []);
});

test('code that is left out of tests is read', (t) => {
  const found = cyclesOf(t, {
    'lib.rs': 'mod a; mod b;',
    'a.rs': '#[cfg(not(test))]\nuse crate::b::B;',
    'b.rs': '#[cfg(test)]\n#[path = "b_tests.rs"]\nmod tests;\nuse crate::a::A;',
    'b_tests.rs': '',
  });
  assert.deepEqual(found, [['a', 'b']]);
});

test('public items are those that can be named outside', (t) => {
  const { items, methods } = read(t, {
    'lib.rs': 'pub mod open; mod closed; pub use closed::{Passed, Other as Renamed};',
    'open.rs': 'pub struct Shown; pub(crate) struct Hidden; impl Shown { pub async fn verb(&self) {} fn own(&self) {} } pub const fn f() {}',
    'closed.rs': 'pub struct Passed; pub struct Kept; impl<T> Kept<T> where T: Sized { pub fn method() {} }',
  });
  const names = items.map(({ module, name }) => (module ? `${module}::${name}` : name));
  assert.deepEqual(names.sort(), ['Passed', 'Renamed', 'open::Shown', 'open::f']);
  assert.deepEqual(methods.map(({ type, name }) => ({ type, name })), [{ type: 'Shown', name: 'verb' }, { type: 'Kept', name: 'method' }]);
});

test('a method is read with its first argument, what it returns and its place', (t) => {
  const { methods } = read(t, {
    'lib.rs': [
      'impl Thing {',
      '    pub async fn of<T: Into<String>>(',
      '        &mut self,',
      '        first: Vec<(A, B)>,',
      '        second: u8,',
      '    ) -> Result<Option<T>> where T: Send { todo!() }',
      '    pub fn new() -> Self { Self }',
      '    pub fn moved(self, by: impl Fn(u8, u8) -> u8) {}',
      '}',
    ].join('\n'),
  });
  const found = methods.map(({ name, argument, returns, line }) => [name, argument, returns, line]);
  assert.deepEqual(found, [
    ['of', 'Vec<(A,B)>', 'Result<Option<T>>', 2],
    ['new', '', 'Self', 7],
    ['moved', 'implFn(u8,u8)->u8', '', 8],
  ]);
});

const ENGINE = 'impl Engine { pub fn things(&self) -> &Things { &self.things } pub async fn start(options: Options) -> Self { todo!() } }';

test('a verb of what the engine hands out takes the Caller first', (t) => {
  const { methods } = read(t, {
    'lib.rs': [
      ENGINE,
      'impl Things {',
      '    pub async fn list(&self, caller: &Caller, limit: usize) {}',
      '    pub async fn last(&self, limit: usize, caller: &Caller) {}',
      '    pub fn all(&self) {}',
      '    pub(crate) fn inner(&self) {}',
      '    fn own(&self) {}',
      '}',
      'impl Handle { pub fn all(&self) {} }',
      '#[cfg(test)]\nimpl Things { pub fn of_a_test(&self) {} }',
    ].join('\n'),
  });
  const { withoutCaller, unneeded } = offenders(methods, { Engine: ['start'] });
  assert.deepEqual(withoutCaller.map(({ verb, line }) => `${verb}:${line}`), ['Things::last:4', 'Things::all:5']);
  assert.deepEqual(unneeded, []);
});

test('the engine itself counts, but for its accessors and exceptions', (t) => {
  const { methods } = read(t, { 'lib.rs': `${ENGINE} impl Engine { pub fn latest(&self) {} } impl Things {}` });
  assert.deepEqual(offenders(methods, {}).withoutCaller.map(({ verb }) => verb), ['Engine::start', 'Engine::latest']);
});

test('an exception that nothing needs is named', (t) => {
  const { methods } = read(t, { 'lib.rs': `${ENGINE} impl Things { pub fn all(&self, caller: &Caller) {} }` });
  const exceptions = { Engine: ['start'], Things: ['all', 'gone'], Gone: ['all'] };
  assert.deepEqual(offenders(methods, exceptions).unneeded, ['Things::all', 'Things::gone', 'Gone::all']);
});
