/**
 * Connections, few and shared. A call waits for one, uses it, and gives it back; one that is past its deadline is destroyed,
 * never given back, since nobody knows what it will answer next. A worker's heartbeats go ahead of its other calls, and these of
 * all others, and some connections are kept for each (see shares.ts): slow calls never cost a worker its leases. Nor does
 * connecting, which takes several round trips: one more than urgent calls use is opened ahead of them, and a call that waits for a
 * new connection takes another that is free before.
 */
import { StoreError } from '../../core/errors.ts'
import { Line, leftUntil, type Waiting } from './line.ts'
import { closedError, lateError, waitedError } from './pool-errors.ts'
import { isAlive, isStale, type Pooled } from './pooled.ts'
import { Shares, type Urgency } from './shares.ts'

/** How a driver connects, and how it understands its errors. */
export interface PoolOptions<C extends Pooled> {
  /** The server for people, without secrets. */
  readonly where: string
  /** Connections at most. */
  readonly size: number
  /** How long a call may take in all. */
  readonly deadlineMs: number
  /** `signal`: nobody waits for it any more. */
  readonly connect: (timeoutMs: number, signal: AbortSignal) => Promise<C>
  /** Whether the error leaves its connection of no use. */
  readonly isLost: (error: unknown) => boolean
  readonly translate: (error: unknown) => unknown
  /** Called with a connection that was destroyed since its call was late. Never rejects; `close` waits for it. */
  readonly onLate?: (connection: C) => Promise<void>
}

/** The tries of one call: where it takes more than one, they have its deadline together. */
export interface Tries {
  /** When the call is late, by `performance.now()`. */
  readonly deadline: number
  /** It only reads, so nothing of it can have been done that its caller was not told. */
  readonly onlyReads: boolean
  /**
   * What the server said when a try waited for a lock in vain. A call that is late after that is told so: the server does answer,
   * and the connections that lie idle are as good as before.
   */
  waited?: unknown
}

/** How long connecting may take, within the deadline of the call; a third of the deadline where that is longer: see docs/workers.md. */
const CONNECT_MS = 10_000
/** So long none is opened ahead after one could not be. */
const AHEAD_AGAIN_MS = 10_000

/** The connections of one store. */
export class Pool<C extends Pooled> {
  readonly where: string
  readonly #options: PoolOptions<C>
  readonly #idle: C[] = []
  readonly #line = new Line<C>()
  /** What `onLate` began and has not ended. */
  readonly #afterwards = new Set<Promise<void>>()
  readonly #shares: Shares
  readonly #connectMs: number
  #aheadNotBefore = 0
  #used = 0
  /** Ends what is being opened when the pool closes. */
  #closing = new AbortController()
  readonly #openings = new Set<Promise<unknown>>()
  #isOpen = false
  #onDrained: (() => void) | undefined

  constructor(options: PoolOptions<C>) {
    this.#options = options
    this.where = options.where
    this.#shares = new Shares(options.size)
    this.#connectMs = Math.max(CONNECT_MS, options.deadlineMs / 3)
  }

  open(): void {
    this.#isOpen = true
    this.#closing = new AbortController()
  }

  /** Waits for the calls under way, also for those for which a connection is being opened, then disconnects. */
  async close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#refuse(this.#line.all.filter(({ isOpening }) => !isOpening))
    if (this.#used > 0) {
      await new Promise<void>((resolve) => {
        this.#onDrained = resolve
      })
    }
    this.#closing.abort()
    await Promise.all(this.#openings)
    const idle = this.#idle.splice(0)
    this.#shares.count -= idle.length
    await Promise.all([...idle.map((connection) => connection.close()), ...this.#afterwards])
  }

  /** The tries of a call that begins now. */
  tries(onlyReads = false): Tries {
    return { deadline: performance.now() + this.#options.deadlineMs, onlyReads }
  }

  /** Runs `fn` on a connection, all within the deadline. What it throws is translated. `tries`: of the call that this is a try of. */
  async use<T>(fn: (connection: C) => Promise<T>, urgency: Urgency = 'ordinary', tries = this.tries()): Promise<T> {
    return this.apart(async () => {
      this.#shares.called(urgency, performance.now())
      // A timer may end the try before a millisecond early.
      if (leftUntil(tries.deadline) < 1) throw this.#late(tries)
      const connection = await this.#take(tries, urgency)
      return await this.#within(connection, fn, tries, urgency)
    })
  }

  /** Runs `fn`, which opens and closes a connection of its own and sees to its own deadlines. What it throws is translated. */
  async apart<T>(fn: () => Promise<T>): Promise<T> {
    if (!this.#isOpen) throw closedError(this.where)
    this.#used++
    try {
      return await fn()
    } catch (error) {
      throw this.#options.translate(error)
    } finally {
      this.#used--
      if (this.#used === 0) this.#onDrained?.()
    }
  }

  async #within<T>(connection: C, fn: (c: C) => Promise<T>, tries: Tries, urgency: Urgency): Promise<T> {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      connection.destroy(this.#late(tries))
      this.#after(connection)
    }, leftUntil(tries.deadline))
    try {
      return await fn(connection)
    } catch (error) {
      if (this.#options.isLost(error) || this.#isOfReplica(error)) connection.destroy()
      throw isLate ? this.#late(tries) : error
    } finally {
      clearTimeout(timer)
      // What ended this one has most likely ended those that nobody was using: the next call begins anew.
      if (connection.isBroken && tries.waited === undefined) this.#dropIdle()
      this.#giveBack(connection, urgency)
    }
  }

  /** What a call is told that did not end in time. */
  #late({ waited, onlyReads }: Tries): unknown {
    const { deadlineMs, translate } = this.#options
    const busy = waited === undefined ? undefined : translate(waited)
    return busy instanceof StoreError
      ? waitedError(busy, this.where, deadlineMs, onlyReads)
      : lateError(this.where, deadlineMs)
  }

  /**
   * A server that takes no writes may have been the primary when this connection was made. While it lives on as a replica the
   * connection does too, and only a new one leads to where the address has moved.
   */
  #isOfReplica(error: unknown): boolean {
    const known = this.#options.translate(error)
    return known instanceof StoreError && known.kind === 'transient' && known.code === 'STORE_READ_ONLY'
  }

  #after(connection: C): void {
    const after = this.#options.onLate?.(connection)
    if (after === undefined) return
    this.#afterwards.add(after)
    void after.finally(() => this.#afterwards.delete(after))
  }

  async #take(tries: Tries, urgency: Urgency): Promise<C> {
    if (this.#shares.mayTake(urgency, this.#idle.length, performance.now())) {
      // Taken before it is there, so that nobody else counts on it meanwhile.
      this.#shares.used[urgency]++
      for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
        const wasAsked = !idle.isBroken
        if (await isAlive(idle, tries.deadline)) {
          this.#openAhead(urgency)
          return idle
        }
        this.#shares.count--
        // One by one the others would cost this call its time.
        if (wasAsked) this.#dropIdle(isStale)
      }
      this.#shares.used[urgency]--
      // Closed while an idle connection was asked whether it still lives.
      if (!this.#isOpen) throw closedError(this.where)
    }
    return this.#line.join(
      urgency,
      tries.deadline,
      () => this.#late(tries),
      (waiting) => this.#openFor(waiting),
    )
  }

  /** Opens a connection because of one who waits, where one more may be open; whoever is first in line by then has it. */
  #openFor(waiting: Waiting<C>): void {
    const { urgency, deadline } = waiting
    if (!this.#isOpen || waiting.isOpening || !this.#shares.mayOpen(urgency, performance.now())) return
    if (waiting.refusal !== undefined && this.#shares.hasOpen) return
    waiting.isOpening = true
    if (urgency === 'ordinary') this.#shares.ordinaryOpening++
    const refused = (error: unknown) => {
      // Where the server grants no more, those that it has granted are shared: whoever waits has the next.
      if (this.#shares.hasOpen) waiting.refusal = error
      else if (this.#line.leave(waiting)) waiting.refuse(error)
    }
    const ended = () => {
      waiting.isOpening = false
      if (urgency === 'ordinary') this.#shares.ordinaryOpening--
      this.#serve()
    }
    void this.#open(deadline).catch(refused).finally(ended)
  }

  /** All that are open are in use where a worker is: its next urgent call is not to wait until another is. */
  #openAhead(urgency: Urgency): void {
    const now = performance.now()
    const isNeeded =
      this.#idle.length === 0 && this.#shares.hasRoom && (urgency !== 'ordinary' || this.#shares.hasWorker(now))
    if (!this.#isOpen || !isNeeded || now < this.#aheadNotBefore) return
    // Not another one meanwhile, and none for a while if this fails: whoever needs one is told why there is none.
    this.#aheadNotBefore = now + this.#connectMs + AHEAD_AGAIN_MS
    const opened = () => {
      this.#aheadNotBefore = 0
    }
    void this.#open(now + this.#connectMs).then(opened, () => this.#serve())
  }

  /** Opens a connection and gives it to whoever waits; it lies idle when nobody does. */
  async #open(deadline: number): Promise<void> {
    this.#shares.count++
    this.#shares.opening++
    const opening = this.#options.connect(Math.min(this.#connectMs, leftUntil(deadline)), this.#closing.signal)
    const ended = Promise.allSettled([opening])
    this.#openings.add(ended)
    try {
      this.#idle.push(await opening)
    } catch (error) {
      this.#shares.count--
      this.#shares.refused(performance.now())
      throw error
    } finally {
      this.#shares.opening--
      this.#openings.delete(ended)
    }
    this.#serve()
  }

  #refuse(all: readonly Waiting<C>[]): void {
    for (const waiting of all) if (this.#line.leave(waiting)) waiting.refuse(closedError(this.where))
  }

  #dropIdle(isDoubtful: (connection: C) => boolean = () => true): void {
    for (const connection of this.#idle.splice(0)) {
      if (isDoubtful(connection)) {
        this.#shares.count--
        connection.destroy()
      } else this.#idle.push(connection)
    }
  }

  #giveBack(connection: C, urgency: Urgency): void {
    this.#shares.used[urgency]--
    if (connection.isBroken) this.#shares.count--
    else {
      connection.idleSince = performance.now()
      this.#idle.push(connection)
    }
    this.#serve()
  }

  /** Gives what is free to those who wait, urgent ones first, and opens more for them. */
  #serve(): void {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.isBroken) {
        this.#shares.count--
        continue
      }
      const [free, now] = [this.#idle.length + 1, performance.now()]
      const next = this.#line.next((urgency) => this.#shares.mayTake(urgency, free, now))
      if (next === undefined) {
        // One that was made for nobody is as good as one that was just used.
        if (idle.idleSince === 0) idle.idleSince = performance.now()
        this.#idle.push(idle)
        break
      }
      this.#shares.used[next.urgency]++
      next.give(idle)
    }
    for (const waiting of this.#line.all) this.#openFor(waiting)
    // Closed, and the connection on which they counted has ended.
    if (!this.#isOpen && this.#shares.count === 0) this.#refuse(this.#line.all)
  }
}
