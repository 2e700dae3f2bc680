/** Several processes on one store, all at once: on SQLite and on both servers. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { newId } from '../../src/base/id.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import { countAll } from '../../src/store/conformance/list.ts'
import type { NewJob, Store } from '../../src/store/contract/index.ts'
import { describeOnEvery, type TestStores } from '../support/every-store.ts'
import { invariantFaults } from '../support/invariants.ts'
import { LIVE } from '../support/live.ts'
import { seedOf } from '../support/random.ts'
import { tempStoreUrl } from '../support/temp-store.ts'
import { type EndKind, go, startRacer } from './roles.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const CHILDREN = LONG ? 1_000 : 30
const KEYS = LONG ? 1_000 : 50
const JOBS = LONG ? 3_000 : 100
const PROCESSES = 4
const TIMEOUT_MS = LONG ? 1_200_000 : 120_000
const LEASE_MS = 3_600_000

await describeOnEvery(races)

// On the servers test/store/migrations.test.ts does the like.
test('24 processes migrate a new file at once: each step is taken once, all find the tables', async () => {
  const url = tempStoreUrl()
  const racers = await Promise.all(Array.from({ length: 24 }, () => startRacer(url, 'migrate', {})))

  go(racers)
  const saw = await Promise.all(racers.map((racer) => racer.done()))

  const latest = saw[0]?.version ?? 0
  expect(latest).toBeGreaterThan(0)
  expect(saw.map(({ version }) => version)).toEqual(saw.map(() => latest))
  const applied = saw.flatMap((each) => each.applied).toSorted((a, b) => a - b)
  expect(applied).toEqual(Array.from({ length: latest }, (_, i) => i + 1))
  expect(await invariantFaults(url)).toEqual([])
}, 120_000)

function races(stores: TestStores): void {
  describe('children inserted by two processes while two others end their parents', () => {
    for (const how of ['settle', 'cancel', 'expire', 'reclaim', 'prune'] as const) {
      test(
        `${how}: none of ${CHILDREN} is left blocked`,
        async () => {
          const url = await stores.freshUrl()
          const store = await openStore(url)
          const seed = seedOf(7)
          const parentIds = await makeParents(store, url, how, CHILDREN / 2)
          const adopters = await Promise.all([1, 2].map((n) => startRacer(url, 'adopt', { parentIds, seed: seed + n })))
          const enders = await Promise.all(
            [3, 4].map((n) => startRacer(url, 'end', { how, parentIds, seed: seed + n })),
          )

          go([...adopters, ...enders])
          const children = (await Promise.all(adopters.map((racer) => racer.done()))).flatMap((saw) => saw.children)
          await Promise.all(enders.map((racer) => racer.done()))

          const blocked = await store.jobs.count({ states: ['blocked'] }, CHILDREN)
          const alive = await Promise.all(parentIds.map((id) => store.jobs.get(id)))
          expect(alive.filter((row) => row !== null && row.finishedAt === null)).toEqual([])
          expect(blocked.count).toBe(0)
          expect(children).toHaveLength(CHILDREN)
          const written = children.filter(({ status }) => status === 'created')
          expect(await missing(store, written)).toEqual([])
          if (how !== 'prune') expect(written).toHaveLength(CHILDREN)
          expect(await invariantFaults(url)).toEqual([])
          const born = written.filter(({ born }) => born === 'blocked').length
          if (LONG) console.log(`${how}: ${born} of ${written.length} were blocked when they were born`)
        },
        TIMEOUT_MS,
      )
    }
  })

  test(
    `${PROCESSES} processes insert ${KEYS} unique keys at once: each makes exactly one job`,
    async () => {
      const url = await stores.freshUrl()
      const store = await openStore(url)
      const keys = Array.from({ length: KEYS }, (_, i) => `key ${i}`)
      const racers = await Promise.all(Array.from({ length: PROCESSES }, () => startRacer(url, 'unique', { keys })))

      go(racers)
      const saw = await Promise.all(racers.map((racer) => racer.done()))

      for (const [i, key] of keys.entries()) {
        const answers = saw.map(({ answers }) => answers[i] ?? ['nothing', ''])
        expect(answers.map(([status]) => status).sort(), key).toEqual(['created', 'existing', 'existing', 'existing'])
        expect(new Set(answers.map(([, id]) => id)).size, key).toBe(1)
      }
      expect(await store.jobs.count({}, KEYS * PROCESSES)).toEqual({ count: KEYS, capped: false })
      expect(await invariantFaults(url)).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    `two producers of ${JOBS} jobs, two workers and two tidiers at once: no job is lost, completed twice or stuck`,
    async () => {
      const url = await stores.freshUrl()
      const store = await openStore(url)
      const seed = seedOf(7)
      const producers = await Promise.all(
        [1, 2].map((n) => startRacer(url, 'produce', { count: JOBS, seed: seed + n })),
      )
      const workers = await Promise.all(
        [3, 4].map((n) => startRacer(url, 'work', { workerId: `w${n}`, seed: seed + n })),
      )
      const tidiers = await Promise.all([5, 6].map((n) => startRacer(url, 'tidy', { seed: seed + n })))

      go([...producers, ...workers, ...tidiers])
      const created = (await Promise.all(producers.map((racer) => racer.done()))).flatMap((saw) => saw.created)
      await expect
        .poll(async () => (await store.jobs.count({ states: LIVE }, 1)).count, { timeout: 60_000, interval: 20 })
        .toBe(0)
      for (const { child } of [...workers, ...tidiers]) child.tell('stop')
      const completed = (await Promise.all(workers.map((racer) => racer.done()))).flatMap((saw) => saw.completed)
      await Promise.all(tidiers.map((racer) => racer.done()))

      expect(await invariantFaults(url)).toEqual([])
      // Ids are remembered for two minutes, so nothing can have been pruned.
      expect(
        await missing(
          store,
          created.map((id) => ({ id })),
        ),
      ).toEqual([])
      expect(new Set(completed).size).toBe(completed.length)
      expect(await countAll(store, { states: ['completed'] })).toBe(completed.length)
      if (LONG) console.log(`${completed.length} of ${created.length} completed, the others expired or were cancelled`)
    },
    TIMEOUT_MS,
  )
}

async function openStore(url: string, clock?: ManualClock): Promise<Store> {
  const store = await createStore(url, '.', clock)
  onTestFinished(() => store.close())
  await store.open()
  await store.migrate()
  return store
}

async function missing(store: Store, jobs: readonly { readonly id: string }[]): Promise<readonly string[]> {
  const rows = await Promise.all(jobs.map(({ id }) => store.jobs.get(id)))
  return jobs.filter((_, i) => rows[i] === null).map(({ id }) => id)
}

/** Parents that `how` can end, or delete. */
async function makeParents(store: Store, url: string, how: EndKind, count: number): Promise<readonly string[]> {
  const job: Omit<NewJob, 'id'> = { name: 'job', version: 1, queue: 'q', priority: 5, payload: Buffer.from('{}') }
  const jobs = Array.from({ length: count }, () => {
    return { ...job, id: newId(), ...(how === 'expire' ? { expiresInMs: 0 } : {}) }
  })
  const ids = jobs.map(({ id }) => id)
  // What is pruned has ended an hour ago.
  const past = await openStore(url, new ManualClock(Date.now() - LEASE_MS))
  const made = how === 'prune' || how === 'reclaim' ? past : store
  await made.jobs.insert(jobs)
  if (how === 'settle' || how === 'reclaim') {
    const claim = { workerId: 'w', queues: [{ queue: 'q', max: count }], names: ['job'], limit: count }
    const leaseMs = how === 'reclaim' ? 1 : LEASE_MS
    await made.jobs.exchange({ workerId: 'w', settle: [], claim: { ...claim, leaseMs } })
  }
  if (how === 'reclaim' || how === 'prune') await made.jobs.cancel(ids)
  await past.close()
  return ids
}
