/**
 * What goes between a worker and its store: outcomes out, jobs in.
 *
 * While one exchange is under way, more outcomes gather for the next: batches grow with the load and are single when there is
 * none. Where the store works in a process of its own, the next exchange is sent before what the last one brought is started,
 * so the database works on one part while another runs; many outcomes and a large claim travel apart, on two connections,
 * since a server does two things at a time; and while the store gives all that is asked for, a second claim is under way when
 * the first is answered, since with one the server waited for us a fifth of the time. (PostgreSQL 15 on 2 EPYC cores: bench/,
 * scenario d100.)
 */
import type { Clock } from '../base/clock.ts'
import type { Telemetry } from '../base/telemetry.ts'
import { StoreError } from '../core/errors.ts'
import type { ClaimRequest, ExchangeResult, Lease, Store } from '../store/contract/index.ts'
import type { Attempts } from './attempts.ts'
import type { Contact } from './contact.ts'
import type { Fetcher } from './fetcher.ts'
import { answers, type Outcome, type Settler } from './settler.ts'
import type { Slots } from './slots.ts'
import { tellSettled } from './tell.ts'

/** While the store gives all that is asked for, the next claim is under way when one is answered. */
const MAX_CLAIMS = 2
/** Jobs that come later than this share of the time between beats have a beat of their own: the next one may be too late. */
const LATE = 0.5
/** From so many rows on, outcomes and a claim are worth a statement each; below, one for both is cheaper. */
const MIN_APART = 64

/** What exchanges are made with. */
export interface ExchangesParts {
  readonly workerId: string
  readonly store: Store
  readonly clock: Clock
  readonly telemetry: Telemetry
  readonly random: () => number
  readonly slots: Slots
  readonly fetcher: Fetcher
  readonly settler: Settler
  readonly attempts: Attempts
  readonly contact: Contact
  readonly heartbeatMs: number
  /** The store will never take anything again. */
  readonly onFatal: (error: unknown) => void
  /** An exchange has ended, one way or the other. `found`: whether there was something to claim; undefined: it did not ask. */
  readonly onAnswer: (found: boolean | undefined) => void
  /** The store may be tried again. */
  readonly onRetry: () => void
  /** Jobs came so late that their leases are to be extended at once. */
  readonly onLateClaim: () => void
}

/** The exchanges of one worker: one under way at a time, or one that settles and up to two that claim. */
export class Exchanges {
  readonly #parts: ExchangesParts
  readonly #isRemote: boolean
  /** When the exchange was sent that settles and is under way, and those that claim; one that does both is in both. */
  #settlingSince: number | null = null
  readonly #claimingSince: number[] = []
  /** The last claim that was answered left something behind. */
  #isFlowing = false
  /** The last claim that was sent may bring a suspect, which is to be started at once: nothing is claimed beside it. */
  #mayBringSuspect = false
  /** The last claim left something, or a hint came since: there may be more. */
  mayHaveMore = true
  isClaiming = false
  isStopped = false
  /** The last claim found nothing at all. */
  foundNothing = false

  constructor(parts: ExchangesParts) {
    this.#parts = parts
    this.#isRemote = parts.store.capabilities.remote
  }

  get isInFlight(): boolean {
    return this.#settlingSince !== null || this.#claimingSince.length > 0
  }

  /** How long the exchange that was sent first waits for its answer, in milliseconds. */
  openMs(now: number): number {
    return Math.max(0, now - (this.#settlingSince ?? now), now - Math.min(now, ...this.#claimingSince))
  }

  /** Sends what has gathered and a claim for the room there is. False when there is neither, and no need to look. */
  send(): boolean {
    if (!this.#parts.contact.mayTry) return true
    if (this.isInFlight) {
      if (this.#isRemote) this.#sendBeside()
      return true
    }
    const { settler } = this.#parts
    const outcomes = settler.waiting
    const claim = this.#claim(outcomes > 0)
    if (outcomes === 0 && claim === undefined && !this.mayHaveMore) return false
    if (this.#isRemote && outcomes >= MIN_APART && claim !== undefined && claim.limit >= MIN_APART) {
      void this.#exchange(settler.take(), undefined)
      void this.#exchange([], claim)
    } else void this.#exchange(settler.take(), claim)
    return true
  }

  /** Something is under way: what else there is follows when it is worth a statement of its own. */
  #sendBeside(): void {
    const { settler, fetcher } = this.#parts
    if (this.#settlingSince === null && settler.waiting >= MIN_APART) void this.#exchange(settler.take(), undefined)
    const claims = this.#claimingSince.length
    const isAlone = claims >= MAX_CLAIMS || !this.#isFlowing || this.#mayBringSuspect || !fetcher.mayClaimBeside
    if (claims > 0 && isAlone) return
    const claim = this.#claim(this.#isFlowing)
    if (claim !== undefined && claim.limit >= MIN_APART) void this.#exchange([], claim)
  }

  /** The next claim; `isSure`: there may be something to claim even if nothing says so. */
  #claim(isSure: boolean): ClaimRequest | undefined {
    const { settler, fetcher } = this.#parts
    const mayClaim = this.isClaiming && !settler.isProbing && (this.mayHaveMore || isSure)
    return mayClaim ? fetcher.request() : undefined
  }

  async #exchange(batch: readonly Outcome[], claim: ClaimRequest | undefined): Promise<void> {
    const { store, clock, workerId, contact, fetcher, settler, attempts, heartbeatMs } = this.#parts
    const sentAt = clock.monotonic()
    const settles = batch.length > 0 || claim === undefined
    const claims = claim !== undefined || batch.length === 0 || !this.#isRemote
    if (settles) this.#settlingSince = sentAt
    if (claims) this.#claimingSince.push(sentAt)
    if (claim !== undefined) {
      fetcher.asked += claim.limit
      this.#mayBringSuspect = claim.noSuspects !== true
    }
    // A hint that comes from now on is about what this exchange may not see.
    if (claims) this.mayHaveMore = false
    let isOver = false
    const end = () => {
      if (isOver) return
      isOver = true
      if (settles) this.#settlingSince = null
      if (claims) this.#claimingSince.splice(this.#claimingSince.indexOf(sentAt), 1)
      if (claim !== undefined) fetcher.asked -= claim.limit
    }
    let found: boolean | undefined
    try {
      const settle = batch.map((outcome) => outcome.settlement)
      const result = await store.jobs.exchange(claim === undefined ? { workerId, settle } : { workerId, settle, claim })
      // One that found nothing may have been a mere look.
      contact.succeeded('exchange', batch.length > 0 || result.claimed.length > 0)
      fetcher.sawRoundTrip(clock.monotonic() - sentAt)
      if (batch.length > 0 && settler.accepted(batch.length)) this.mayHaveMore = true
      this.#took(batch, result)
      // What settled apart from a claim may have released others.
      if (result.more || (this.#isRemote && claim === undefined && batch.length > 0)) this.mayHaveMore = true
      end()
      if (claim !== undefined) {
        this.foundNothing = result.claimed.length === 0 && !result.more
        this.#isFlowing = result.claimed.length > 0 && result.more
      }
      if (claims) found = result.claimed.length > 0 || result.more
      fetcher.add(result.claimed, attempts.leases.endOf(sentAt))
      this.#heard(result.cancelling)
      if (this.#isRemote && result.claimed.length > 0) this.#sendAhead()
      // Paused while this claim was under way: what it brought goes back. Stopped for good: its leases end by themselves.
      if (this.isClaiming) attempts.startReady()
      else if (!this.isStopped) attempts.unstarted.giveBack(Number.POSITIVE_INFINITY)
      if (result.claimed.length > 0 && clock.monotonic() - sentAt > heartbeatMs * LATE) this.#parts.onLateClaim()
    } catch (error) {
      end()
      this.foundNothing = false
      this.#isFlowing = false
      // What it was about may still be there, once the store may be tried again.
      if (claim !== undefined) this.mayHaveMore = true
      this.#refused(batch, error)
    }
    this.#parts.onAnswer(found)
  }

  /** Before what was claimed is started: only what there is to settle and to claim. */
  #sendAhead(): void {
    if (this.isInFlight) this.#sendBeside()
    else if (this.#parts.settler.waiting > 0) this.send()
    else {
      const claim = this.#claim(false)
      if (claim !== undefined) void this.#exchange([], claim)
    }
  }

  #took(batch: readonly Outcome[], result: ExchangeResult): void {
    if (batch.length === 0) return
    const { telemetry } = this.#parts
    if (!telemetry.has('job.settled') && !result.settled.includes('lost')) return
    for (const [outcome, answer] of answers(batch, result.settled)) {
      if (answer !== 'lost') tellSettled(telemetry, outcome, answer)
      else telemetry.emit('lease.lost', { jobId: outcome.job.id, name: outcome.job.name, queue: outcome.job.queue })
    }
  }

  /** The store did not take the batch: it waits, is halved, or ends the worker. */
  #refused(batch: readonly Outcome[], error: unknown): void {
    const { settler, attempts, telemetry, contact, clock, random, onRetry, onFatal } = this.#parts
    const kind = error instanceof StoreError ? error.kind : undefined
    if (kind === 'constraint' && batch.length > 0) {
      const aside = settler.refused(batch)
      if (aside === undefined) return
      attempts.left(aside.job)
      telemetry.emit('store.failed', { operation: 'settle', error })
      return
    }
    settler.putBack(batch)
    contact.failed('exchange', error)
    // A timer may fire up to a millisecond early; one that does would find the back-off still on.
    if (kind === 'transient') clock.after(contact.backOffMs(random()) + 1, onRetry)
    else onFatal(error)
  }

  #heard(cancelling: readonly Lease[]): void {
    if (cancelling.length === 0) return
    const { slots, attempts } = this.#parts
    for (const job of slots.running) {
      if (cancelling.some((lease) => lease.id === job.id && lease.epoch === job.claimed.epoch))
        attempts.leases.abort(job, 'cancelled')
    }
  }
}
