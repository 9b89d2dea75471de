import { defineConfig } from 'vitest/config';

/** Walks the built connect UI in Chromium, served with its real content security policy. */
export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    environment: 'node',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    fileParallelism: false,
  },
});
