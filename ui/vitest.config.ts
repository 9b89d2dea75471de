import { defineConfig } from 'vitest/config';

/** Rules and state, in Node alone; the pages themselves are walked by vitest.browser.config.ts. */
export default defineConfig({
  test: { include: ['{app,connect,lib}/**/*.test.ts'], environment: 'node' },
});
