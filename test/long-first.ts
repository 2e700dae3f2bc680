/**
 * The order in which test files are begun: the longest first. One that is begun last is waited for while cores lie idle, and by the
 * sizes of files, which is all that vitest knows of a fresh clone, the conformance suites of the servers are.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that take ten seconds and more, the longest first. Nothing depends on it but how long all take. */
export const LONG: readonly string[] = [
  'test/faults/lab/lab.test.ts',
  'test/examples/stores.test.ts',
  'test/net/weather.test.ts',
  'src/store/mysql/mysql.test.ts',
  'src/store/postgres/postgres.test.ts',
  'src/store/postgres/pgbouncer.test.ts',
  'test/net/blackhole.test.ts',
  'test/store/migration-silence.test.ts',
  'test/store/migration-proxies.test.ts',
  'test/outage/outage.test.ts',
  'test/net/silence.test.ts',
  'test/faults/sim/simulation.test.ts',
  'test/process/control.test.ts',
  'test/process/recycle.test.ts',
  'test/faults/sim/plants.test.ts',
  'test/examples/folder-index.test.ts',
  'test/process/stall.test.ts',
  'test/crash/crash.test.ts',
]

/** Begins with those, the others as vitest has them. */
export class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONG.findIndex((path) => moduleId.endsWith(`/${path}`))
      return at < 0 ? LONG.length : at
    }
    return sorted.toSorted((a, b) => rank(a) - rank(b))
  }
}
