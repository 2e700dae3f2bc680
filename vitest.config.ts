import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**', ...(process.env.MILLRACE_LONG ? [] : ['test/long/**'])],
    globalSetup: ['test/package-built.ts'],
    setupFiles: ['test/setup.ts'],
    // Real processes, since tests send signals and watch what a process leaves behind.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
