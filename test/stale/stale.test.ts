/** A worker that is stopped past its leases and goes on while another runs its jobs: nothing it says is believed. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import type { Store } from '../../src/store/contract/index.ts'
import { startChild } from '../support/child.ts'
import { describeOnEvery, type TestStores } from '../support/every-store.ts'
import { openMill } from '../support/mill.ts'
import { tempDir } from '../support/temp-store.ts'
import { insertJobs, recordOf, takeOver } from './take-over.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const ROUNDS = LONG ? 10 : 1
const JOBS = LONG ? 50 : 20
const TIMEOUT_MS = LONG ? 1_200_000 : 240_000
/** A worker may be stopped in the midst of a transaction, which a server ends after a minute. */
const TAKE_OVER_MS = 90_000

await describeOnEvery(cases)

function cases(stores: TestStores): void {
  test(
    `of ${ROUNDS} × ${JOBS} attempts of a stopped worker no write of any kind is accepted`,
    async () => {
      let checked = 0
      for (let round = 0; round < ROUNDS; round++) {
        const url = await stores.freshUrl()
        const store = await openStore(url)
        const ids = await insertJobs(store, JOBS)
        const stale = startChild(join(import.meta.dirname, 'stale-worker.ts'), [url, String(JOBS), '50'])
        expect(await stale.line('claimed ')).toBe(`claimed ${JOBS}`)
        stale.signal('SIGSTOP')

        const current = await takeOver(store, JOBS, TAKE_OVER_MS)
        const before = await recordOf(store, ids)
        stale.signal('SIGCONT')
        stale.tell('go')
        const accepted = JSON.parse((await stale.line('done ')).slice('done '.length))

        expect(accepted).toEqual({
          extend: 0,
          extendWaiting: 0,
          start: 0,
          report: 0,
          saveCheckpoint: 0,
          settle: 0,
        })
        expect(await recordOf(store, ids)).toEqual(before)
        const settle = current.map(({ id, epoch }) => {
          return { id, epoch, runMs: 1, to: 'completed', result: Buffer.from('current') } as const
        })
        const { settled } = await store.jobs.exchange({ workerId: 'current', settle })
        expect(settled).toEqual(ids.map(() => 'settled'))
        for (const row of (await recordOf(store, ids)).map(({ row }) => row)) {
          expect(Buffer.from(row?.result ?? []).toString()).toBe('current')
          expect(row?.history.map(({ workerId, outcome }) => [workerId, outcome])).toEqual([
            ['stale', 'lost'],
            ['current', 'completed'],
          ])
          checked++
        }
      }
      expect(checked).toBe(ROUNDS * JOBS)
    },
    TIMEOUT_MS,
  )

  test(
    `a whole worker of ${JOBS} deaf handlers, stopped and continued, changes nothing while another runs its jobs`,
    async () => {
      const url = await stores.freshUrl()
      const wake = join(tempDir(), 'wake')
      const mill = await openMill({ store: url })
      const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>()
      let running = 0
      const job = defineJob({
        name: 'job',
        retry: false,
        run: async (_: number) => {
          running++
          await mayEnd
          return 'current'
        },
      })
      const ids = (
        await mill.enqueueMany(
          job,
          Array.from({ length: JOBS }, (_, i) => i),
        )
      ).map(({ id }) => id)
      const stale = startChild(join(import.meta.dirname, 'sleeper.ts'), [url, wake])
      const all = () => stale.lines.filter((line) => line.startsWith('started ')).length
      await expect.poll(all, { timeout: TAKE_OVER_MS, interval: 5 }).toBe(JOBS)
      stale.signal('SIGSTOP')
      const worker = mill.work([job], { concurrency: JOBS, lease: '4s' })
      await expect.poll(() => running, { timeout: TAKE_OVER_MS, interval: 5 }).toBe(JOBS)

      writeFileSync(wake, '')
      stale.signal('SIGCONT')
      const lost = () => new Set(stale.lines.filter((line) => line.startsWith('lost '))).size
      await expect.poll(lost, { timeout: TAKE_OVER_MS, interval: 5 }).toBe(JOBS)
      for (const id of ids) expect(await mill.get(id)).toMatchObject({ state: 'processing', progressNote: null })
      end()
      expect(await Promise.all(ids.map((id) => mill.result(id, { timeout: '30s' })))).toEqual(ids.map(() => 'current'))

      await worker.stop()
      await stale.kill()
      expect(
        stale.lines.filter((line) => line.startsWith('lost ')),
        'each loss is told once',
      ).toHaveLength(JOBS)
      for (const id of ids) {
        const info = await mill.get(id)
        expect(info).toMatchObject({ state: 'completed', result: 'current', progressNote: null, losses: 1 })
        expect(info?.history.map(({ outcome }) => outcome)).toEqual(['lost', 'completed'])
        expect((await mill.logs(id)).length).toBe(0)
      }
    },
    TIMEOUT_MS,
  )
}

async function openStore(url: string): Promise<Store> {
  const store = await createStore(url)
  onTestFinished(() => store.close())
  await store.open()
  await store.migrate()
  return store
}
