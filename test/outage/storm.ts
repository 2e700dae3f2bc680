/** F-20: another default isolation level than ours, and rows locked by somebody else at random. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { defineJob, type Millrace } from '../../src/index.ts'
import { LIVE } from '../support/live.ts'
import { openMill } from '../support/mill.ts'
import { type Outsider, outsiderOn } from '../support/outsider.ts'
import { generator, seedOf } from '../support/random.ts'
import { freshStoreUrl, type TestServer } from '../support/servers.ts'
import { tally } from '../support/tally.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const LEVELS = LONG ? ['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'] : ['READ COMMITTED', 'SERIALIZABLE']
const JOBS = LONG ? 2_000 : 150
const LOCKERS = 3
const MOST_HELD_MS = LONG ? 2_000 : 60
const WORK = { lease: '10s', heartbeat: '500ms', poll: '20ms', concurrency: 10 } as const
/** Canaries are enqueued one after the other, each when the one before has its result. */
const CALM_CANARIES = LONG ? 300 : 20
/** How much later than in calm one of a hundred canaries may have its result; less than this says nothing. */
const CANARY = { times: 2, leastMs: 250 } as const

const job = defineJob({ name: 'job', retry: false, run: (input: number) => input })
const canary = defineJob({ name: 'canary', queue: 'canary', retry: false, run: (input: number) => input })

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
    for (const parameters of parametersOn(server)) {
      const how = Object.values(parameters).join() || 'its own sessions'
      test(
        `${JOBS} jobs under ${level} by default (${how}), their rows locked by others now and then: each runs once`,
        () => storm(server, level, parameters),
        LONG ? 1_800_000 : 90_000,
      )
    }
  }
}

/** A PostgreSQL session says its level itself, but with `pooler=transaction`, when it keeps the server's own. */
function parametersOn({ kind }: TestServer): readonly Readonly<Record<string, string>>[] {
  if (kind === 'mysql') return [{}]
  return LONG ? [{ pooler: 'transaction' }, {}] : [{ pooler: 'transaction' }]
}

async function storm(server: TestServer, level: string, parameters: Readonly<Record<string, string>>): Promise<void> {
  const random = generator(seedOf(29))
  const url = await freshStoreUrl(server, parameters)
  const admin = await outsiderOn(url)
  onTestFinished(() => admin.run(...DEFAULT_LEVEL[server.kind].reset))
  await admin.run(...DEFAULT_LEVEL[server.kind].set(level))
  const mills = [await openMill({ store: url }), await openMill({ store: url })] as const
  const failures: unknown[] = []
  for (const mill of mills) mill.on('store.failed', ({ error }) => failures.push(error))
  for (const mill of mills) mill.work([job], { ...WORK, queues: ['default'] })
  // A worker of its own: one that has to settle a locked row waits for it, with whatever it settles beside.
  const aviary = await openMill({ store: url })
  aviary.on('store.failed', ({ error }) => failures.push(error))
  aviary.work([canary], { ...WORK, queues: ['canary'] })
  await enqueueFamilies(mills, random, CALM_CANARIES)
  const before = await canaries(aviary, new AbortController().signal, CALM_CANARIES)

  const ids: string[] = []
  const isOver = new AbortController()
  const lockers = Array.from({ length: LOCKERS }, async () =>
    lockAtRandom(await outsiderOn(url), ids, random, isOver.signal),
  )
  const meanwhile = canaries(aviary, isOver.signal, Number.POSITIVE_INFINITY)
  await enqueueFamilies(mills, random, JOBS, ids)
  const left = async () => (await mills[0].count({ name: 'job', state: LIVE })).count
  await expect.poll(left, { timeout: LONG ? 1_200_000 : 60_000, interval: 50 }).toBe(0)
  isOver.abort()
  const locks = (await Promise.all(lockers)).reduce((sum, count) => sum + count, 0)
  const during = await meanwhile

  if (LONG) {
    const seen = { kind: server.kind, level, ...parameters, locks, canaries: during.length, failures: failures.length }
    console.log(JSON.stringify({ ...seen, calmP99: Math.round(p99(before)), p99: Math.round(p99(during)) }))
  }
  tally({ jobs: ids.length, 'locked rows': locks })
  expect(locks).toBeGreaterThan(10)
  const outcomes = await Promise.all(ids.map(async (id) => (await mills[0].get(id))?.history.map((h) => h.outcome)))
  expect(outcomes.filter((one) => one?.join() !== 'completed')).toEqual([])
  expect(failures).toEqual([])
  expect(during.length).toBeGreaterThan(0)
  // A few canaries have no hundredth.
  if (LONG) expect(p99(during)).toBeLessThan(Math.max(CANARY.times * p99(before), CANARY.leastMs))
}

/** Jobs with unique keys, parents and children, by either of two clients. Their ids go to `ids` as they come. */
async function enqueueFamilies(
  mills: readonly [Millrace, Millrace],
  random: () => number,
  count: number,
  ids: string[] = [],
): Promise<void> {
  while (ids.length < count) {
    const mill = random() < 0.5 ? mills[0] : mills[1]
    const parents = ids.slice(-2)
    const one = await mill.enqueue(job, ids.length, { unique: `${ids.length}` })
    const child = await mill.enqueue(job, ids.length, { dependsOn: [one, ...parents] })
    ids.push(one.id, child.id)
  }
}

/** How long each of so many canaries took from its enqueue to its result, until the signal aborts. */
async function canaries(mill: Millrace, signal: AbortSignal, most: number): Promise<readonly number[]> {
  const times: number[] = []
  while (!signal.aborted && times.length < most) {
    const begun = performance.now()
    const one = await mill.enqueue(canary, times.length)
    await one.result({ timeout: '60s' })
    times.push(performance.now() - begun)
  }
  return times
}

function p99(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b)
  return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.POSITIVE_INFINITY
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
