/** F-13: the server is away. What is enqueued meanwhile fails at once, keeps nothing, and is one row when it is tried again. */
import { expect, test, vi } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { defineJob, type Millrace } from '../../src/index.ts'
import { collectAll } from '../../src/worker/memory.ts'
import { openMill } from '../support/mill.ts'
import type { PrivateServer } from '../support/private-server.ts'
import { freshStoreUrl, type TestServer, withDeadline } from '../support/servers.ts'
import { tally } from '../support/tally.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const JOBS = LONG ? 10_000 : 2_000
/** The server is away for this long at least, and all jobs are tried again and again while it is. */
const AWAY_MS = LONG ? 60_000 : 0
const IN_FLIGHT = 50
const DEADLINE_MS = 2_000
/** What a busy machine may add to a timer: far less than the library's own deadline of 30 s. */
const SLACK_MS = 2_000
const MIB = 1024 * 1024
/** What calls may leave behind once they have failed, of the heap and outside of it: less than a kilobyte for each job. */
const MOST_KEPT = JOBS * 1024
/** By how much the process may have grown meanwhile. V8 lets its young generation grow first: to 217 MiB after 1,400,000 calls, on two cores. */
const MOST_GROWN = 320 * MIB
const job = defineJob({ name: 'job', run: (_: string) => undefined })

/** Declares the test. */
export function downCases(server: TestServer, machine: PrivateServer): void {
  test(
    `${JOBS} enqueues while the server is down fail at once, keep nothing, and are one row each when repeated`,
    async () => {
      const url = await freshStoreUrl(server)
      const mill = await openMill({ store: withDeadline(url, DEADLINE_MS) })
      await mill.enqueue(job, 'before')
      await machine.stop('kill')
      const end = performance.now() + AWAY_MS
      const ids = Array.from({ length: JOBS }, () => newId())
      await attempts(mill, ids.slice(0, JOBS / 4))
      const before = { used: usedBytes(), rss: process.memoryUsage.rss() }

      const seen = { calls: 0, untyped: 0, longest: 0, rss: 0 }
      do {
        const failed = await attempts(mill, ids)
        seen.calls += failed.length
        seen.untyped += failed.filter(({ isTyped }) => !isTyped).length
        seen.longest = Math.max(seen.longest, ...failed.map(({ ms }) => ms))
        seen.rss = Math.max(seen.rss, process.memoryUsage.rss())
      } while (performance.now() < end)

      tally({ jobs: JOBS, 'refused calls': seen.calls })
      const [kept, grown] = [usedBytes() - before.used, seen.rss - before.rss]
      if (LONG) console.log(JSON.stringify({ kind: server.kind, ...seen, kept, grown }))
      await machine.start()
      // Many at once after a crash may take a busy machine longer than the short deadline.
      const patient = await openMill({ store: url })
      for (let again = 0; again < 2; again++) {
        const all = await Promise.all(ids.map((id) => patient.enqueue(job, 'x'.repeat(100), { id })))
        expect(all.every(({ status }) => status === (again === 0 ? 'created' : 'existing'))).toBe(true)
      }
      const [first = ''] = ids
      const existing = await vi.waitFor(() => mill.enqueue(job, 'x'.repeat(100), { id: first }), { timeout: 20_000 })
      expect(existing.status).toBe('existing')
      // Counts end at 10,000 unless they are asked to go further.
      expect((await patient.count({}, JOBS + 2)).count).toBe(JOBS + 1)
      expect(seen.untyped).toBe(0)
      expect(seen.longest).toBeLessThan(DEADLINE_MS + SLACK_MS)
      expect(kept).toBeLessThan(MOST_KEPT)
      expect(grown).toBeLessThan(MOST_GROWN)
    },
    LONG ? 300_000 : 120_000,
  )
}

interface Attempt {
  readonly ms: number
  /** It failed as the store's being away has to. The error itself is not kept: it would count as what the library keeps. */
  readonly isTyped: boolean
}

/** One call for each id, some at a time; what came of each. */
async function attempts(mill: Millrace, ids: readonly string[]): Promise<readonly Attempt[]> {
  const left = [...ids]
  const seen: Attempt[] = []
  const run = async () => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      const begun = performance.now()
      const isTyped = await mill.enqueue(job, 'x'.repeat(100), { id }).then(() => false, isTypedAndTransient)
      seen.push({ ms: performance.now() - begun, isTyped })
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, run))
  return seen
}

function isTypedAndTransient(error: unknown): boolean {
  return (
    error instanceof Error &&
    'kind' in error &&
    error.kind === 'transient' &&
    'code' in error &&
    error.code === 'STORE_UNREACHABLE'
  )
}

/** What lives, on the heap and outside of it. */
function usedBytes(): number {
  collectAll()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
