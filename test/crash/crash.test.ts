/** SIGKILL between any two statements of a store: what was acknowledged is there, nothing contradicts itself, work goes on. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Millrace } from '../../src/index.ts'
import { defineJob } from '../../src/job/define-job.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import { startChild } from '../support/child.ts'
import { describeOnEvery, type TestStores } from '../support/every-store.ts'
import { invariantFaults } from '../support/invariants.ts'
import { LIVE } from '../support/live.ts'
import { readTables, type StoreKind } from '../support/tables.ts'
import { tally } from '../support/tally.ts'
import { tempDir } from '../support/temp-store.ts'
import { halfOrders } from './app-order.ts'
import { type Note, statesOf } from './story.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
/** How many places the default run dies at, spread over the whole story: around a commit, or up to three statements earlier. */
const PLACES = { sqlite: 12, postgres: 6, mysql: 6 } as const
/** From right after a commit was sent to what lies before it; SQLite's commit has no such moment, it is done or not begun. */
const AROUND = { sqlite: [0, -1, -2, -3], postgres: [1, -2, -4, 0, -2, -4], mysql: [1, -2, -4, 0, -3, -6] } as const
/** On a server a life has more chances the longer it takes, since hints go when their time has come: so many lives may end before. */
const MOST_ENDED = 0.05
const TIMEOUT_MS = LONG ? 7_200_000 : 300_000

await describeOnEvery((stores) => {
  const { kind } = stores
  if (kind !== 'sqlite') {
    test(
      `a process killed at ${LONG ? 'each' : 'one'} of the statements that make the tables leaves what can be made`,
      () => dieAtEach(stores.kind, stores.onFresh, ({ made }) => (LONG ? upTo(made) : [Math.floor(made / 2)])),
      TIMEOUT_MS,
    )
  }
  test(
    `a process killed at ${LONG ? 'each' : PLACES[kind]} of its statements leaves a sound store`,
    async () => {
      // On a server the first life makes the tables, which all others find.
      if (kind !== 'sqlite') await stores.onEmpty((url) => live(url, 0))
      await dieAtEach(kind, stores.onEmpty, (whole) => (LONG ? upTo(whole.statements) : spread(kind, whole)))
    },
    TIMEOUT_MS,
  )
})

/** Chances to die in a whole life: in all, up to where the tables were made, right before commits. */
interface Chances {
  readonly statements: number
  readonly made: number
  readonly commits: readonly number[]
}

async function dieAtEach(
  kind: StoreKind,
  onStore: TestStores['onFresh'],
  placesOf: (chances: Chances) => readonly number[],
): Promise<void> {
  const chances = await onStore(async (url) => {
    const whole = await live(url, 0)
    expect(whole.ended).toMatchObject({ code: 0, stderr: '' })
    await expectSound(whole, 'the whole story')
    return chancesOf(whole)
  })
  expect(chances.statements).toBeGreaterThan(200)
  const places = placesOf(chances)
  let kills = 0
  for (const at of places) {
    await onStore(async (url) => {
      const life = await live(url, at)
      const when = `killed at ${at} of ${chances.statements}`
      const hasEnded = kind !== 'sqlite' && life.ended.code === 0 && chancesOf(life).statements < at
      if (!hasEnded) {
        expect(life.ended, when).toMatchObject({ signal: 'SIGKILL', stderr: '' })
        kills++
      }
      await expectSound(life, when)
    })
  }
  tally({ kills })
  expect(kills).toBeGreaterThanOrEqual(places.length * (1 - MOST_ENDED))
  if (LONG) console.log(JSON.stringify({ kind, ...chances, commits: chances.commits.length, kills }))
}

function chancesOf({ notes }: Life): Chances {
  const last = notes.at(-1)
  if (last === undefined || !('statements' in last)) throw new Error('it did not live to the end')
  const migrated = notes.find((note) => 'states' in note)
  return { ...last, made: migrated?.at ?? 0 }
}

function upTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i + 1)
}

function spread(kind: StoreKind, { commits }: Chances): readonly number[] {
  return Array.from({ length: PLACES[kind] }, (_, i) => {
    const commit = commits[Math.floor((i * commits.length) / PLACES[kind])] ?? 1
    return commit + (AROUND[kind][i % AROUND[kind].length] ?? 0)
  })
}

interface Life {
  readonly url: string
  readonly notes: readonly Note[]
  readonly ended: { readonly signal: string | null; readonly code: number | null; readonly stderr: string }
}

async function live(url: string, at: number): Promise<Life> {
  const notes = join(tempDir(), 'notes')
  const ended = await startChild(join(import.meta.dirname, 'life-story.ts'), [url, notes, String(at)]).ended
  const all = readNotes(notes)
  // What a killed process had sent is still done.
  const sessions = all.flatMap((note) => ('session' in note ? [note.session] : []))
  if (sessions.length > 0) await readTables(url, ({ gone }) => gone(sessions))
  return { url, notes: all.filter((note) => !('session' in note)), ended }
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

async function expectSound({ url, notes }: Life, when: string): Promise<void> {
  const store = await createStore(url)
  await store.open()
  await store.migrate()
  expect(await invariantFaults(url), when).toEqual([])
  const states = await statesOf(store)
  tally({ jobs: Object.keys(states).length })
  expect(forgotten(notes, states), when).toEqual([])
  // Finished jobs are deleted in the end, orders stay.
  const mayVanish = notes.some((note) => 'mayVanish' in note && note.mayVanish)
  if (!mayVanish) expect(await halfOrders(url), when).toEqual([])
  await store.queues.resume('alike')
  await store.jobs.reclaim(1_000)
  await store.jobs.promote(1_000)
  await store.jobs.unblock(['k1'], 1_000)
  await store.close()

  await finishAll(url)
  expect(await invariantFaults(url), `${when}, then finished`).toEqual([])
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

/** A new worker does all that is left. */
async function finishAll(url: string): Promise<void> {
  const mill = await Millrace.open({ store: url })
  try {
    const job = defineJob({ name: 'job', run: (_: string) => 'done' })
    await mill.work([job], { drain: true, poll: '5ms' }).done
    expect((await mill.list({ state: LIVE })).jobs.map(({ id, state, reason }) => ({ id, state, reason }))).toEqual([])
  } finally {
    await mill.close()
  }
}
