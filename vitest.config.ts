import { defineConfig } from 'vitest/config'
import { LongFirst } from './test/long-first.ts'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**', ...(process.env.MILLRACE_LONG ? [] : ['test/long/**'])],
    globalSetup: ['test/package-built.ts', 'test/servers-found.ts'],
    setupFiles: ['test/setup.ts'],
    // Real processes, since tests send signals and watch what a process leaves behind.
    pool: 'forks',
    // One more than the cores of a small machine: most tests wait for others, for processes, leases and time.
    // The long forms take figures.
    maxWorkers: process.env.MILLRACE_LONG ? 2 : 3,
    sequence: { sequencer: LongFirst },
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
