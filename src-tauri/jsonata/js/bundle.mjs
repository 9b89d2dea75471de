// Bundles the packages with the engine: `node bundle.mjs` writes ../generated/, `node bundle.mjs --check` fails when it isn't current.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import trutoJsonata from '@truto/truto-jsonata';
import { build } from 'esbuild';

import { jsonataModules } from './packages/jsonata.mjs';
import { trutoModule } from './packages/truto.mjs';

const FORMAT_PRESETS = ['ai', 'data-formats', 'html', 'markdown'];

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, 'node_modules');
const generated = join(here, '..', 'generated');

/** What only functions that need a network reach, what the engine does itself, and what isn't there. */
const REPLACED = {
  '@langchain/core/documents': 'replaced/langchain-documents.js',
  '@langchain/core/utils/tiktoken': 'replaced/unreachable.js',
  'md5.js': 'platform/md5.js',
  fs: 'replaced/no-node.js',
  util: 'replaced/no-node.js',
  'p-map': 'replaced/unreachable.js',
  'p-retry': 'replaced/unreachable.js',
};

const packages = {
  name: 'packages',
  setup(build) {
    const jsonata = jsonataModules(join(modules, 'jsonata/jsonata.js'));
    build.onResolve({ filter: /^jsonata(-synchronous|\/parser)?$/ }, ({ path }) => ({ path: path.replace('jsonata/', ''), namespace: 'jsonata' }));
    build.onResolve({ filter: /^\.\//, namespace: 'jsonata' }, ({ path }) => ({ path: path.slice(2), namespace: 'jsonata' }));
    build.onResolve({ filter: /^relink-clock$/ }, () => ({ path: join(here, 'engine/clock.js') }));
    build.onLoad({ filter: /./, namespace: 'jsonata' }, ({ path }) => ({ contents: jsonata[path], loader: 'js', resolveDir: here }));
    // No package does anything when it is imported: what a bundle doesn't use stays out of it.
    build.onResolve({ filter: /^[^./]/ }, async ({ path, pluginData, ...where }) => {
      if (pluginData === 'resolving' || where.kind !== 'import-statement' || path in REPLACED || path.startsWith('jsonata')) return undefined;
      return { ...(await build.resolve(path, { ...where, pluginData: 'resolving' })), sideEffects: false };
    });
    build.onLoad({ filter: /@truto\/truto-jsonata\/dist\/esm\/index\.js$/ }, ({ path }) => ({ contents: trutoModule(path), loader: 'js' }));
    build.onResolve({ filter: /^(@langchain\/core\/.*|fs|util|md5\.js|p-map|p-retry)$/ }, ({ path }) => {
      if (REPLACED[path]) return { path: join(here, REPLACED[path]) };
      return { errors: [{ text: `${path} has no replacement` }] };
    });
  },
};

/** The names of the functions that these parts of Truto's package register. */
async function functionsOf(presets) {
  const names = [];
  for (const preset of presets) {
    const [register] = Object.values(await import(`@truto/truto-jsonata/presets/${preset}`));
    register({ registerFunction: (name) => names.push(name) });
  }
  return names.sort();
}

/**
 * The text of each function's parameters, as jsonata reads it from the function's text when it is partially applied. In the
 * bundle a parameter may have lost its parentheses, and defaults are written differently.
 */
async function parameters(names) {
  const texts = {};
  for (const name of names) {
    const { implementation } = await trutoJsonata(`$${name}`).evaluate({});
    texts[name] = /\(([^)]*)\)/.exec(implementation.toString())[1];
  }
  return texts;
}

const formats = await functionsOf(FORMAT_PRESETS);
const define = {
  __FORMAT_FUNCTIONS__: JSON.stringify(formats),
  __PARAMETERS__: JSON.stringify(await parameters([...(await functionsOf(['core', 'datetime'])), ...formats])),
};

async function bundle(entry) {
  const { metafile, outputFiles } = await build({
    absWorkingDir: here,
    bundle: true,
    charset: 'utf8',
    conditions: ['import'],
    define,
    entryPoints: [join(here, entry)],
    format: 'iife',
    legalComments: 'none',
    lineLimit: 160,
    logLevel: 'warning',
    mainFields: ['module', 'main'],
    metafile: true,
    minifyWhitespace: true,
    outfile: 'bundle.js',
    platform: 'neutral',
    plugins: [packages],
    target: 'es2023',
    write: false,
  });
  const [{ inputs }] = Object.values(metafile.outputs);
  return { text: outputFiles[0].text, inputs: Object.keys(inputs).filter((name) => inputs[name].bytesInOutput > 0) };
}

/** The packages in the bundle, by the folders of their files. */
function bundled(inputs) {
  const names = new Set(['jsonata']);
  for (const input of inputs) {
    const found = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (found) names.add(found[1]);
  }
  return [...names].sort();
}

/** Each package's license, as it comes with it. */
function licenses(names) {
  const texts = names.map((name) => {
    const folder = join(modules, name);
    const { version, license, author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((it) => /^licen[cs]e/i.test(it));
    const text = file ? readFileSync(join(folder, file), 'utf8') : `Its license is ${license}. The package comes without the text.${author ? ` Author: ${author.name ?? author}` : ''}`;
    return `${name} ${version} (${license})\n\n${text.replace(/\r/g, '').trim()}\n`;
  });
  return `The licenses of the npm packages in engine.js and formats.js. Generated by js/bundle.mjs.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

const bundles = { 'engine.js': await bundle('engine/index.js'), 'formats.js': await bundle('engine/formats.js') };
const notice = "// @generated by js/bundle.mjs from npm packages, whose licenses are in LICENSES.txt, and js/. Don't edit.\n";
const files = { 'LICENSES.txt': licenses(bundled(Object.values(bundles).flatMap(({ inputs }) => inputs))) };
for (const [name, { text }] of Object.entries(bundles)) files[name] = notice + text;
const differing = Object.entries(files).filter(([name, text]) => !existsSync(join(generated, name)) || readFileSync(join(generated, name), 'utf8') !== text);

if (process.argv.includes('--check')) {
  for (const [name] of differing) console.error(`${relative(process.cwd(), join(generated, name))} isn't current: run 'make jsonata'`);
  process.exitCode = differing.length > 0 ? 1 : 0;
} else {
  for (const [name, text] of differing) writeFileSync(join(generated, name), text);
}
