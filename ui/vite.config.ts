import { svelte } from '@sveltejs/vite-plugin-svelte';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

/** Two pages, two outputs: `--mode app` for the desktop window, `--mode connect` for the connect UI. */
const bases: Record<string, string> = {
  // Tauri serves its folder at the root.
  app: '/',
  // The local API serves the connect UI below this path, whatever the page's own URL is.
  connect: '/connect-account/',
};

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig(({ mode }) => {
  const page = mode in bases ? mode : 'app';
  return {
    root: folder(`./${page}`),
    base: bases[page] ?? '/',
    publicDir: false,
    plugins: [svelte({ configFile: folder('./svelte.config.js') })],
    build: {
      outDir: folder(`./dist/${page}`),
      emptyOutDir: true,
      target: 'es2022',
      assetsDir: 'assets',
      // The content security policy has no room for inline scripts or data: fonts and styles.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
    },
  };
});
