// Tests: one shared set of real servers a run (test/support/global-setup.ts); the suffix of a file says what it needs.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    // Two cores carry three servers besides: more files at once only make deadlines fail.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
