/** SIGKILL around `job.completeIn`: the effect of every job is there exactly once. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { defineJob, type Millrace } from '../../src/index.ts'
import { type Child, startChild } from '../support/child.ts'
import { openMill } from '../support/mill.ts'
import { generator, seedOf } from '../support/random.ts'
import { describeOn, type ServerKind } from '../support/servers.ts'
import { serverGround } from './ground.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const JOBS = LONG ? 4_000 : 120
const BLOWS = LONG ? 80 : 4
const WORKERS = 2

const effect = defineJob({ name: 'effect', run: (_: string) => 'never here' })
const begin = (store: string): Child => startChild(join(import.meta.dirname, 'effect-worker.ts'), [store])

for (const kind of ['postgres', 'mysql'] as const satisfies readonly ServerKind[]) {
  await describeOn(kind, (server) => {
    test.each([
      ['after the effect, before the completion', 'effect', 1],
      ['between the completion and the commit', 'completion', 1],
      ['after the commit, before the handler ends', 'commit', 0],
    ])(
      `a worker on ${kind} killed %s leaves the effect once`,
      async (_, point, losses) => {
        const { store, rows } = await serverGround(server)
        const mill = await openMill({ store })
        const first = begin(store)
        await first.line('ready')
        const { id } = await mill.enqueue(effect, point)

        await first.line(`${point} ${id}`)
        await first.kill()
        begin(store)

        expect(await mill.result(id, { timeout: '60s' })).toBe('together')
        expect(await mill.get(id)).toMatchObject({ state: 'completed', attempts: 1, losses })
        expect(await rows()).toEqual([id])
      },
      120_000,
    )

    test(
      `${JOBS} jobs on ${kind}, ${BLOWS} workers killed at any moment: each effect once`,
      async () => {
        const random = generator(seedOf(23))
        const { store, rows } = await serverGround(server)
        const mill = await openMill({ store })
        const workers = Array.from({ length: WORKERS }, () => begin(store))
        await Promise.all(workers.map((worker) => worker.line('ready')))

        const ids: string[] = []
        for (let blow = 0; blow < BLOWS; blow++) {
          const before = (await rows()).length
          const inputs = Array.from({ length: JOBS / BLOWS }, () => 'nowhere')
          ids.push(...(await mill.enqueueMany(effect, inputs)).map((job) => job.id))
          const wanted = before + Math.floor(random() * inputs.length)
          await expect.poll(async () => (await rows()).length >= wanted, { timeout: 60_000, interval: 1 }).toBe(true)
          await workers.shift()?.kill()
          workers.push(begin(store))
        }
        await expect.poll(() => unfinished(mill), { timeout: 90_000, interval: 50 }).toBe(0)

        expect(await rows()).toEqual([...ids].sort())
        expect((await mill.count({ state: 'completed' })).count).toBe(ids.length)
      },
      LONG ? 3_600_000 : 180_000,
    )
  })
}

async function unfinished(mill: Millrace): Promise<number> {
  const counts = await Promise.all(
    (['pending', 'processing', 'retrying', 'scheduled'] as const).map((state) => mill.count({ state })),
  )
  return counts.reduce((sum, { count }) => sum + count, 0)
}
