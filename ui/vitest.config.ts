import { defineConfig } from 'vitest/config';

/** Tests logic and state in Node. vitest.browser.config.ts tests the pages themselves. */
export default defineConfig({
  test: { include: ['{app,connect,lib}/**/*.test.ts'], environment: 'node' },
});
