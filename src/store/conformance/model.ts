/**
 * Random sequences of operations: a store beside the memory store, which is the reference. After each step both must have
 * answered the same, and in the end every row, edge, log line and figure must be the same.
 *
 * What the contract leaves open is kept out of the sequences: which jobs a bounded promotion, expiry or reclaim takes first
 * when several are due in the same millisecond (limits are above all there is), and with which queue a claim over all
 * queues begins. fast-check is loaded here, when the case runs: a driver's author installs it, an app never does.
 */
import type { AsyncCommand } from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JobRow, Store } from '../contract/index.ts'
import { createMemoryStore } from '../memory/store.ts'
import { Fixture, type OpenStore } from './fixture.ts'
import { BARE, type Both, commandsOf, insertion, plain } from './model-commands.ts'
import { jobsOf, Pool } from './model-pool.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const SEQUENCES = 100
/** So many times more in a long run. */
const LONGER = 20
const LENGTH = 80
/** Of the default run, so that it is the same everywhere; `MILLRACE_SEED` replays another one. */
const SEED = 20_261_128

/** After so many sequences the store is looked at for damaged rows. */
const LOOK_EVERY = 10
let compared = 0

/** Waits for the first job of its batch. */
const CHILD = { ...BARE, parents: [{ ref: 0, policy: 'cancel' as const }] }

/** Declares the case that compares one driver with the memory store. */
export function modelCases(open: OpenStore, sequences: number = SEQUENCES): void {
  const numRuns = LONG ? sequences * LONGER : sequences
  describe('random sequences', () => {
    it(
      `${numRuns} sequences of operations lead to what they lead to in the memory store`,
      async () => {
        const fc = await import('fast-check')
        const seed = Number(process.env.MILLRACE_SEED ?? (LONG ? Date.now() % 2 ** 31 : SEED))
        if (LONG) console.log(`seed ${seed}: replay with MILLRACE_SEED=${seed}`)
        const sequence = fc.commands([...commandsOf(fc)], { maxCommands: LENGTH, size: 'max' })
        const property = fc.asyncProperty(sequence, (commands) => Fixture.run(open, (f) => compare(f, commands)))
        await fc.assert(property, { seed, numRuns, endOnFailure: false })
      },
      LONG ? 3_600_000 : 300_000,
    )
  })
}

async function compare(f: Fixture, commands: Iterable<AsyncCommand<Pool, Both>>): Promise<void> {
  const reference = createMemoryStore({ clock: f.clock })
  await reference.open()
  try {
    const pool = new Pool()
    const both = { real: f.store, reference, clock: f.clock }
    // Something to begin with: jobs, and children of the first.
    const first = insertion(jobsOf([...Array(6).fill(BARE), CHILD, CHILD], pool), pool)
    expect(await first(f.store, false)).toEqual(await first(reference, true))
    for (const command of commands) await command.run(pool, both)
    expect(plain(await everything(f.store, pool))).toEqual(plain(await everything(reference, pool)))
    // What operations alone have made is never damaged. A server's catalogues take long to read: not after each sequence.
    if (compared++ % LOOK_EVERY !== 0) return
    expect((await f.store.diagnose()).filter(({ code }) => code === 'ROW_DAMAGED')).toEqual([])
  } finally {
    await reference.close()
  }
}

/** All that a store shows: rows by `list` and by `get`, edges, log lines, queues, what is due. */
async function everything(store: Store, pool: Pool): Promise<unknown> {
  const rows = await listAll(store)
  const ids = rows.map((row) => row.id)
  return {
    rows,
    byId: await Promise.all(pool.ids.map((id) => store.jobs.get(id))),
    checkpoints: await Promise.all(ids.map((id) => store.jobs.checkpoint(id))),
    edges: await Promise.all(ids.map((id) => store.jobs.edges(id))),
    logs: await Promise.all(ids.map((id) => store.jobs.logs(id, -1, 1_000))),
    queues: await store.queues.list(),
    stats: await Promise.all(['q0', 'q1', 'Q1'].map((queue) => store.queues.stats(queue))),
    nextDue: await store.jobs.nextDue(),
    count: await store.jobs.count({}, 10_000),
  }
}

async function listAll(store: Store): Promise<readonly JobRow[]> {
  const rows: JobRow[] = []
  let cursor: string | undefined
  do {
    const page = await store.jobs.list({ filter: {}, limit: 20, ...(cursor === undefined ? {} : { cursor }) })
    rows.push(...page.rows)
    cursor = page.next
  } while (cursor !== undefined)
  return rows
}
