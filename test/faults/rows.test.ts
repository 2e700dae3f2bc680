/** F-34: rows that no Millrace wrote, under a whole worker: it goes on, those beside them run, and everything can be looked at. */
import { expect, test } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { describeOnEvery, type TestStores } from '../support/every-store.ts'
import { openMill } from '../support/mill.ts'
import { generator, seedOf } from '../support/random.ts'
import { readTables } from '../support/tables.ts'
import { tally } from '../support/tally.ts'
import { DAMAGES } from './rows-damages.ts'

const HEALTHY = 20
/** So many more rows have two of these, which ones MILLRACE_SEED says. */
const PAIRS = process.env.MILLRACE_LONG ? 60 : 12
const WAIT = { timeout: '30s' } as const
const job = defineJob({ name: 'job', run: (input: number) => input })

await describeOnEvery((stores) => {
  test('damaged rows stop no worker, no neighbour and no look', () => damageAndWork(stores), 90_000)
})

async function damageAndWork(stores: TestStores): Promise<void> {
  const url = await stores.freshUrl()
  const mill = await openMill({ store: url })
  const failures: unknown[] = []
  mill.on('store.failed', ({ operation, error }) => failures.push([operation, error]))
  const random = generator(seedOf(47))
  const oneOf = () => DAMAGES[Math.floor(random() * DAMAGES.length)] ?? DAMAGES[0]
  const damages = [...DAMAGES, ...Array.from({ length: PAIRS }, () => `${oneOf()}, ${oneOf()}`)]
  const bad = await mill.enqueueMany(job, Array(damages.length).fill(0), { priority: 'urgent' })
  const healthy = await mill.enqueueMany(
    job,
    Array.from({ length: HEALTHY }, (_, i) => i),
  )
  const [first, second, third] = await mill.enqueueMany(job, [1, 2, 3])
  const done = await readTables(url, async ({ rows }) => {
    const isDone = async (sql: string) =>
      rows(sql).then(
        () => true,
        // A constraint of the table keeps it out.
        () => false,
      )
    const edge = (parent: string, child: string) =>
      `INSERT INTO millrace_edge (parent_id, child_id, policy) VALUES ('${parent}', '${child}', 'cancel')`
    // A ring, and an edge from nowhere.
    const ids = [first?.id ?? '', second?.id ?? '', third?.id ?? ''] as const
    for (const id of ids)
      await rows(`UPDATE millrace_job SET state = 0, reason = 'parents', waiting_on = 1 WHERE id = '${id}'`)
    await rows(edge(ids[0], ids[1]))
    await rows(edge(ids[1], ids[0]))
    await rows(edge('nobody', ids[2]))
    const answers: boolean[] = []
    for (const [i, damage] of damages.entries())
      answers.push(await isDone(`UPDATE millrace_job SET ${damage} WHERE id = '${bad[i]?.id}'`))
    return answers.filter(Boolean).length
  })
  expect(done).toBeGreaterThan(damages.length / 2)

  const worker = mill.work([job], { lease: '2s', heartbeat: '200ms', poll: '20ms' })

  expect(await Promise.all(healthy.map((one) => one.result(WAIT)))).toEqual(healthy.map((_, i) => i))
  const after = await mill.enqueue(job, 7)
  expect(await after.result(WAIT)).toBe(7)
  expect((await mill.list({ limit: 200 })).jobs).toHaveLength(damages.length + HEALTHY + 4)
  for (const { id } of [...bad, first, second, third].flatMap((one) => one ?? [])) {
    await mill.get(id)
    await mill.why(id)
    await mill.logs(id)
  }
  await mill.queues.list()
  await mill.store.diagnose()
  expect(await mill.cancel([first?.id ?? '', third?.id ?? ''])).toEqual([expect.anything(), expect.anything()])
  await worker.stop()
  expect(failures).toEqual([])
  tally({ jobs: damages.length + HEALTHY + 4, 'rows damaged': done })
}
