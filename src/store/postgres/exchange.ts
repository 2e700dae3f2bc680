/**
 * The worker's one hot operation: settle outcomes and claim more, by one statement that commits itself.
 *
 * The statement is all or nothing about what it settles: it moves the jobs to the archive that this worker still holds and
 * that are plain (no dependents, no unique key), and claims. When not every one was such, it ends with an error of its own,
 * which undoes it, and the exchange goes its next way (held.ts), the last of which is the slow road in a transaction. READ
 * COMMITTED looks again at a row whose lock it had to wait for, so a child that was counted meanwhile in `dependents` is seen.
 * What the worker's own memory says is not plain (another outcome than completed, a large result, bonds at the time of the
 * claim) goes the slow road at once.
 *
 * A claim takes rows in the order of the index, passing over those that others hold. One with a suspect (two losses, which
 * go alone), a large payload or more than 1 MiB among its rows takes nothing and is made again by plain code (`claim.ts`).
 */
import { randomUUID } from 'node:crypto'
import { StoreError } from '../../core/errors.ts'
import type {
  ClaimRequest,
  ExchangeRequest,
  ExchangeResult,
  Lease,
  QueueShare,
  Settlement,
  SettleResult,
} from '../contract/index.ts'
import { INLINE_BYTES, int, text } from '../sql/rows.ts'
import type { SqlValue } from '../sql/session.ts'
import { failUnreadable, settleAll } from '../sql/settle.ts'
import { type Alike, alikeOf, isReadable, isUnreadable, moreOf, type TakenJob, takenJob, UNLIKE } from '../sql/taken.ts'
import { bigintArray, spotArray, textArray } from './arrays.ts'
import { type Claimed, claimSlowly } from './claim.ts'
import type { Claims } from './claim-sql.ts'
import type { PostgresDatabase } from './database.ts'
import { leasesOf, resultsOf, sharesOf, without } from './exchange-rows.ts'
import { exchangeSql } from './exchange-sql.ts'
import { type Begun, Fronts } from './front.ts'
import { Held, isForgotten, type LeaseRow, type Way } from './held.ts'
import { NamedStatements } from './named.ts'
import { inOrder, note, roundsOf } from './rounds.ts'
import { Vacuum } from './vacuum.ts'
import type { Wake } from './wake.ts'

const CANCELLING = 'SELECT id, epoch FROM millrace_job WHERE cancelling = 1 AND worker_id = $1 AND state = 3'
/** What the statement ends with when it may not settle all (see exchange-sql.ts): a text that is no truth value. */
const NOT_PLAIN = '22P02'
/** From so many on a claim leaves its jobs in line (see schema.ts): a worker that asks for them fetches ahead, so they are short. */
const MIN_LEFT = 256
/** Everybody who claims from the head steps over what is left in line: no store leaves more there than that, and a claim. */
const MAX_LEFT = 4_096
/** A claim over all queues begins with any of them. */
const MAX_TURN = 2 ** 31
const NOTHING: readonly never[] = []
const NOTHING_CLAIMED: Claimed = { claimed: NOTHING, more: false, unreadable: NOTHING }

/** Which part of each queue a claim asks for. */
type Stretches = Begun['stretches']

interface Fast {
  readonly hasClaimed: boolean
  readonly cancelling: readonly Lease[]
  readonly now: number
  /** What was claimed, as the claim is ordered. */
  readonly rows: readonly TakenJob[]
  /** The queues that were asked. */
  readonly shares: readonly QueueShare[]
}

/** What others are told of an exchange: see wake.ts. */
type ExchangeHints = Pick<Wake, 'ended' | 'found'>

/** See `JobsFacet.exchange`. */
export class Exchange {
  readonly #db: PostgresDatabase
  readonly #hints: ExchangeHints
  readonly #statements: NamedStatements
  readonly #held = new Held()
  readonly #fronts: Fronts
  readonly #vacuum: Vacuum
  #turn = 0
  /** What the last job that was taken is like: see taken.ts. */
  #alike: Alike = UNLIKE

  constructor(db: PostgresDatabase, hints: ExchangeHints) {
    this.#db = db
    this.#hints = hints
    this.#statements = new NamedStatements(db)
    this.#fronts = new Fronts(db)
    this.#vacuum = new Vacuum(db)
  }

  async run(request: ExchangeRequest): Promise<ExchangeResult> {
    const { settle, claim } = request
    const wanted = claim !== undefined && claim.limit > 0 && claim.names.length > 0 ? claim : undefined
    const result = await this.#run(request, wanted)
    if (settle.length > 0) {
      const isLost = (_: Lease, i: number) => result.settled[i] === 'lost'
      for (const lease of settle.filter(isLost)) this.#held.forget(lease)
      this.#held.settled(settle)
      this.#vacuum.settled(settle.length)
    }
    if (claim !== undefined) this.#hints.found(result.claimed.length > 0 && result.more)
    return result
  }

  /** Ends what it has begun beside the calls. */
  close(): void {
    this.#vacuum.close()
  }

  /** Lets go of what is remembered of a job that is settled elsewhere. */
  forget(lease: Lease): void {
    this.#held.forget(lease)
  }

  /** Something else is about to be written about jobs that are held. */
  moved(leases: readonly { readonly id: string }[]): void {
    this.#held.moved(leases)
  }

  async #run(request: ExchangeRequest, claim: ClaimRequest | undefined): Promise<ExchangeResult> {
    if (!this.#isPlain(request)) return this.#slowly(request, claim)
    const [first, ...rest] = claim === undefined ? [] : roundsOf(claim)
    const begun = first === undefined ? null : await this.#fronts.begin(first)
    const from = performance.now()
    const fast = await this.#fast(request, begun?.claim ?? first, begun?.stretches ?? null)
    // What only plain code can decide would be met again in each stretch.
    if (fast === null || (first !== undefined && !fast.hasClaimed)) this.#fronts.rest()
    if (fast === null) return this.#slowly(request, claim)
    if (request.settle.length > 0) this.#hints.ended()
    if (first !== undefined) this.#fronts.ended(first, begun, fast.rows, performance.now() - from)
    const settled = request.settle.map((): SettleResult => 'settled')
    const cancelling = without(fast.cancelling, request.settle)
    if (claim === undefined || first === undefined) {
      return { settled, ...result(NOTHING_CLAIMED), cancelling, now: fast.now }
    }
    if (fast.hasClaimed) {
      // Of a stretch some may have been taken from the head meanwhile; behind it there are more.
      const goesOn = begun !== null && begun.stretches !== null
      const claimed = goesOn ? await this.#claimedOf(fast.rows, claim, true) : await this.#rounds(claim, fast, rest)
      return { settled, ...result(claimed), cancelling, now: fast.now }
    }
    // What was settled is committed: a claim that fails now is only a claim less.
    const slow = await this.#slowly({ ...request, settle: NOTHING }, claim)
    return { ...slow, settled }
  }

  #isPlain({ settle }: ExchangeRequest): boolean {
    const seen = new Set<string>()
    return settle.every((s) => {
      const isSmall = s.to === 'completed' && (s.result === null || s.result.byteLength <= INLINE_BYTES)
      return isSmall && !this.#held.isBound(s.id) && seen.size < seen.add(s.id).size
    })
  }

  /** Null: not all that was to be settled is plain; nothing was done. */
  async #fast(
    { settle, workerId }: ExchangeRequest,
    asked: ClaimRequest | undefined,
    stretches: Stretches,
  ): Promise<Fast | null> {
    if (settle.length === 0) return this.#try(workerId, settle, undefined, asked, stretches)
    // What is found is compared with these in the order of the ids.
    const sorted = settle.toSorted((a, b) => (a.id < b.id ? -1 : 1))
    for (const way of this.#held.waysOf(sorted)) {
      const fast = await this.#try(workerId, sorted, way, asked, stretches)
      this.#held.went(way, fast !== null)
      if (fast !== null) return fast
    }
    return null
  }

  /** One way to settle, and the claim. */
  async #try(
    workerId: string,
    settle: readonly Settlement[],
    way: Way | undefined,
    claim: ClaimRequest | undefined,
    stretches: Stretches,
  ): Promise<Fast | null> {
    const settles = way?.kind ?? null
    const claims = claim === undefined ? null : claimsOf(claim, stretches)
    const leaseId = randomUUID()
    const alike = this.#alike
    const over = settle.length === 0 ? NOTHING : this.#held.takeOver()
    const values: Record<string, () => SqlValue> = {
      worker: () => workerId,
      claim: () => leaseId,
      over: () => `{${over.map((lease: LeaseRow) => lease.id).join(',')}}`,
      overSpots: () => spotArray(over.map((lease: LeaseRow) => lease.spot)),
      left: () => (claim !== undefined && claim.limit >= MIN_LEFT && this.#held.size < MAX_LEFT ? 1 : 0),
      spots: () => spotArray(way?.spots ?? NOTHING),
      ids: () => textArray(settle.map((s) => s.id)),
      epochs: () => bigintArray(settle.map((s) => s.epoch)),
      runs: () => bigintArray(settle.map((s) => Math.ceil(s.runMs))),
      forgets: () => bigintArray(settle.map((s) => (isForgotten(s) ? 1 : 0))),
      results: () => resultsOf(settle),
      queues: () => textArray(claim === undefined || claim.queues === 'all' ? [] : claim.queues.map((q) => q.queue)),
      mosts: () => bigintArray(claim === undefined || claim.queues === 'all' ? [] : claim.queues.map((q) => q.max)),
      likeName: () => alike.name,
      likeVersion: () => alike.version,
      likeQueue: () => alike.queue,
      likePriority: () => alike.priority,
      names: () => textArray(claim?.names ?? []),
      priorities: () => bigintArray(stretches?.map((one) => one?.priority ?? null) ?? []),
      runAts: () => bigintArray(stretches?.map((one) => one?.runAt ?? null) ?? []),
      afters: () => textArray(stretches?.map((one) => one?.id ?? null) ?? []),
      toRunAts: () => bigintArray(stretches?.map((one) => one?.toRunAt ?? null) ?? []),
      toIds: () => textArray(stretches?.map((one) => one?.toId ?? null) ?? []),
      lease: () => Math.floor(claim?.leaseMs ?? 0),
      limit: () => claim?.limit ?? 0,
      turn: () => Math.floor(MAX_TURN * Math.random()),
    }
    const sent = this.#statements.run(`${settles} ${claims}`, () => exchangeSql(settles, claims), values)
    const answer = await sent.catch((error: unknown) => {
      this.#held.putBack(over)
      if (settle.length > 0 && error instanceof StoreError && error.fields.code === NOT_PLAIN) return null
      throw error
    })
    if (answer === null) return null
    const [head = [], ...taken] = answer.rows
    const held = this.#held.begin({ id: leaseId, spot: int(head[10]) })
    const jobs = taken.map((row) => {
      const more = moreOf(row)
      const job = takenJob(row, more, alike)
      this.#held.hold(held, job, int(row[10]), more.isBound)
      return job
    })
    const last = jobs.at(-1)
    if (last !== undefined && isReadable(last)) this.#alike = alikeOf(last)
    const now = this.#db.saw(int(head[2]))
    const hasClaimed = claim !== undefined && int(head[4]) === 1
    const shares = claim === undefined ? NOTHING : claim.queues === 'all' ? sharesOf(head[1]) : claim.queues
    return { hasClaimed, cancelling: leasesOf(head[0]), now, rows: inOrder(shares, jobs), shares }
  }

  /** What the first statement took, and, while a queue gave all that it might, what the next shares take. */
  async #rounds(claim: ClaimRequest, fast: Fast, rest: readonly ClaimRequest[]): Promise<Claimed> {
    const rows = [...fast.rows]
    const unfinished = new Set<string>()
    let isCut = false
    note(unfinished, fast.shares, fast.rows)
    const later =
      claim.queues === 'all'
        ? [{ ...claim, queues: [...unfinished].map((queue) => ({ queue, max: claim.limit })) }]
        : rest
    for (const round of later) {
      const limit = claim.limit - rows.length
      const shares = round.queues === 'all' ? [] : round.queues.filter(({ queue }) => unfinished.has(queue))
      if (limit <= 0 || shares.length === 0) continue
      const asked = { ...round, limit, queues: shares.map(({ queue, max }) => ({ queue, max: Math.min(max, limit) })) }
      // The first part is ours already: one more that fails is only a claim less.
      const again = await this.#fast({ workerId: claim.workerId, settle: NOTHING }, asked, null).catch(() => null)
      isCut = again?.hasClaimed !== true
      if (again === null || isCut) break
      note(unfinished, again.shares, again.rows)
      rows.push(...again.rows)
    }
    return this.#claimedOf(rows, claim, isCut || rows.length >= claim.limit || unfinished.size > 0)
  }

  async #claimedOf(rows: readonly TakenJob[], claim: ClaimRequest, more: boolean): Promise<Claimed> {
    const unreadable = rows.filter(isUnreadable)
    if (unreadable.length === 0) return { claimed: rows.filter(isReadable), unreadable, more }
    await this.#db.transact((tx) => failUnreadable(tx, claim.workerId, unreadable), 'urgent')
    this.#held.settled(unreadable)
    return { claimed: rows.filter(isReadable), unreadable, more: true }
  }

  async #slowly(request: ExchangeRequest, claim: ClaimRequest | undefined): Promise<ExchangeResult> {
    const { settled, claimed, cancelling, now } = await this.#db.transact(async (tx) => {
      const settled = request.settle.length === 0 ? NOTHING : await settleAll(tx, request.workerId, request.settle)
      const claimed = claim === undefined ? NOTHING_CLAIMED : await claimSlowly(tx, claim, this.#turn++)
      if (claimed.unreadable.length > 0) await failUnreadable(tx, request.workerId, claimed.unreadable)
      const { rows } = await tx.query(CANCELLING, [request.workerId])
      const cancelling = rows.map((row) => ({ id: text(row[0]), epoch: int(row[1]) }))
      return { settled, claimed, cancelling, now: tx.now }
    }, 'urgent')
    if (request.settle.length > 0) this.#db.hint()
    const { lease } = claimed
    if (lease !== undefined) {
      const held = this.#held.begin(lease)
      for (const job of claimed.claimed) this.#held.hold(held, job, null, false)
    }
    return { settled, ...result(claimed), cancelling, now }
  }
}

function result({ claimed, more }: Claimed): Pick<ExchangeResult, 'claimed' | 'more'> {
  return { claimed, more }
}

function claimsOf({ queues }: ClaimRequest, stretches: Stretches): Claims {
  if (stretches !== null) return 'On'
  return queues === 'all' ? 'All' : 'Named'
}
