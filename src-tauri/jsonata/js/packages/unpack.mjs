// Takes npm's build of jsonata, one file that holds its modules, apart again: two evaluators then share the other modules.
import { readFileSync } from 'node:fs';

const MODULE_START = /^(?:.*\()?(?:\{|\},\{[^}]*\}\],)(\d):\[function\(require,module,exports\)\{$/;
const MODULE_END = /^\},\{[^}]*\}\]/;
const NAMES = ['datetime', 'functions', 'jsonata', 'parser', 'signature', 'utils'];

/** The source of each of jsonata's modules, by name. */
export function unpack(file) {
  const modules = {};
  let name;
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (name && MODULE_END.test(line)) name = undefined;
    const start = MODULE_START.exec(line);
    if (start) {
      name = NAMES[start[1] - 1];
      modules[name] = '';
    } else if (name) {
      modules[name] += `${line}\n`;
    }
  }
  const found = Object.keys(modules).join();
  if (found !== NAMES.join()) throw new Error(`jsonata's file holds other modules than expected: ${found}`);
  return modules;
}

/**
 * Replaces each `from` by `to`. A patch that finds its place another number of times than `times` (once, unless said) was
 * written for another version of the package: an error.
 */
export function patch(source, patches) {
  return patches.reduce((text, { from, to, times = 1 }) => {
    const parts = text.split(from);
    if (parts.length !== times + 1) throw new Error(`A patch fits ${parts.length - 1} times instead of ${times}:\n${from}`);
    return parts.join(to);
  }, source);
}
