/**
 * Connections, few and shared. A call waits for one, uses it, and gives it back; one that is past its deadline is destroyed,
 * never given back, since nobody knows what it will answer next. Urgent calls (a worker's exchange and heartbeat) go ahead
 * of all others, and one connection is kept for them: slow reads never cost a worker its leases.
 */
import { StoreError } from '../../core/errors.ts'

/** What the pool needs of a connection. */
export interface Pooled {
  /** Whether it is of no more use. */
  readonly isBroken: boolean
  /** When the pool last took it back, by `performance.now()`; 0: never yet. */
  idleSince: number
  /** Resolves when the server answers on it. */
  check(): Promise<void>
  /** Says goodbye to the server. */
  close(): Promise<void>
  /** Ends it at once; whatever waits on it fails. */
  destroy(): void
}

/** How a driver connects, and how it understands its errors. */
export interface PoolOptions<C extends Pooled> {
  /** The server for people, without secrets. */
  readonly where: string
  /** Connections at most. */
  readonly size: number
  /** How long a call may take in all. */
  readonly deadlineMs: number
  readonly connect: (timeoutMs: number) => Promise<C>
  /** Whether the error leaves its connection of no use. */
  readonly isLost: (error: unknown) => boolean
  readonly translate: (error: unknown) => unknown
  /** Called with a connection that was destroyed since its call was late. Never rejects; `close` waits for it. */
  readonly onLate?: (connection: C) => Promise<void>
}

interface Waiting<C> {
  readonly give: (connection: C) => void
  readonly refuse: (error: unknown) => void
  readonly deadline: number
}

/** With calls of both kinds waiting, each so many-th place is given to one that is not urgent. */
const OTHERS_TURN = 8
/** How long connecting may take, within the deadline of the call. */
const CONNECT_MS = 10_000
/** A connection that was used so recently is taken as it is. */
const TRUSTED_MS = 10_000
/** How long one that lay idle may take to answer. */
const PING_MS = 2_000

/** The connections of one store. */
export class Pool<C extends Pooled> {
  readonly where: string
  readonly #options: PoolOptions<C>
  readonly #idle: C[] = []
  readonly #urgent: Waiting<C>[] = []
  readonly #others: Waiting<C>[] = []
  /** What `onLate` began and has not ended. */
  readonly #afterwards = new Set<Promise<void>>()
  /** Connections that are open, opening or in use. */
  #count = 0
  /** Connections in use by calls that are not urgent. */
  #ordinary = 0
  #used = 0
  #turn = 0
  #isOpen = false
  #onDrained: (() => void) | undefined

  constructor(options: PoolOptions<C>) {
    this.#options = options
    this.where = options.where
  }

  open(): void {
    this.#isOpen = true
  }

  /** Waits for the calls under way, then disconnects. */
  async close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    for (const waiting of [...this.#urgent.splice(0), ...this.#others.splice(0)]) waiting.refuse(this.#closedError())
    if (this.#used > 0) {
      await new Promise<void>((resolve) => {
        this.#onDrained = resolve
      })
    }
    const idle = this.#idle.splice(0)
    this.#count -= idle.length
    await Promise.all([...idle.map((connection) => connection.close()), ...this.#afterwards])
  }

  /** Runs `fn` on a connection, all within the deadline. What it throws is translated. */
  async use<T>(fn: (connection: C) => Promise<T>, isUrgent = false): Promise<T> {
    if (!this.#isOpen) throw this.#closedError()
    this.#used++
    const deadline = performance.now() + this.#options.deadlineMs
    try {
      const connection = await this.#take(deadline, isUrgent)
      return await this.#within(connection, fn, deadline, isUrgent)
    } catch (error) {
      throw this.#options.translate(error)
    } finally {
      this.#used--
      if (this.#used === 0) this.#onDrained?.()
    }
  }

  /** Runs `fn`, which opens and closes a connection of its own and has no deadline. What it throws is translated. */
  async apart<T>(fn: () => Promise<T>): Promise<T> {
    if (!this.#isOpen) throw this.#closedError()
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

  async #within<T>(connection: C, fn: (c: C) => Promise<T>, deadline: number, isUrgent: boolean): Promise<T> {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      connection.destroy()
      this.#after(connection)
    }, leftUntil(deadline))
    try {
      return await fn(connection)
    } catch (error) {
      if (this.#options.isLost(error) || this.#isOfReplica(error)) connection.destroy()
      throw isLate ? this.#lateError() : error
    } finally {
      clearTimeout(timer)
      // What ended this one has most likely ended those that nobody was using: the next call begins anew.
      if (connection.isBroken) this.#dropIdle()
      this.#giveBack(connection, isUrgent)
    }
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

  async #take(deadline: number, isUrgent: boolean): Promise<C> {
    if (this.#mayTake(isUrgent)) {
      // Taken before it is there, so that nobody else counts on it meanwhile.
      if (!isUrgent) this.#ordinary++
      for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
        if (await this.#isAlive(idle)) return idle
        this.#count--
      }
      if (this.#count < this.#options.size) return this.#connect(deadline, isUrgent)
      if (!isUrgent) this.#ordinary--
    }
    return new Promise((resolve, reject) => {
      const line = isUrgent ? this.#urgent : this.#others
      const timer = setTimeout(() => {
        const at = line.indexOf(waiting)
        // Not in the line any more: a connection is being made for it, which has the same deadline.
        if (at < 0) return
        line.splice(at, 1)
        reject(this.#lateError())
      }, leftUntil(deadline))
      const waiting: Waiting<C> = {
        deadline,
        give(connection) {
          clearTimeout(timer)
          resolve(connection)
        },
        refuse(error) {
          clearTimeout(timer)
          reject(error)
        },
      }
      line.push(waiting)
    })
  }

  /** Asks one that lay idle for a while whether the server still knows it; one that does not answer soon is destroyed. */
  async #isAlive(connection: C): Promise<boolean> {
    if (connection.isBroken || performance.now() - connection.idleSince < TRUSTED_MS) return !connection.isBroken
    const timer = setTimeout(() => connection.destroy(), PING_MS)
    try {
      await connection.check()
    } catch {
      // Whatever it said, another connection is made.
      connection.destroy()
    } finally {
      clearTimeout(timer)
    }
    return !connection.isBroken
  }

  /** One connection is kept for urgent calls where there is more than one. */
  #mayTake(isUrgent: boolean): boolean {
    const { size } = this.#options
    return isUrgent || size === 1 || this.#ordinary < size - 1
  }

  async #connect(deadline: number, isUrgent: boolean): Promise<C> {
    this.#count++
    try {
      return await this.#options.connect(Math.min(CONNECT_MS, leftUntil(deadline)))
    } catch (error) {
      this.#count--
      if (!isUrgent) this.#ordinary--
      this.#serve()
      throw error
    }
  }

  #dropIdle(): void {
    const idle = this.#idle.splice(0)
    this.#count -= idle.length
    for (const connection of idle) connection.destroy()
  }

  #giveBack(connection: C, isUrgent: boolean): void {
    if (!isUrgent) this.#ordinary--
    if (connection.isBroken) this.#count--
    else {
      connection.idleSince = performance.now()
      this.#idle.push(connection)
    }
    this.#serve()
  }

  /** Gives what is free to those who wait, urgent ones first. */
  #serve(): void {
    for (;;) {
      // Now and then others come first, where one may be given to them: a busy worker has urgent calls all the time.
      const isOthersTurn = this.#others.length > 0 && this.#mayTake(false) && ++this.#turn % OTHERS_TURN === 0
      const isUrgent = this.#urgent.length > 0 && !isOthersTurn
      const line = isUrgent ? this.#urgent : this.#others
      const [next] = line
      if (next === undefined || !this.#mayTake(isUrgent)) return
      const idle = this.#idle.pop()
      if (idle?.isBroken === true) {
        this.#count--
        continue
      }
      if (idle === undefined && this.#count >= this.#options.size) return
      line.shift()
      if (!isUrgent) this.#ordinary++
      if (idle !== undefined) next.give(idle)
      else void this.#connect(next.deadline, isUrgent).then(next.give, next.refuse)
    }
  }

  #lateError(): StoreError {
    const seconds = this.#options.deadlineMs / 1000
    return new StoreError('transient', 'STORE_UNREACHABLE', `${this.where} did not answer within ${seconds} s`, {
      fields: { store: this.where, deadlineMs: this.#options.deadlineMs },
      hint: 'Check the server and the network; a longer ?deadline=… allows for more.',
    })
  }

  #closedError(): StoreError {
    return new StoreError('closed', 'STORE_CLOSED', `the store ${this.where} is closed`, {
      fields: { store: this.where },
    })
  }
}

/** How long until then: none when the event loop stood still meanwhile. Node warns of timers that should have fired before. */
function leftUntil(deadline: number): number {
  return Math.max(0, deadline - performance.now())
}
