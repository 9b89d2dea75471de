// Node's part of `make bench SECTIONS=jsonata`: the same work with the packages that Relink's engine runs. From text to text, as in Relink.
//
//   node node.mjs measure   µs a record of the mapping, and µs of the small expression, of some rounds after the compiler has warmed up
//   node node.mjs first     ms from nothing to the first record's answer, without the start of Node
//   node node.mjs memory    MB for the packages and a first answer, and after 10,000 more
//   node node.mjs mixed     ms of small expressions that run beside long maps, and of all of them
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { records } from './records.mjs';

const WARM_UP = 3;
const ROUNDS = 5;
const SMALL = 2_000;

const packages = createRequire(new URL('../../src-tauri/jsonata/js/package.json', import.meta.url));
const read = (name) => readFileSync(new URL(name, import.meta.url), 'utf8');
const [mapping, small, response] = [read('contacts.jsonata'), read('error.jsonata'), JSON.stringify(JSON.parse(read('error.json')))];
const megabytes = () => Number(/^Pss: +(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))[1]) / 1024;

let trutoJsonata;
const load = () => (trutoJsonata = packages('@truto/truto-jsonata').default);
const evaluate = async (expression, text) => JSON.stringify(await expression.evaluate(JSON.parse(text)));

async function each(expression, texts) {
  const begin = performance.now();
  for (const text of texts) await evaluate(expression, text);
  return ((performance.now() - begin) * 1000) / texts.length;
}

const tasks = {
  async measure() {
    load();
    const texts = records(1_000).map((input) => JSON.stringify(input));
    const work = { mapping: [trutoJsonata(mapping), texts], small: [trutoJsonata(small), Array(SMALL).fill(response)] };
    const figures = { mapping: [], small: [] };
    for (let round = 0; round < WARM_UP + ROUNDS; round++) {
      for (const [name, [expression, texts]] of Object.entries(work)) {
        const figure = await each(expression, texts);
        if (round >= WARM_UP) figures[name].push(figure);
      }
    }
    return figures;
  },

  async first() {
    const [text] = records(1).map((input) => JSON.stringify(input));
    const begin = performance.now();
    load();
    await evaluate(trutoJsonata(mapping), text);
    return { first: [performance.now() - begin] };
  },

  async memory() {
    const texts = records(1_000).map((input) => JSON.stringify(input));
    const before = megabytes();
    load();
    const expression = trutoJsonata(mapping);
    await evaluate(expression, texts[0]);
    const first = megabytes() - before;
    for (let round = 0; round < 10; round++) await each(expression, texts);
    return { first: [first], later: [megabytes() - before] };
  },

  async mixed() {
    load();
    const texts = records(1_000).map((input) => JSON.stringify(input));
    const [long, short] = [trutoJsonata(mapping), trutoJsonata(small)];
    await each(long, texts);
    await each(short, Array(SMALL).fill(response));
    const begin = performance.now();
    const maps = Array.from({ length: 10 }, () => each(long, texts));
    const figures = { small: [], all: [] };
    const smalls = Array.from({ length: 90 }, async () => {
      await evaluate(short, response);
      figures.small.push(performance.now() - begin);
    });
    await Promise.all([...maps, ...smalls]);
    figures.all.push(performance.now() - begin);
    return figures;
  },
};

console.log(JSON.stringify(await tasks[process.argv[2]]()));
