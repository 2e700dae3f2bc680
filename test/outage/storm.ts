/** F-20: another default isolation level than ours, and rows locked by somebody else at random. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { type Outsider, outsiderOn } from '../support/outsider.ts'
import { generator, seedOf } from '../support/random.ts'
import { freshStoreUrl, type TestServer } from '../support/servers.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const LEVELS = LONG ? ['READ UNCOMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'] : ['SERIALIZABLE']
const JOBS = LONG ? 5_000 : 300
const LOCKERS = 3
const MOST_HELD_MS = LONG ? 500 : 60
const WORK = { lease: '10s', heartbeat: '500ms', poll: '20ms', concurrency: 10 } as const

const job = defineJob({ name: 'job', retry: false, run: (input: number) => input })

/** Statements that give sessions without a level of their own this one; the last one of each makes it as it was. */
const DEFAULT_LEVEL = {
  postgres: {
    set: (level: string) => [
      `ALTER SYSTEM SET default_transaction_isolation = '${level.toLowerCase()}'`,
      'SELECT pg_reload_conf()',
    ],
    reset: ['ALTER SYSTEM RESET default_transaction_isolation', 'SELECT pg_reload_conf()'],
  },
  mysql: {
    set: (level: string) => [`SET GLOBAL TRANSACTION ISOLATION LEVEL ${level}`],
    reset: ['SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ'],
  },
} as const

/** Declares the tests. */
export function stormCases(server: TestServer): void {
  for (const level of LEVELS) {
    test(
      `${JOBS} jobs under ${level} by default, their rows locked by others now and then: each runs once`,
      async () => {
        const random = generator(seedOf(29))
        // With `pooler=transaction` a PostgreSQL session keeps the server's own defaults.
        const url = await freshStoreUrl(server, server.kind === 'postgres' ? { pooler: 'transaction' } : {})
        const admin = await outsiderOn(url)
        onTestFinished(() => admin.run(...DEFAULT_LEVEL[server.kind].reset))
        await admin.run(...DEFAULT_LEVEL[server.kind].set(level))
        const mills = [await openMill({ store: url }), await openMill({ store: url })] as const
        const failures: unknown[] = []
        for (const mill of mills) mill.on('store.failed', ({ error }) => failures.push(error))
        const ids: string[] = []
        const isOver = new AbortController()
        const lockers = Array.from({ length: LOCKERS }, async () => {
          const outsider = await outsiderOn(url)
          return lockAtRandom(outsider, ids, random, isOver.signal)
        })

        for (const mill of mills) mill.work([job], WORK)
        while (ids.length < JOBS) {
          const [mill = mills[0]] = random() < 0.5 ? mills : mills.slice(1)
          const parents = ids.slice(-2)
          const one = await mill.enqueue(job, ids.length, { unique: `${ids.length}` })
          const child = await mill.enqueue(job, ids.length, { dependsOn: [one, ...parents] })
          ids.push(one.id, child.id)
        }
        const state = ['blocked', 'pending', 'processing', 'retrying'] as const
        const left = async () => (await mills[0].count({ state: [...state] })).count
        await expect.poll(left, { timeout: LONG ? 600_000 : 60_000, interval: 50 }).toBe(0)
        isOver.abort()
        const locks = (await Promise.all(lockers)).reduce((sum, count) => sum + count, 0)

        expect(locks).toBeGreaterThan(10)
        const outcomes = await Promise.all(
          ids.map(async (id) => (await mills[0].get(id))?.history.map((h) => h.outcome)),
        )
        expect(outcomes.filter((one) => one?.join() !== 'completed')).toEqual([])
        expect(failures).toEqual([])
      },
      LONG ? 1_200_000 : 90_000,
    )
  }
}

/** Locks one of the last jobs after the other, each for a while. Returns how many. */
async function lockAtRandom(
  outsider: Outsider,
  ids: readonly string[],
  random: () => number,
  signal: AbortSignal,
): Promise<number> {
  let locks = 0
  while (!signal.aborted) {
    const id = ids[ids.length - 1 - Math.floor(random() * 20)]
    if (id !== undefined) {
      // It may itself be the one that a deadlock is broken by.
      await outsider.lock(id).then(
        () => locks++,
        () => undefined,
      )
    }
    await pause(random() * MOST_HELD_MS)
    await outsider.release().catch(() => undefined)
  }
  return locks
}
