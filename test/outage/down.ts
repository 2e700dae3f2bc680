/** F-13: the server is away. What is enqueued meanwhile fails at once, and is one row when it is tried again. */
import { expect, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { defineJob, type Millrace } from '../../src/index.ts'
import { collectAll } from '../../src/worker/memory.ts'
import { openMill } from '../support/mill.ts'
import type { PrivateServer } from '../support/private-server.ts'
import { freshStoreUrl, type TestServer } from '../support/servers.ts'

const JOBS = process.env.MILLRACE_LONG ? 10_000 : 2_000
const IN_FLIGHT = 50
const DEADLINE_MS = 2_000
/** Of the heap, once all calls have failed: far less than a kilobyte for each. */
const MOST_KEPT_BYTES = 10 * 1024 * 1024
const job = defineJob({ name: 'job', run: (_: string) => undefined })

/** Declares the test. */
export function downCases(server: TestServer, machine: PrivateServer): void {
  test(`${JOBS} enqueues while the server is down fail at once, keep nothing, and are one row each when repeated`, async () => {
    const mill = await openMill({ store: await freshStoreUrl(server, { deadline: `${DEADLINE_MS}` }) })
    await mill.enqueue(job, 'before')
    await machine.stop('kill')
    const ids = Array.from({ length: JOBS }, () => newId())
    await attempts(mill, ids.slice(0, IN_FLIGHT))
    const before = usedHeap()

    const failed = await attempts(mill, ids)

    const kept = usedHeap() - before
    await machine.start()
    for (let again = 0; again < 2; again++) {
      const all = await Promise.all(ids.map((id) => mill.enqueue(job, 'x'.repeat(100), { id })))
      expect(all.every(({ status }) => status === (again === 0 ? 'created' : 'existing'))).toBe(true)
    }
    // Counts end at 10,000 unless they are asked to go further.
    expect((await mill.count({}, JOBS + 2)).count).toBe(JOBS + 1)
    expect(failed.every(({ isTyped }) => isTyped)).toBe(true)
    expect(Math.max(...failed.map(({ ms }) => ms))).toBeLessThan(DEADLINE_MS + 500)
    expect(kept).toBeLessThan(MOST_KEPT_BYTES)
  }, 120_000)
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

function usedHeap(): number {
  collectAll()
  return process.memoryUsage().heapUsed
}
