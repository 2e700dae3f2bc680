/**
 * The worker's one hot operation: settle outcomes and claim more, in one transaction of few statements.
 *
 * What is plain is settled all or nothing (settle.ts): when not everything was, the transaction is undone and the exchange takes
 * the slow road. What the worker's own memory says is not plain (another outcome than completed, a large result, bonds at the
 * time of the claim) takes it at once.
 */
import type { ExchangeRequest, ExchangeResult, Lease, Settlement, SettleResult } from '../contract/index.ts'
import { type Columns, INLINE_BYTES, int, text } from '../sql/rows.ts'
import type { Transaction } from '../sql/session.ts'
import { settleAll } from '../sql/settle.ts'
import { type Alike, alikeOf, UNLIKE } from '../sql/taken.ts'
import { type Claimed, claim, NOTHING_CLAIMED } from './claim.ts'
import type { MysqlDatabase, OpenedTransaction, Opening } from './database.ts'
import { NotPlain, settlePlain } from './settle.ts'
import { bytesOf, PENDING_ENDS, type QueueEnd } from './stepwise.ts'

/** The time, this worker's jobs that are asked to stop, and the paused queues. */
const LOOK =
  'SELECT NOW_SQL AS now, NULL AS id, NULL AS epoch, NULL AS data UNION ALL SELECT 1, id, epoch, NULL FROM millrace_job ' +
  'FORCE INDEX (job_due) WHERE phase = 4 AND worker_id = $1 UNION ALL SELECT 2, name, 0, NULL FROM millrace_queue ' +
  'WHERE paused_at IS NOT NULL'
/** The same, and the first and the last queue that has something pending. */
const LOOK_FOR_ALL = `${LOOK} UNION ALL (SELECT 3, j.queue, 0, r.queue_key ${PENDING_ENDS} LIMIT 1) UNION ALL (SELECT 4, j.queue, 0, r.queue_key ${PENDING_ENDS} DESC LIMIT 1)`
/** The same as the first, whether anything at all is pending, and how many hints there were. */
const LOOK_IDLE =
  `${LOOK} UNION ALL (SELECT 3, id, 0, NULL FROM millrace_ready FORCE INDEX (PRIMARY) WHERE state = 2 LIMIT 1) ` +
  'UNION ALL SELECT 5, NULL, count, NULL FROM millrace_signal WHERE id = 1'
/** The statements whose plans the tests assert. */
export const EXCHANGE_STATEMENTS = { LOOK, LOOK_FOR_ALL, LOOK_IDLE } as const

/** What a row of a look tells, by its first number. */
const ROW = { cancelling: 1, paused: 2, first: 3, last: 4, hints: 5 } as const
/** Claims from here on take turns. */
const LARGE_CLAIM = 64
const NOTHING: readonly never[] = []

/** What an exchange learns beside what it was made for. */
export interface ExchangeNews {
  /** A claim is answered. `isEnough`: it got all that it asked for, and there is more. */
  found(isEnough: boolean): void
  /** How many hints there were, and the id of a job that may be claimed. */
  saw(count: number, head: string | null): void
}

/** The exchange of one store. */
export class Exchange {
  readonly #db: MysqlDatabase
  readonly #on: ExchangeNews
  /** Running jobs that had dependents or a unique key when they were claimed here. */
  readonly #bound = new Set<string>()
  #turn = 0
  /** What the last job that was taken is like. */
  #alike: Alike = UNLIKE
  /** The last claim found nothing: the next one looks before it begins a transaction. */
  #isIdle = false

  constructor(db: MysqlDatabase, on: ExchangeNews) {
    this.#db = db
    this.#on = on
  }

  async run(request: ExchangeRequest): Promise<ExchangeResult> {
    const result = await this.#run(request)
    for (const { id } of request.settle) this.#bound.delete(id)
    if (request.settle.length > 0) this.#db.hint()
    if (request.claim !== undefined) this.#on.found(result.claimed.length > 0 && result.more)
    return result
  }

  /** Something may be there to claim: the next claim need not look first. */
  expect(): void {
    this.#isIdle = false
  }

  /** Lets go of what is remembered of a job that is settled elsewhere; whoever still holds it takes the slow road. */
  forget(id: string): void {
    this.#bound.delete(id)
  }

  async #run(request: ExchangeRequest): Promise<ExchangeResult> {
    const wanted = request.claim !== undefined && request.claim.limit > 0 && request.claim.names.length > 0
    if (request.settle.length === 0 && !wanted) {
      const { now, rows } = await this.#db.look(lookOf(request), 'urgent')
      return { settled: NOTHING, claimed: NOTHING, more: false, cancelling: leasesIn(rows, NOTHING), now }
    }
    if (request.settle.length === 0 && this.#isIdle) {
      const { now, rows } = await this.#db.look({ statement: LOOK_IDLE, params: [request.workerId] }, 'urgent')
      const head = rowOf(rows, ROW.first)
      const hints = rowOf(rows, ROW.hints)
      if (hints !== undefined) this.#on.saw(int(hints[2]), head === undefined ? null : text(head[1]))
      if (head === undefined) {
        return { settled: NOTHING, claimed: NOTHING, more: false, cancelling: leasesIn(rows, NOTHING), now }
      }
    }
    if (!this.#isPlain(request)) return this.#slowly(request)
    try {
      return await this.#transact(request, ({ settle, workerId }, tx) => settlePlain(tx, workerId, settle))
    } catch (error) {
      if (!(error instanceof NotPlain)) throw error
      return this.#slowly(request)
    }
  }

  #slowly(request: ExchangeRequest): Promise<ExchangeResult> {
    return this.#transact(request, ({ settle, workerId }, tx) => settleAll(tx, workerId, settle))
  }

  async #transact(
    request: ExchangeRequest,
    settle: (request: ExchangeRequest, tx: Transaction) => Promise<readonly SettleResult[]>,
  ): Promise<ExchangeResult> {
    const done = await this.#db.transactOpening(
      lookOf(request),
      async (tx) => {
        const settled = request.settle.length === 0 ? NOTHING : await settle(request, tx)
        const claimed = await this.#claim(request, tx)
        if (claimed.unreadable.length > 0) await failIn(tx, request.workerId, claimed.unreadable)
        return { settled, claimed, cancelling: leasesIn(tx.opening, request.settle), now: tx.now }
      },
      'urgent',
      // Outcomes wait for nobody's claim.
      request.settle.length === 0 && (request.claim?.limit ?? 0) >= LARGE_CLAIM,
    )
    for (const id of done.claimed.bound) this.#bound.add(id)
    const { claimed, more } = done.claimed
    const last = claimed.at(-1)
    if (last !== undefined) this.#alike = alikeOf(last)
    if (request.claim !== undefined) this.#isIdle = claimed.length === 0 && !more
    return { settled: done.settled, claimed, more, cancelling: done.cancelling, now: done.now }
  }

  /** What is locked for a moment by somebody who then leaves it is passed over: where nothing was found it is looked once more. */
  async #claim({ claim: asked }: ExchangeRequest, tx: OpenedTransaction): Promise<Claimed> {
    if (asked === undefined || asked.limit <= 0 || asked.names.length === 0) return NOTHING_CLAIMED
    const turn = this.#turn++
    const paused = pausedIn(tx.opening)
    const ends = { first: endIn(tx.opening, ROW.first), last: endIn(tx.opening, ROW.last) }
    const terms = { turn, paused, alike: this.#alike }
    const claimed = await claim(tx, asked, { ...terms, ends })
    return claimed.claimed.length + claimed.unreadable.length > 0 ? claimed : claim(tx, asked, terms)
  }

  #isPlain({ settle }: ExchangeRequest): boolean {
    const seen = new Set<string>()
    return settle.every((s) => {
      const isSmall = s.to === 'completed' && (s.result === null || s.result.byteLength <= INLINE_BYTES)
      return isSmall && !this.#bound.has(s.id) && seen.size < seen.add(s.id).size
    })
  }
}

function lookOf({ workerId, claim: asked }: ExchangeRequest): Opening {
  return { statement: asked?.queues === 'all' ? LOOK_FOR_ALL : LOOK, params: [workerId] }
}

function rowOf(rows: readonly Columns[], kind: number): Columns | undefined {
  return rows.slice(1).find((row) => int(row[0]) === kind)
}

function endIn(rows: readonly Columns[], kind: number): QueueEnd | undefined {
  const row = rowOf(rows, kind)
  return row === undefined ? undefined : { queue: text(row[1]), key: bytesOf(row[3]) }
}

async function failIn(tx: Transaction, workerId: string, leases: readonly Lease[]): Promise<void> {
  const settle = leases.map(
    (lease): Settlement => ({ ...lease, runMs: 0, to: 'failed', reason: 'unreadable', error: null }),
  )
  await settleAll(tx, workerId, settle)
}

function leasesIn(rows: readonly Columns[], settled: readonly Lease[]): readonly Lease[] {
  const leases = rows.slice(1).filter((row) => int(row[0]) === ROW.cancelling)
  if (leases.length === 0) return NOTHING
  // One that was settled under an epoch before is lost, and its job runs on.
  const gone = new Map(settled.map(({ id, epoch }) => [id, epoch]))
  return leases
    .map((row) => ({ id: text(row[1]), epoch: int(row[2]) }))
    .filter(({ id, epoch }) => gone.get(id) !== epoch)
}

function pausedIn(rows: readonly Columns[]): ReadonlySet<string> {
  return new Set(rows.slice(1).flatMap((row) => (int(row[0]) === ROW.paused ? [text(row[1])] : [])))
}
