/** Counts of what a test has brought about, which go with it into Vitest's report: `npm run faults` tells them. */
import { TestRunner } from 'vitest'

declare module 'vitest' {
  interface TaskMeta {
    /** See `tally`. */
    tally?: Readonly<Record<string, number>>
  }
}

/**
 * Adds to the counts of the test that is running: `jobs` that went through it, and by names of the test's own the faults that came
 * about, the calls and words that were refused. Each has to be more than nothing in a file's run: one that is not would prove
 * nothing, and fails the command. Throws when no test is running.
 */
export function tally(counts: Readonly<Record<string, number>>): void {
  const test = TestRunner.getCurrentTest()
  if (test === undefined) throw new Error('no test is running whose counts these could be')
  const sums = { ...test.meta.tally }
  for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count
  test.meta.tally = sums
}
