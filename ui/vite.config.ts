import { svelte } from '@sveltejs/vite-plugin-svelte';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

/**
 * Three pages, three outputs: `--mode app` for the desktop window, `--mode connect` for the connect UI, `--mode docs` for
 * the API's documentation.
 */
const bases: Record<string, string> = {
  // Tauri serves its folder at the root.
  app: '/',
  // The local API serves the connect UI below this path, whatever the page's own URL is.
  connect: '/connect-account/',
  docs: '/docs/',
};

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Leaves only the compressed assets: the documentation's are large, and every browser can decompress. */
function compressAssets(assets: string): Plugin {
  return {
    name: 'compress-assets',
    closeBundle() {
      for (const file of readdirSync(assets)) {
        const path = join(assets, file);
        writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
        rmSync(path);
      }
    },
  };
}

export default defineConfig(({ mode }) => {
  const page = mode in bases ? mode : 'app';
  return {
    root: folder(`./${page}`),
    base: bases[page] ?? '/',
    publicDir: false,
    plugins:
      page === 'docs'
        ? [compressAssets(folder('./dist/docs/assets'))]
        : [svelte({ configFile: folder('./svelte.config.js') })],
    build: {
      outDir: folder(`./dist/${page}`),
      emptyOutDir: true,
      target: 'es2022',
      assetsDir: 'assets',
      // The content security policy has no room for inline scripts or data: fonts and styles.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      chunkSizeWarningLimit: page === 'docs' ? 2000 : 500,
    },
  };
});
