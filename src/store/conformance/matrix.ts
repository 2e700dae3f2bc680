/** Every state × every operation: what the operation answers and what the job is afterwards. */
import { describe, expect } from 'vitest'
import { canMove, JOB_STATES, type JobState } from '../../core/job/state.ts'
import { bytes, type Case, type Fixture, LEASE_MS } from './fixture.ts'

const HOUR_MS = 3_600_000

/** Brings a job into a state and returns its id. */
const MAKE: Readonly<Record<JobState, (f: Fixture) => Promise<string>>> = {
  blocked: async (f) => f.child(await f.add({ delayMs: HOUR_MS })),
  scheduled: (f) => f.add({ delayMs: HOUR_MS }),
  pending: (f) => f.add(),
  processing: async (f) => (await f.running()).id,
  async retrying(f) {
    const lease = await f.running()
    await f.settle(lease, { to: 'retrying', delayMs: HOUR_MS, error: bytes('e') })
    return lease.id
  },
  async completed(f) {
    const lease = await f.running()
    await f.complete(lease)
    return lease.id
  },
  async failed(f) {
    const lease = await f.running()
    await f.fail(lease)
    return lease.id
  },
  async cancelled(f) {
    const id = await f.add()
    await f.cancel(id)
    return id
  },
}

type After = JobState | 'deleted'
type Expected = Readonly<Record<JobState, readonly [answer: unknown, after: After]>>

interface Operation {
  readonly name: string
  readonly run: (f: Fixture, id: string) => Promise<unknown>
  readonly expected: Expected
}

/** The same for every state but those named. */
function all(answer: unknown, others: Partial<Record<JobState, readonly [unknown, After]>>): Expected {
  const rows = JOB_STATES.map((state) => [state, others[state] ?? [answer, state]])
  // Every state is among the rows.
  return Object.fromEntries(rows) as Expected
}

const FINAL = {
  completed: ['final', 'completed'],
  failed: ['final', 'failed'],
  cancelled: ['final', 'cancelled'],
} as const

const OPERATIONS: readonly Operation[] = [
  {
    name: 'cancel',
    run: async (f, id) => (await f.jobs.cancel([id]))[0],
    expected: {
      ...all(null, FINAL),
      blocked: ['cancelled', 'cancelled'],
      scheduled: ['cancelled', 'cancelled'],
      pending: ['cancelled', 'cancelled'],
      retrying: ['cancelled', 'cancelled'],
      processing: ['cancelling', 'processing'],
    },
  },
  {
    name: 'retry',
    run: async (f, id) => (await f.jobs.retry([id]))[0],
    expected: all('retried', {
      blocked: ['live', 'blocked'],
      pending: ['live', 'pending'],
      processing: ['live', 'processing'],
      scheduled: ['retried', 'pending'],
      retrying: ['retried', 'pending'],
      completed: ['retried', 'pending'],
      failed: ['retried', 'pending'],
      cancelled: ['retried', 'pending'],
    }),
  },
  {
    name: 'update to a run time ahead',
    run: async (f, id) => (await f.jobs.update([id], { runAt: (await f.store.time()) + HOUR_MS }))[0],
    expected: all('updated', { ...FINAL, processing: ['processing', 'processing'], pending: ['updated', 'scheduled'] }),
  },
  {
    name: 'update to a run time that has passed',
    run: async (f, id) => (await f.jobs.update([id], { runAt: (await f.store.time()) - 1 }))[0],
    expected: all('updated', { ...FINAL, processing: ['processing', 'processing'], scheduled: ['updated', 'pending'] }),
  },
  {
    name: 'remove',
    run: async (f, id) => (await f.jobs.remove([id]))[0],
    expected: {
      ...all('removed', {}),
      blocked: ['removed', 'deleted'],
      scheduled: ['removed', 'deleted'],
      pending: ['removed', 'deleted'],
      retrying: ['removed', 'deleted'],
      completed: ['removed', 'deleted'],
      failed: ['removed', 'deleted'],
      cancelled: ['removed', 'deleted'],
      processing: ['processing', 'processing'],
    },
  },
  {
    name: 'claim',
    run: async (f, id) => (await f.claim()).some((job) => job.id === id),
    expected: all(false, { pending: [true, 'processing'] }),
  },
  {
    name: 'promote when everything is due',
    run: async (f) => {
      f.clock.advance(HOUR_MS)
      return (await f.jobs.promote(100)) > 0
    },
    // The blocked job's parent is promoted; the child goes on waiting for it.
    expected: all(false, { blocked: [true, 'blocked'], scheduled: [true, 'pending'], retrying: [true, 'pending'] }),
  },
  {
    name: 'reclaim when every lease has ended',
    run: async (f) => {
      f.clock.advance(LEASE_MS + 1)
      return (await f.jobs.reclaim(100)).length
    },
    expected: all(0, { processing: [1, 'pending'] }),
  },
  {
    name: 'recover from the worker that holds it',
    run: async (f) => (await f.jobs.recover('w1', [], 100)).length,
    expected: all(0, { processing: [1, 'pending'] }),
  },
  {
    name: 'settle with the epoch after the last',
    run: async (f, id) => f.settle({ id, epoch: (await f.row(id)).epoch + 1 }, { to: 'completed', result: null }),
    expected: all('lost', {}),
  },
  {
    name: 'extend, start and report with an epoch before the last',
    async run(f, id) {
      const lease = { id, epoch: (await f.row(id)).epoch - 1 }
      return [
        await f.jobs.extend('w1', [lease], LEASE_MS),
        await f.jobs.start('w1', lease),
        await f.jobs.report('w1', [lease]),
      ]
        .flat()
        .join()
    },
    expected: all('lost,lost,lost', {}),
  },
]

/** The cases of every state under every operation. */
export function matrixCases(test: Case): void {
  for (const { name, run, expected } of OPERATIONS) {
    describe(`${name}, from every state`, () => {
      for (const from of JOB_STATES) {
        const [answer, after] = expected[from]
        test(`${from}: ${String(answer)}, then ${after}`, async (f) => {
          const id = await MAKE[from](f)
          expect((await f.row(id)).state).toBe(from)

          expect(await run(f, id)).toEqual(answer)

          const to = (await f.jobs.get(id))?.state ?? 'deleted'
          expect(to).toBe(after)
          // The transition table speaks of single moves; deleting a waiting job cancels it on the way.
          if (to !== from && to !== 'deleted') expect(canMove(from, to)).toBe(true)
        })
      }
    })
  }
}
