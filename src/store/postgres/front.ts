/**
 * Where claims go on, so that under load they need not begin at the head of the index.
 *
 * Claims leave their jobs in line (schema.ts), those that ended leave dead entries until the table is vacuumed, and a claim that
 * begins at the head reads past all of them: those of every worker, so that with each worker all claims would grow dearer. So who
 * is busy goes on where the last claim ended, whoever made it, within its priority; and reserves its stretch of the line before, by
 * a short statement of its own, so that claims at once do not step over each other. A job that became claimable at an earlier place
 * meanwhile (of a higher priority, given back, of a queue that had nothing) is met by the next claim from the head: that
 * is each 100 ms, or ten times what such a claim took, by one of all workers, and whenever too little stands behind the front.
 *
 * A row of `millrace_front` is such a place, of one queue and the names that are claimed, since whoever claims other names has to
 * look at what this one passed over. All of it is a hint: one that is wrong, or lost, costs a look at the head.
 */
import { createHash } from 'node:crypto'
import { StoreError } from '../../core/errors.ts'
import type { ClaimRequest, QueueShare } from '../contract/index.ts'
import { type Columns, int, text } from '../sql/rows.ts'
import type { SqlValue } from '../sql/session.ts'
import { bigintArray, textArray } from './arrays.ts'
import type { PostgresDatabase } from './database.ts'
import { ALL_QUEUES, FRONT_SQL, MAX_MS, MIN_MS } from './front-sql.ts'
import { NamedStatements } from './named.ts'
import { mostOf, type Placed } from './rounds.ts'

/** Claims from here on may go on: at so many rows reading past what others took costs little each. */
const MIN_ROWS = 32
/** Of the time, a tenth at most goes into claims from the head. */
const SHARE = 10
/** So long all begin at the head, in milliseconds, after a reservation that failed or took long, or was of no use. */
const REST_MS = 1_000
const SLOW_MS = 1_000
/** Of the names' hash so many characters: a name that is wrong now and then is a hint that is wrong. */
const HASH_LENGTH = 16

/** A place in `job_ready`, within a queue. */
type Place = Omit<Placed, 'queue'>

/** Jobs of one queue and priority behind one place, up to another, which nobody else goes on to. */
export interface Stretch extends Place {
  readonly toRunAt: number
  readonly toId: string
}

/** A claim of one who is busy. */
export interface Begun {
  /** As it was asked, or of those queues alone that others go on in. */
  readonly claim: ClaimRequest
  /** Of each of its queues: its stretch, or null for the head. Null: all from the head. */
  readonly stretches: readonly (Stretch | null)[] | null
}

/** The fronts of one store. */
export class Fronts {
  readonly #statements: NamedStatements
  /** Those of names are asked with the same list each time. */
  readonly #hashes = new WeakMap<readonly string[], string>()
  /** The last claim was given all that it asked for: the next is one of many. */
  #isBusy = false
  #notBefore = 0

  constructor(db: PostgresDatabase) {
    this.#statements = new NamedStatements(db)
  }

  /** Where this claim begins; reserves what it goes on with. Null: at the head, like any other. */
  async begin(claim: ClaimRequest): Promise<Begun | null> {
    if (!this.#isBusy || claim.limit < MIN_ROWS || performance.now() < this.#notBefore) return null
    const from = performance.now()
    const begun = await this.#begin(claim).catch((error: unknown) => {
      if (error instanceof StoreError && error.code === 'STORE_UNREACHABLE') throw error
      // Somebody holds a front, or the role may not write there: the claim tells if it is more than that.
      this.rest()
      return null
    })
    if (performance.now() - from > SLOW_MS) this.rest()
    return begun
  }

  /** Goes on with nothing for a while. */
  rest(): void {
    this.#isBusy = false
    this.#notBefore = performance.now() + REST_MS
  }

  async #begin(claim: ClaimRequest): Promise<Begun> {
    const isAll = claim.queues === 'all'
    const asked = claim.queues === 'all' ? [] : claim.queues
    const rows = await this.#run(isAll ? 'reserveAll' : 'reserveNamed', claim, {
      limit: () => claim.limit,
      queues: () => textArray(asked.map(({ queue }) => queue)),
      mosts: () => bigintArray(asked.map(({ max }) => max)),
    })
    if (rows.length === 0) return { claim, stretches: null }
    const found = new Map(rows.map((row) => [text(row[0]), row]))
    const queues: readonly QueueShare[] = isAll ? rows.map((row) => ({ queue: text(row[0]), max: int(row[1]) })) : asked
    const stretches = queues.map(({ queue }) => {
      const row = found.get(queue)
      if (row === undefined || row[2] === null) return null
      const place = { priority: int(row[2]), runAt: int(row[3]), id: text(row[4]) }
      return { ...place, toRunAt: int(row[5]), toId: text(row[6]) }
    })
    if (stretches.every((stretch) => stretch === null)) return { claim, stretches: null }
    return { claim: { ...claim, queues }, stretches }
  }

  /** What a claim gave, in its order, within `tookMs`. `begun`: as `begin` told. */
  ended(asked: ClaimRequest, begun: Begun | null, jobs: readonly Placed[], tookMs: number): void {
    const isFull = jobs.length >= mostOf(begun?.claim ?? asked)
    // Of a stretch something may have been taken from the head meanwhile.
    const isStretch = begun !== null && begun.stretches !== null
    this.#isBusy = isFull || (isStretch && 2 * jobs.length >= mostOf(begun.claim))
    if (begun === null || !isFull) return
    const { queues } = begun.claim
    const goesOn = new Set(
      queues === 'all' ? [] : queues.filter((_, i) => begun.stretches?.[i]).map(({ queue }) => queue),
    )
    const last = new Map<string, Place>()
    for (const job of jobs) if (!goesOn.has(job.queue)) last.set(job.queue, job)
    if (last.size === 0) return
    const all = queues === 'all' ? [...last.keys()] : null
    if (all !== null) last.set(ALL_QUEUES, { priority: 0, runAt: 0, id: '' })
    const places = [...last.values()]
    void this.#run('place', asked, {
      forMs: () => Math.ceil(Math.min(MAX_MS, Math.max(MIN_MS, SHARE * tookMs))),
      all: () => (all === null ? null : textArray(all)),
      queues: () => textArray([...last.keys()]),
      priorities: () => bigintArray(places.map(({ priority }) => priority)),
      runAts: () => bigintArray(places.map(({ runAt }) => runAt)),
      afters: () => textArray(places.map(({ id }) => id)),
    }).catch(() => {
      // The next claim from the head will tell.
    })
  }

  async #run(
    kind: keyof typeof FRONT_SQL,
    { names }: ClaimRequest,
    values: Readonly<Record<string, () => SqlValue>>,
  ): Promise<readonly Columns[]> {
    const all = { ...values, names: () => textArray(names), hash: () => this.#hashOf(names) }
    return (await this.#statements.run(kind, () => FRONT_SQL[kind], all, false)).rows
  }

  #hashOf(names: readonly string[]): string {
    const known = this.#hashes.get(names)
    if (known !== undefined) return known
    const hash = createHash('sha256').update(JSON.stringify(names.toSorted())).digest('base64url').slice(0, HASH_LENGTH)
    this.#hashes.set(names, hash)
    return hash
  }
}
