/**
 * The slow road's unit of work. What a transaction is about is locked and read into memory, changed there by plain code
 * that reads like the memory store's, and written back by a few statements over many rows. So a chain of 2,000 dependents
 * or a batch of 1,000 unique jobs costs some round trips, not thousands, and no database has to say it in its own way.
 *
 * Locks are taken in one order: unique keys, then jobs by id; edges belong to whoever holds their parent. An edge is only
 * added under the lock of its live parent, which counts it in `dependents`, and a job ends only under its own lock; so a
 * child that is inserted while its parent ends is either seen by the end, or finds the parent ended. When edges lead to
 * jobs with lower ids than those that are locked, the transaction starts over with all of them known (`Restart`).
 */
import type { JobState } from '../../core/job/state.ts'
import type { AttemptRecord, EdgePolicy } from '../contract/index.ts'
import { Edges } from './edges.ts'
import { type Key, KeyBook } from './keys.ts'
import { type LiveJob, LOCKED_COLUMNS, liveJobOf } from './live-job.ts'
import { endedState, int, liveState, text } from './rows.ts'
import { Restart, rowsJson, type SqlValue, type Transaction } from './session.ts'

/** How far a lock reaches: the job alone, those it releases by completing, or all that may end with it. */
export type Reach = 'touch' | 'complete' | 'end'

const LOCK_JOBS = `SELECT ${LOCKED_COLUMNS} FROM millrace_job WHERE id IN LIST($1 text) ORDER BY id FOR UPDATE`
const STATES =
  'SELECT id, state, 0 AS has_ended FROM millrace_job WHERE id IN LIST($1 text) UNION ALL ' +
  'SELECT id, state, 1 FROM millrace_archive WHERE id IN LIST($2 text)'
const REMEMBERED_IDS = 'SELECT v.id, 5, 1 FROM ROWS($1: id text) v WHERE REMEMBERED(v.id)'
/** The statements that lock and read jobs, for a driver that has to say them in another way. */
export const LEDGER_STATEMENTS = { LOCK_JOBS, STATES, REMEMBERED_IDS } as const
/** After so many tries locks are taken as they come; a deadlock then is the database's to find. */
const MAX_RESTARTS = 5

/** What one transaction of the slow road is about. */
export class Ledger {
  readonly tx: Transaction
  readonly now: number
  readonly keys: KeyBook
  readonly edges: Edges
  readonly #jobs = new Map<string, LiveJob>()
  readonly #others = new Map<string, JobState>()
  #highest = ''
  /** Jobs that ended here, in the order they did. */
  readonly ended: LiveJob[] = []
  readonly attempts: { readonly id: string; readonly record: AttemptRecord }[] = []
  readonly errors: { readonly id: string; readonly error: Uint8Array | null }[] = []
  readonly bytes: { readonly id: string; readonly field: number; readonly data: Uint8Array }[] = []
  /** New rows of the live table, as `insert.ts` makes them. */
  readonly fresh: { readonly job: LiveJob; readonly row: Readonly<Record<string, SqlValue>> }[] = []
  /** Ids whose archived rows go, with all that belongs to them. */
  readonly removed = new Set<string>()

  constructor(tx: Transaction) {
    this.tx = tx
    this.now = tx.now
    this.keys = new KeyBook(tx)
    this.edges = new Edges(tx)
  }

  /** Locks these jobs as far as they live, with their keys and as far as `reach` says. */
  async lock(ids: readonly string[], reach: Reach | ((job: LiveJob) => Reach)): Promise<void> {
    await this.#lockAll([...new Set([...ids, ...this.tx.known])])
    const reachOf = typeof reach === 'function' ? reach : () => reach
    const seeds = ids.flatMap((id) => {
      const job = this.#jobs.get(id)
      return job === undefined ? [] : [{ job, reach: reachOf(job) }]
    })
    const ending = seeds.filter((seed) => seed.reach === 'end' && hasBonds(seed.job)).map((seed) => seed.job.id)
    const completing = seeds.filter((s) => s.reach === 'complete' && s.job.dependents > 0).map((s) => s.job.id)
    if (ending.length + completing.length === 0) return
    for (;;) {
      const touched = await this.edges.read(ending, completing)
      const missing = touched.filter((id) => !this.#jobs.has(id) && !this.#others.has(id)).sort()
      if (missing.length === 0) return
      const isInOrder = (missing[0] ?? '') > this.#highest
      if (!isInOrder && this.tx.restarts < MAX_RESTARTS) {
        for (const id of missing) this.tx.known.add(id)
        throw new Restart('locks out of order')
      }
      await this.#lockAll(missing)
      // One that is gone has ended, and took its edges along: the next reading does not find them.
      for (const id of missing) if (!this.#jobs.has(id)) this.#others.set(id, 'completed')
    }
  }

  async #lockAll(ids: readonly string[]): Promise<void> {
    const wanted = ids.filter((id) => !this.#jobs.has(id)).sort()
    if (wanted.length === 0) return
    const [, { rows }] = await Promise.all([this.keys.lockOf(wanted), this.tx.query(LOCK_JOBS, [wanted])])
    for (const row of rows) this.add(liveJobOf(row))
    this.#highest = [this.#highest, ...wanted].reduce((a, b) => (a > b ? a : b))
  }

  add(job: LiveJob): void {
    this.#jobs.set(job.id, job)
  }

  /** The locked job, also when it has ended here. */
  job(id: string): LiveJob | undefined {
    return this.#jobs.get(id)
  }

  /** The locked job if it still lives. */
  live(id: string): LiveJob | undefined {
    const job = this.#jobs.get(id)
    return job === undefined || job.ending !== null ? undefined : job
  }

  /** Reads the states of jobs that are not locked, live or ended; `withForgotten`: also of those of which only the id is known. */
  async readStates(ids: readonly string[], withForgotten = false): Promise<void> {
    const unknown = [...new Set(ids)].filter((id) => !this.#jobs.has(id))
    if (unknown.length === 0) return
    const [states, forgotten] = await Promise.all([
      this.tx.query(STATES, [unknown, unknown]),
      withForgotten ? this.tx.query(REMEMBERED_IDS, [rowsJson(unknown.map((id) => ({ id })))]) : undefined,
    ])
    for (const id of unknown) this.#others.delete(id)
    for (const row of [...(forgotten?.rows ?? []), ...states.rows]) {
      this.#others.set(text(row[0]), int(row[2]) === 0 ? liveState(row[1]) : endedState(row[1]))
    }
  }

  /** What a job is by now; null when none has the id, as far as was read. */
  stateOf(id: string): JobState | null {
    const job = this.#jobs.get(id)
    if (job !== undefined) return job.ending === null ? liveState(job.state) : job.ending.state
    return this.#others.get(id) ?? null
  }

  /** Puts on record what the state of a job that is not locked has become. */
  setState(id: string, state: JobState | null): void {
    this.#jobs.delete(id)
    if (state === null) this.#others.delete(id)
    else this.#others.set(id, state)
  }

  /** Who holds a key now: its job lives, or its window lasts. The key has to be locked and its holder's state read. */
  holderOf(key: Key | undefined): { readonly id: string; readonly state: JobState } | null {
    if (key === undefined || key.jobId === null) return null
    const state = this.stateOf(key.jobId)
    if (state === null) return null
    const isHeld = !isFinalState(state) || (key.until !== null && key.until > this.now)
    return isHeld ? { id: key.jobId, state } : null
  }

  addEdge(parent: LiveJob, childId: string, policy: EdgePolicy): void {
    this.edges.add(parent.id, childId, policy)
    parent.dependents++
    parent.isDirty = true
  }

  record(id: string, record: AttemptRecord): void {
    this.attempts.push({ id, record })
  }

  /** The locked jobs that changed and live on. */
  changed(): readonly LiveJob[] {
    return [...this.#jobs.values()].filter((job) => job.isDirty && job.ending === null)
  }
}

/** Whether a job in this state has ended. */
export function isFinalState(state: JobState): state is 'completed' | 'failed' | 'cancelled' {
  return state === 'completed' || state === 'failed' || state === 'cancelled'
}

function hasBonds(job: LiveJob): boolean {
  return job.dependents > 0 || job.waitingOn > 0
}
