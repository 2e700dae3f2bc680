/** SIGKILL between any two statements of a store: what was acknowledged is there, nothing contradicts itself, work goes on. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { Millrace } from '../../src/index.ts'
import { defineJob } from '../../src/job/define-job.ts'
import { createSqliteStore } from '../../src/store/sqlite/store.ts'
import { startChild } from '../support/child.ts'
import { invariantFaults } from '../support/invariants.ts'
import { tempDir } from '../support/temp-store.ts'
import { type Note, statesOf } from './story.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
/** How many places the default run dies at, spread over the whole story: right before a commit, or up to three statements earlier. */
const PLACES = 12

test(
  `a process killed before ${LONG ? 'each' : `${PLACES}`} of its statements leaves a sound store`,
  async () => {
    const whole = await live(0)
    const last = whole.notes.at(-1)
    const { statements, commits } = last !== undefined && 'statements' in last ? last : { statements: 0, commits: [] }
    expect(whole.ended).toMatchObject({ code: 0, stderr: '' })
    expect(statements).toBeGreaterThan(300)
    await expectSound(whole, 'the whole story')

    const places = LONG
      ? Array.from({ length: statements }, (_, i) => i + 1)
      : Array.from({ length: PLACES }, (_, i) => (commits[Math.floor((i * commits.length) / PLACES)] ?? 1) - (i % 4))
    for (const at of places) {
      const life = await live(at)
      expect(life.ended, `killed before statement ${at}`).toMatchObject({ signal: 'SIGKILL', stderr: '' })
      await expectSound(life, `killed before statement ${at}`)
    }
    if (LONG) console.log(`${places.length} kills`)
  },
  LONG ? 3_600_000 : 120_000,
)

interface Life {
  readonly path: string
  readonly notes: readonly Note[]
  readonly ended: { readonly signal: string | null; readonly code: number | null; readonly stderr: string }
}

async function live(at: number): Promise<Life> {
  const folder = tempDir()
  const path = join(folder, 'millrace.db')
  const notes = join(folder, 'notes')
  const ended = await startChild(join(import.meta.dirname, 'life-story.ts'), [path, notes, String(at)]).ended
  return { path, notes: readNotes(notes), ended }
}

function readNotes(path: string): readonly Note[] {
  try {
    const lines = readFileSync(path, 'utf8').trim().split('\n')
    // Only life-story.ts writes this file.
    return lines.map((line) => JSON.parse(line) as Note)
  } catch {
    // It died before its first note.
    return []
  }
}

async function expectSound({ path, notes }: Life, when: string): Promise<void> {
  const store = createSqliteStore({ path, durability: 'normal' })
  await store.open()
  await store.migrate()
  expect(invariantFaults(path), when).toEqual([])
  expect(forgotten(notes, await statesOf(store)), when).toEqual([])
  expect(halfOrders(path, notes), when).toEqual([])
  await store.queues.resume('alike')
  await store.jobs.reclaim(1_000)
  await store.jobs.promote(1_000)
  await store.jobs.unblock(['k1'], 1_000)
  await store.close()

  await finishAll(path)
  expect(invariantFaults(path), `${when}, then finished`).toEqual([])
}

/** What was acknowledged and is not so: a state that no step under way could have changed, a job that none could have deleted. */
function forgotten(notes: readonly Note[], states: Readonly<Record<string, string>>): readonly string[] {
  const said = notes.flatMap((note) => ('states' in note ? [note.states] : [])).at(-1) ?? {}
  const last = notes.at(-1)
  const underWay = last !== undefined && 'step' in last ? last : undefined
  if (underWay?.mayVanish === true) return []
  const missing = Object.keys(said).filter((id) => states[id] === undefined)
  const changed = underWay === undefined ? Object.keys(said).filter((id) => states[id] !== said[id]) : []
  return [...missing, ...changed]
}

/** Orders of the app without their job, or the job without its order. */
function halfOrders(path: string, notes: readonly Note[]): readonly unknown[] {
  // Finished jobs are deleted then, orders stay.
  if (notes.some((note) => 'mayVanish' in note && note.mayVanish)) return []
  const db = new DatabaseSync(path)
  try {
    const exists = db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'app_order'").get()
    if (exists === undefined) return []
    const orders = db.prepare('SELECT job_id FROM app_order').all()
    const known = db.prepare(
      "SELECT id FROM (SELECT id, unique_key FROM millrace_job UNION ALL SELECT id, unique_key FROM millrace_archive) WHERE unique_key = 'order'",
    )
    const jobs = known.all()
    return orders.length === jobs.length ? [] : [{ orders, jobs }]
  } finally {
    db.close()
  }
}

/** A new worker does all that is left. */
async function finishAll(path: string): Promise<void> {
  const mill = await Millrace.open({ store: `sqlite:${path}?durability=normal` })
  try {
    const job = defineJob({ name: 'job', run: (_: string) => 'done' })
    await mill.work([job], { drain: true, poll: '5ms' }).done
    const state = ['blocked', 'scheduled', 'pending', 'processing', 'retrying'] as const
    expect(
      (await mill.list({ state: [...state] })).jobs.map(({ id, state, reason }) => ({ id, state, reason })),
    ).toEqual([])
  } finally {
    await mill.close()
  }
}
