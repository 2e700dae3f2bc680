/** Migrations as deploys meet them: many at once, on an empty and on an older store, with workers of the old version at work. */

import { describe, expect, it, onTestFinished } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { countAll } from '../../src/store/conformance/list.ts'
import type { Store } from '../../src/store/contract/index.ts'
import { type Child, startChild } from '../support/child.ts'
import { generator, seedOf } from '../support/random.ts'
import { databaseOf } from '../support/schema-of.ts'
import { describeOn, freshStoreUrl } from '../support/servers.ts'
import { readTables } from '../support/tables.ts'
import { tempStoreUrl } from '../support/temp-store.ts'
import { laterStore, stepsOf } from './later.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
/** 24 migrators at once, in so many processes. */
const MIGRATORS = 24
const PROCESSES = LONG ? 24 : 6
const KILLED = PROCESSES / 2
const ROWS = LONG ? 20_000 : 2_000
const LEASE_MS = 60_000

type FreshUrl = () => Promise<string>

describe('sqlite', () => {
  cases(async () => tempStoreUrl())
})

for (const kind of ['postgres', 'mysql'] as const) {
  await describeOn(kind, (server) => cases(() => freshStoreUrl(server)))
}

function cases(freshUrl: FreshUrl): void {
  it('24 migrators at once make an empty store, each step applied once', async () => {
    const url = await freshUrl()

    const applied = await migrateFrom(url, await startMigrators(url))

    const next = stepsOf(url) + 1
    expect(applied.toSorted((a, b) => a - b)).toEqual(versionsTo(next))
    expect(await (await opened(url, 1)).schemaVersion()).toEqual({ current: next, latest: next, oldest: 1 })
  }, 120_000)

  it('24 migrators, half of them killed, bring an older store up while its workers go on', async () => {
    const url = await freshUrl()
    const store = await opened(url, 0)
    await store.migrate()
    for (let i = 0; i < ROWS; i += 500) await store.jobs.insert(Array.from({ length: 500 }, () => job('held')))
    const works = [work(store), work(await opened(url, 0))]
    const migrators = await startMigrators(url)

    await migrateFrom(url, migrators, KILLED)
    const before = works.map((each) => each.done())
    await condition(() => works.every((each, i) => each.done() > (before[i] ?? 0) + 20))
    const done = (await Promise.all(works.map((each) => each.stop()))).reduce((sum, count) => sum + count, 0)

    const newer = await opened(url, 1)
    const next = stepsOf(url) + 1
    expect(await newer.schemaVersion()).toEqual({ current: next, latest: next, oldest: 1 })
    expect(await newer.plan()).toEqual([])
    expect(await countAll(newer, { queues: ['held'] })).toBe(ROWS)
    expect(await countAll(newer, { states: ['completed'] }, 1_000_000)).toBe(done)
  }, 180_000)

  it('a program of the version before opens a store that may still be its, and no other', async () => {
    const url = await freshUrl()
    await (await opened(url, 1)).migrate()

    const older = await opened(url, 0)
    const id = newId()
    await older.jobs.insert([{ ...job('q'), id }])

    const known = stepsOf(url)
    expect(await older.schemaVersion()).toEqual({ current: known + 1, latest: known, oldest: 1 })
    expect(await older.migrate()).toEqual([])
    expect(await older.plan()).toEqual([])
    await (await opened(url, 2)).migrate()
    const refused = {
      kind: 'schema',
      code: 'STORE_NEWER',
      fields: { current: known + 2, latest: known, oldest: known + 2 },
    }
    await expect(opened(url, 0)).rejects.toMatchObject(refused)
    await expect(opened(url, 1)).rejects.toMatchObject({ code: 'STORE_NEWER' })
    expect(await (await opened(url, 2)).jobs.get(id)).toMatchObject({ id, state: 'pending' })
  })

  it('the plan changes nothing, and leaves what migrate leaves when somebody else runs it', async () => {
    const [byHand, byUs] = [await freshUrl(), await freshUrl()]
    const store = await opened(byHand, 1)
    const plan = await store.plan()

    const next = stepsOf(byHand) + 1
    expect(plan.map(({ version }) => version)).toEqual(versionsTo(next))
    expect(await store.schemaVersion()).toEqual({ current: 0, latest: next, oldest: 0 })
    expect(await store.plan()).toEqual(plan)
    expect([await store.plan(0), await store.plan(1), await store.plan(next)]).toEqual([plan, plan.slice(1), []])
    const runner = await databaseOf(byHand)
    for (const { statements } of plan) for (const statement of statements) await runner.run(statement)
    await (await opened(byUs, 1)).migrate()

    expect(await store.migrate()).toEqual([])
    expect(await store.schemaVersion()).toEqual({ current: next, latest: next, oldest: 1 })
    expect(await runner.describe(byHand)).toEqual(await runner.describe(byUs))
  })

  it('a store of the first version keeps what it has, and takes what a worker of that version writes', async () => {
    const url = await freshUrl()
    const store = await opened(url, 0)
    const [first] = await store.plan()
    const runner = await databaseOf(url)
    for (const statement of first?.statements ?? []) await runner.run(statement)
    await readTables(url, ({ rows }) => rows(beatOfFirst('before')))

    expect(await store.migrate()).toEqual(versionsTo(stepsOf(url)).slice(1))

    await readTables(url, ({ rows }) => rows(beatOfFirst('after')))
    const unsaid = { node: null, status: 'running', health: null }
    expect(await store.cluster.nodes(1)).toMatchObject([
      { id: 'after', ...unsaid },
      { id: 'before', ...unsaid },
    ])
  })
}

/** How a worker of the first version writes its row. */
function beatOfFirst(id: string): string {
  // allow sql: names of this file
  return `INSERT INTO millrace_node (id, host, pid, version, names, concurrency, running, started_at, seen_at) VALUES ('${id}', 'h', 1, '0', '[]', 1, 0, 0, 4000000000000)`
}

function versionsTo(last: number): readonly number[] {
  return Array.from({ length: last }, (_, i) => i + 1)
}

/** A store at a URL as a program that knows so many later steps has it. */
async function opened(url: string, later: number): Promise<Store> {
  const store = laterStore(url, later)
  await store.open()
  onTestFinished(() => store.close())
  return store
}

/** Processes with 24 migrators of the next version in all, ready to begin. */
async function startMigrators(url: string): Promise<readonly Child[]> {
  const args = [url, String(MIGRATORS / PROCESSES), '1']
  const children = Array.from({ length: PROCESSES }, () =>
    startChild(new URL('migrator.ts', import.meta.url).pathname, args),
  )
  await Promise.all(children.map((child) => child.line('ready')))
  return children
}

/** Lets them begin, kills some at moments of their own, and says what those that lived applied. */
async function migrateFrom(url: string, children: readonly Child[], killed = 0): Promise<readonly number[]> {
  const random = generator(seedOf(11))
  for (const child of children) child.tell('go')
  const [dead, alive] = [children.slice(0, killed), children.slice(killed)]
  const watch = await opened(url, 1)
  for (const child of dead) {
    // So many looks at the version are a while, and never the same.
    for (let looks = Math.floor(random() * 40); looks > 0; looks--) await watch.schemaVersion()
    await child.kill()
  }
  const said = await Promise.all(alive.map((child) => child.line('done')))
  await Promise.all(alive.map((child) => child.ended))
  return said.flatMap((line): number[] => JSON.parse(line.slice('done '.length)).flat())
}

/** A worker and producer of the version before: what it meets ends the test. */
function work(store: Store) {
  let isStopped = false
  let done = 0
  const loop = async () => {
    const workerId = newId()
    while (!isStopped) {
      await store.jobs.insert([job('q'), job('q')])
      const claim = { workerId, queues: [{ queue: 'q', max: 5 }], names: ['n'], limit: 5, leaseMs: LEASE_MS }
      const { claimed } = await store.jobs.exchange({ workerId, settle: [], claim })
      const settle = claimed.map(({ id, epoch }) => ({ id, epoch, runMs: 1, to: 'completed', result: null }) as const)
      const { settled } = await store.jobs.exchange({ workerId, settle })
      expect(settled).toEqual(settle.map(() => 'settled'))
      done += settled.length
      // SQLite answers within the turn: others get theirs.
      await new Promise(setImmediate)
    }
    return done
  }
  const ended = loop()
  // Told by `stop`, also when it comes long before.
  ended.catch(() => undefined)
  return {
    done: () => done,
    stop() {
      isStopped = true
      return ended
    },
  }
}

async function condition(isMet: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!isMet()) {
    if (performance.now() > deadline) throw new Error('the condition was not met within a minute')
    await new Promise(setImmediate)
  }
}

function job(queue: string) {
  return { id: newId(), name: 'n', version: 1, queue, priority: 5, payload: Buffer.from('{}') }
}
