import { defineConfig } from 'vitest/config';

/** Tests both built pages in Chromium, with their real content security policies. */
export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    environment: 'node',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    fileParallelism: false,
  },
});
