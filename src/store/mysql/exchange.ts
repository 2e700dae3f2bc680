/**
 * The worker's one hot operation: settle outcomes and claim more, in one transaction of few statements.
 *
 * What is plain is settled all or nothing (settle.ts): when not everything was, the transaction is undone and the exchange takes
 * the slow road. What the worker's own memory says is not plain (another outcome than completed, a large result, bonds at the
 * time of the claim) takes it at once.
 */
import type { ExchangeRequest, ExchangeResult, Lease, SettleResult } from '../contract/index.ts'
import { INLINE_BYTES } from '../sql/rows.ts'
import type { Transaction } from '../sql/session.ts'
import { failUnreadable, settleAll } from '../sql/settle.ts'
import { type Alike, alikeOf, UNLIKE } from '../sql/taken.ts'
import { type Claimed, claim, NOTHING_CLAIMED } from './claim.ts'
import type { MysqlDatabase } from './database.ts'
import { type Hints, idleLook, Looking, type Seen, seenIdle, seenIn, wholeLook } from './opening.ts'
import { NotPlain, settlePlain } from './settle.ts'

/** Claims from here on take turns. */
const LARGE_CLAIM = 64
const NOTHING: readonly never[] = []

/** What an exchange learns beside what it was made for. */
export interface ExchangeNews {
  /** A claim is answered. `isEnough`: it got all that it asked for, and there is more. */
  found(isEnough: boolean): void
  /** How many hints there were, and the id of a job that may be claimed. */
  saw(count: number, head: string | null): void
  /** Jobs have ended, which nothing depends on. */
  ended(): void
  /** All that a poll for hints would have told, a moment ago. */
  looked(hints: Hints): void
}

/** The exchange of one store. */
export class Exchange {
  readonly #db: MysqlDatabase
  readonly #on: ExchangeNews
  readonly #looking = new Looking()
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
      const { now, rows } = await this.#db.look(wholeLook(request.workerId), 'urgent')
      return { settled: NOTHING, claimed: NOTHING, more: false, cancelling: seenIn(rows).cancelling, now }
    }
    if (request.settle.length === 0 && this.#isIdle) {
      const { now, rows } = await this.#db.look(idleLook(request.workerId), 'urgent')
      const { cancelling, head, hints } = seenIdle(rows)
      if (hints !== null) this.#on.saw(hints, head)
      if (head === null) return { settled: NOTHING, claimed: NOTHING, more: false, cancelling, now }
    }
    if (!this.#isPlain(request)) return this.#slowly(request)
    try {
      const result = await this.#transact(request, ({ settle, workerId }, tx) => settlePlain(tx, workerId, settle))
      if (request.settle.length > 0) this.#on.ended()
      return result
    } catch (error) {
      if (!(error instanceof NotPlain)) throw error
      return this.#slowly(request)
    }
  }

  async #slowly(request: ExchangeRequest): Promise<ExchangeResult> {
    const result = await this.#transact(request, ({ settle, workerId }, tx) => settleAll(tx, workerId, settle))
    if (request.settle.length > 0) this.#db.hint()
    return result
  }

  async #transact(
    request: ExchangeRequest,
    settle: (request: ExchangeRequest, tx: Transaction) => Promise<readonly SettleResult[]>,
  ): Promise<ExchangeResult> {
    const opening = this.#looking.opening(request)
    const done = await this.#db.transactOpening(
      opening,
      async (tx) => {
        const seen = await this.#looking.seen(opening, request, tx)
        if (seen.hints !== undefined) this.#on.looked(seen.hints)
        const settled = request.settle.length === 0 ? NOTHING : await settle(request, tx)
        const claimed = await this.#claim(request, tx, seen)
        if (claimed.unreadable.length > 0) await failUnreadable(tx, request.workerId, claimed.unreadable)
        return { settled, claimed, cancelling: stillHeld(seen.cancelling, request.settle), now: tx.now }
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
  async #claim({ claim: asked }: ExchangeRequest, tx: Transaction, { paused, ends }: Seen): Promise<Claimed> {
    if (asked === undefined || asked.limit <= 0 || asked.names.length === 0) return NOTHING_CLAIMED
    const turn = this.#turn++
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

/** The leases that are not settled with this. */
function stillHeld(leases: readonly Lease[], settled: readonly Lease[]): readonly Lease[] {
  if (leases.length === 0) return leases
  // One that was settled under an epoch before is lost, and its job runs on.
  const gone = new Map(settled.map(({ id, epoch }) => [id, epoch]))
  return leases.filter(({ id, epoch }) => gone.get(id) !== epoch)
}
