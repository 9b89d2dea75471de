import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

/** Tests logic and state in Node. vitest.browser.config.ts tests the pages themselves. */
export default defineConfig({
  plugins: [svelte()],
  test: { include: ['{app,connect,lib}/**/*.test.ts'], environment: 'node' },
});
