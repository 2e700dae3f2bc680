/** Steps of a life story of jobs, each between two notes: before it that jobs may change, after it what they are. */
import { appendFileSync } from 'node:fs'
import { createCodec } from '../../src/codec/codec.ts'
import type {
  ClaimedJob,
  EdgePolicy,
  JobRow,
  NewJob,
  NewUnique,
  Settlement,
  Store,
} from '../../src/store/contract/index.ts'
import type { StatementTrap } from './statement-trap.ts'

/** A line of the notes. What was noted before the process died is what it had acknowledged. */
export type Note =
  | { readonly step: string; readonly mayVanish: boolean }
  /** `at`: the chances to die until then. */
  | { readonly states: Readonly<Record<string, string>>; readonly at: number }
  | { readonly statements: number; readonly commits: readonly number[] }
  /** A session with a server, by the server's number. */
  | { readonly session: number }

/** Adds a line to the file of notes. */
export function writeNote(notes: string, note: Note): void {
  appendFileSync(notes, `${JSON.stringify(note)}\n`)
}

/** A new job as a story tells it. */
export interface Sketch {
  readonly value?: string
  readonly queue?: string
  readonly priority?: number
  readonly delayMs?: number
  readonly expiresInMs?: number
  readonly unique?: NewUnique
  readonly parents?: readonly (readonly [id: string, policy: EdgePolicy])[]
}

type Outcome = Settlement extends infer S ? (S extends unknown ? Omit<S, 'id' | 'epoch' | 'runMs'> : never) : never

const LEASE_MS = 30_000
const codec = createCodec({})

export class Story {
  readonly ids: string[] = []
  readonly #store: Store
  readonly #notes: string
  readonly #trap: StatementTrap

  constructor(store: Store, notes: string, trap: StatementTrap) {
    this.#store = store
    this.#notes = notes
    this.#trap = trap
  }

  note(note: Note): void {
    writeNote(this.#notes, note)
  }

  /** One step. `mayVanish`: jobs may be deleted by it. */
  async step<T>(step: string, work: () => Promise<T> | T, mayVanish = false): Promise<T> {
    this.note({ step, mayVanish })
    const value = await work()
    this.note({ states: await this.#trap.quietly(() => statesOf(this.#store)), at: this.#trap.count() })
    return value
  }

  /** Inserts jobs and returns their ids. */
  insert(step: string, sketches: readonly Sketch[]): Promise<readonly string[]> {
    const jobs = sketches.map((sketch) => this.job(sketch))
    return this.step(step, async () => (await this.#store.jobs.insert(jobs)).map((result) => result.id))
  }

  claim(workerId: string, limit: number): Promise<readonly ClaimedJob[]> {
    const claim = { workerId, queues: 'all' as const, names: ['job'], limit, leaseMs: LEASE_MS }
    return this.step('claim', async () => (await this.#store.jobs.exchange({ workerId, settle: [], claim })).claimed)
  }

  settle(workerId: string, jobs: readonly ClaimedJob[], outcomes: readonly Outcome[]): Promise<unknown> {
    const settle = jobs.slice(0, outcomes.length).map(({ id, epoch }, i) => {
      // There are as many outcomes as jobs.
      return { id, epoch, runMs: 5, ...outcomes[i] } as Settlement
    })
    return this.step('settle', () => this.#store.jobs.exchange({ workerId, settle }))
  }

  job({ value = 'small', parents, ...rest }: Sketch): NewJob {
    const id = `0198f000-0000-7000-8000-${(this.ids.length + 1).toString(16).padStart(12, '0')}`
    this.ids.push(id)
    const payload = codec.encode({ jobId: id, jobName: 'job', field: 'payload' }, value)
    if (payload instanceof Promise) throw new Error('the value is too long for this story')
    const dependsOn = parents?.map(([parentId, policy]) => ({ parentId, policy }))
    const job = { id, name: 'job', version: 1, queue: 'q', priority: 5, payload, ...rest }
    return dependsOn === undefined ? job : { ...job, dependsOn }
  }
}

/** The state of every job of a store, by id. */
export async function statesOf(store: Store): Promise<Readonly<Record<string, string>>> {
  const rows: JobRow[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await store.jobs.list({ filter: {}, limit: 200, ...(cursor === undefined ? {} : { cursor }) })
    rows.push(...page.rows)
    cursor = page.next
    if (cursor === undefined) return Object.fromEntries(rows.map((row) => [row.id, row.state]))
  }
}
