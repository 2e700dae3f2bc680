/**
 * F-34: of rows that no Millrace wrote the doctor names each, unless what was done to it harms nothing; what it prints to mend one
 * does so. No job beside them is named, nor any while workers are at work.
 */
import { expect, test } from 'vitest'
import { defineJob, type Millrace } from '../../src/index.ts'
import type { Diagnosis } from '../../src/store/contract/index.ts'
import { describeOnEvery, type TestStores } from '../support/every-store.ts'
import { openMill } from '../support/mill.ts'
import { databaseOf } from '../support/schema-of.ts'
import { describeOn, freshStoreUrl, SERVER_KINDS } from '../support/servers.ts'
import { readTables, type StoreKind } from '../support/tables.ts'
import { tally } from '../support/tally.ts'
import { DAMAGES, HARMLESS } from './rows-damages.ts'

const WAIT = { timeout: '30s' } as const
const HEALTHY = 20
const ROUNDS = process.env.MILLRACE_LONG ? 300 : 20
/** Each attempt in three fails. */
let attempts = 0
const shaky = defineJob({
  name: 'shaky',
  retry: { attempts: 2, delay: 20 },
  run: (_: number) => {
    if (attempts++ % 3 === 0) throw new Error('no')
  },
})
const job = defineJob({ name: 'job', run: (input: number) => input })

await describeOnEvery((stores) => {
  test('every damage that harms is named, and mended by what is printed', () => damageAndMend(stores), 90_000)

  test('no job is named while others are enqueued, run, fail, are cancelled and release each other', async () => {
    const mill = await openMill({ store: await stores.freshUrl() })
    const worker = mill.work([job, shaky], { poll: '10ms', concurrency: 8 })
    for (let round = 0; round < ROUNDS; round++) {
      const parents = await mill.enqueueMany(shaky, Array(20).fill(round))
      const children = await Promise.all(
        parents.slice(1).map(({ id }, i) => mill.enqueue(job, i, { dependsOn: [id, parents[i]?.id ?? id] })),
      )
      const [found] = await Promise.all([
        damaged(mill),
        mill.cancel(children.slice(0, 3).map(idOf)),
        mill.enqueue(job, round, { delay: '20ms' }),
      ])
      expect(found).toEqual([])
    }
    await worker.stop()
    expect(await damaged(mill)).toEqual([])
  }, 300_000)

  test('a lost parent, a count that is too low and a ring are named, and mended by what is printed', async () => {
    const url = await stores.freshUrl()
    const mill = await openMill({ store: url })
    const [a = '', b = '', c = '', lost = '', parent = ''] = (await mill.enqueueMany(job, [1, 2, 3, 4, 5])).map(idOf)
    const child = await mill.enqueue(job, 6, { dependsOn: [parent] })
    await readTables(url, async ({ rows, kind }) => {
      const edge = (from: string, to: string) =>
        `INSERT INTO millrace_edge (parent_id, child_id, policy) VALUES ('${from}', '${to}', 'cancel')`
      for (const id of [a, b, c, lost]) {
        const dependents = id === lost ? 0 : 1
        await rows(
          `UPDATE millrace_job SET state = 0, reason = 'parents', waiting_on = 1, dependents = ${dependents} WHERE id = '${id}'`,
        )
        // So it stands where its row says.
        if (kind === 'mysql') await rows(`UPDATE millrace_ready SET state = 0 WHERE id = '${id}'`)
      }
      for (const [from, to] of [
        [a, b],
        [b, c],
        [c, a],
        ['nobody', lost],
      ] as const)
        await rows(edge(from, to))
      await rows(`UPDATE millrace_job SET dependents = 0 WHERE id = '${parent}'`)
    })

    const found = await damaged(mill)

    expect(found.map(({ message }) => message)).toEqual([
      `job ${lost}: waits for a parent that is not there: nobody`,
      `job ${parent}: dependents is 0, and 1 job waits for it`,
      `jobs wait for each other in a ring, so that none of them runs: ${[a, c, b, a].join(' → ')}`,
    ])
    await mendAll(url, mill, found)
    // Whom the parent did not know is named when it is gone.
    const left = await damaged(mill)
    expect(left.map(({ message }) => message)).toEqual([
      `job ${child.id}: waits for a parent that is not there: ${parent}`,
    ])
    await mendAll(url, mill, left)
    expect(await damaged(mill)).toEqual([])
    expect(await mill.count({ state: ['blocked', 'pending'] })).toMatchObject({ count: 0 })
  })
})

for (const kind of SERVER_KINDS) {
  await describeOn(kind, (server) => {
    test('a user who is kept from payloads is told of damaged rows as well', async () => {
      const url = await freshStoreUrl(server)
      const { migrator, worker, viewer } = await server.rolesOf(url)
      await openMill({ store: migrator })
      const { id } = await (await openMill({ store: worker })).enqueue(job, 1)
      await server.withhold(migrator)
      await readTables(url, ({ rows }) => rows(`UPDATE millrace_job SET epoch = -1 WHERE id = '${id}'`))

      const found = await damaged(await openMill({ store: viewer, migrate: false }))

      expect(found.map(({ message }) => message)).toEqual([`job ${id}: epoch is -1`])
    })
  })
}

async function damageAndMend(stores: TestStores): Promise<void> {
  const url = await stores.freshUrl()
  const mill = await openMill({ store: url })
  const jobs = await mill.enqueueMany(job, Array(DAMAGES.length).fill(0))
  const inputs = Array.from({ length: HEALTHY }, (_, i) => i)
  const healthy = await mill.enqueueMany(job, inputs)
  const damageOf = new Map<string, string>()
  await readTables(url, async ({ rows }) => {
    for (const [i, damage] of DAMAGES.entries()) {
      const id = jobs[i]?.id ?? ''
      // A constraint of the table may keep it out.
      const isDone = rows(`UPDATE millrace_job SET ${damage} WHERE id = '${id}'`).then(
        () => true,
        () => false,
      )
      if (await isDone) damageOf.set(id, damage)
    }
  })

  const named = new Map<string, string>()
  for (let found = await damaged(mill); found.length > 0; found = await damaged(mill)) {
    for (const { message } of found) {
      const [, id = '', what = ''] = /^job (\S+): (.*)$/.exec(message) ?? []
      // What is mended stays mended.
      expect(named).not.toContain(id)
      if (id !== '') named.set(damageOf.get(id) ?? id, what)
    }
    await mendAll(url, mill, found)
  }

  const expected = [...damageOf.values()].filter((damage) => !HARMLESS.has(damage) || harmsOn(stores.kind, damage))
  expect([...named.keys()].sort()).toEqual(expected.sort())
  expect(named.get('epoch = -1')).toBe('epoch is -1')
  expect(damageOf.size).toBeGreaterThan(DAMAGES.length - 5)
  tally({ jobs: DAMAGES.length + HEALTHY, 'rows damaged': damageOf.size, 'rows named': named.size })
  const worker = mill.work([job], { poll: '20ms', lease: '2s', heartbeat: '200ms' })
  expect(await Promise.all(healthy.map((one) => one.result(WAIT)))).toEqual(inputs)
  const left = async () => (await mill.list({ state: ['pending', 'processing', 'blocked'] })).jobs
  await expect.poll(left, { timeout: 30_000, interval: 100 }).toEqual([])
  await worker.stop()
  expect(await damaged(mill)).toEqual([])
}

/**
 * What harms on one kind of store alone. On MySQL and MariaDB a job that waits has a place in the line, on PostgreSQL a job that
 * runs is named by a row of leases: whoever changes its row by hand leaves the one as it was, and makes no other.
 */
function harmsOn(kind: StoreKind, damage: string): boolean {
  if (kind === 'postgres') return damage.startsWith('state = 3')
  return kind === 'mysql' && damage.startsWith('run_at')
}

async function damaged(mill: Millrace): Promise<readonly Diagnosis[]> {
  return (await mill.store.diagnose()).filter(({ code }) => code === 'ROW_DAMAGED')
}

/** Does what each finding says. */
async function mendAll(url: string, mill: Millrace, found: readonly Diagnosis[]): Promise<void> {
  for (const { fix } of found) {
    if (fix.endsWith('look again.')) continue
    const [, sql = fix, id] = /^(.*;)?[^;]*: millrace job cancel (\S+)$/.exec(fix) ?? []
    if (sql.endsWith(';')) await runSql(url, sql)
    if (id !== undefined) {
      const [outcome] = await mill.cancel(id)
      // One whose lease has ended is taken back first, as a worker would; and one may have ended with what was mended before.
      if (outcome?.outcome === 'cancelling') await mill.store.jobs.reclaim(10)
      expect(['cancelled', 'cancelling', 'final']).toContain(outcome?.outcome)
    }
  }
}

async function runSql(url: string, fix: string): Promise<void> {
  const database = await databaseOf(url)
  for (const statement of fix.split(';').filter((one) => one !== '')) await database.run(statement)
}

function idOf({ id }: { readonly id: string }): string {
  return id
}
