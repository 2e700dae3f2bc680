/**
 * Waits for the statements of a migration, which take as long as they take, for as long as the server is at work on them.
 *
 * They have no deadline, and where the network has gone nobody tells who waits: the kernel sends again and again, for a quarter
 * of an hour, and a proxy in between may keep a connection alive that leads nowhere. So while a statement runs, the server is asked
 * now and then, by another connection that is made anew each time, whether it is at work on it. When nobody has said so for a
 * deadline (nothing answers; or the server that does has ended the statement, never got it, or has answered it and was not heard)
 * the connection is destroyed, and the migration fails as a call does that is late. A step that was cut off so is begun again by
 * the next migration.
 *
 * Behind a pooler the question may wait for a session, for as long as a step holds up others who have them all: one that the
 * pooler has let in and not answered speaks against nobody, for so long as `queueMs` says.
 */
import { lateError } from './pool-errors.ts'

/** What is needed of the connection that asks. */
export interface Asking {
  close(): Promise<void>
  destroy(): void
}

/** What is watched, and how. */
export interface StepWatchOptions<C extends Asking> {
  /** The server for people, without secrets. */
  readonly where: string
  /** The deadline of calls. */
  readonly deadlineMs: number
  /** Makes the connection that asks. `signal`: nobody waits for it any more. */
  readonly connect: (timeoutMs: number, signal: AbortSignal) => Promise<C>
  /** Whether the server that this connection leads to is at work on the migration. */
  readonly isAtWork: (connection: C) => Promise<boolean>
  /** Whether this is the server's word that it takes no more connections: it cannot be asked, and has not gone. */
  readonly isCrowded: (error: unknown) => boolean
  /** A pooler stands in between, which may keep a question waiting. Taken so no longer than this since the server was last heard. */
  readonly queueMs?: number
  /** Destroys the migration's own connection: what waits on it fails. */
  readonly giveUp: () => void
}

/** Asked so often within a deadline, */
const ASKS = 3
/** but no less than once in so long. */
const ASK_EACH_MS = 5_000
/**
 * A deadline that is meant for short calls is too short to connect and to ask in. From far away, with TLS and a login, that is ten
 * round trips; and the step itself may keep the server busy.
 */
const LEAST_MS = 10_000

/** What a question met; `queued`: it was let in, and not answered. */
type Heard = 'present' | 'queued' | 'nothing'

/** Watches one connection. Statements that are sent together are watched together. */
export class StepWatch<C extends Asking> {
  readonly #options: StepWatchOptions<C>
  readonly #patienceMs: number
  #isGivenUp = false

  constructor(options: StepWatchOptions<C>) {
    this.#options = options
    this.#patienceMs = Math.max(LEAST_MS, options.deadlineMs)
  }

  /** The answer. Rejects as a late call does when nobody is at work on it any more. */
  async over<T>(answer: Promise<T>): Promise<T> {
    const done = new AbortController()
    const watched = this.#watch(done.signal)
    try {
      return await answer
    } catch (error) {
      throw this.#isGivenUp ? lateError(this.#options.where, this.#patienceMs) : error
    } finally {
      done.abort()
      await watched
    }
  }

  async #watch(done: AbortSignal): Promise<void> {
    const { queueMs = 0 } = this.#options
    let presentAt = performance.now()
    let heardAt = presentAt
    for (;;) {
      await pause(Math.min(ASK_EACH_MS, this.#patienceMs / ASKS), done)
      if (done.aborted) return
      const leftMs = heardAt + this.#patienceMs - performance.now()
      // A process that was stopped meanwhile has heard nobody: it asks in earnest before it believes so.
      const heard = await this.#ask(done, Math.ceil(Math.max(leftMs, this.#patienceMs / ASKS)))
      if (done.aborted) return
      const now = performance.now()
      if (heard === 'present') presentAt = now
      if (heard === 'present' || (heard === 'queued' && now - presentAt < queueMs)) heardAt = now
      else if (now - heardAt >= this.#patienceMs) {
        this.#isGivenUp = true
        this.#options.giveUp()
        return
      }
    }
  }

  async #ask(done: AbortSignal, timeoutMs: number): Promise<Heard> {
    let hasOpened = false
    const ended = AbortSignal.any([done, AbortSignal.timeout(timeoutMs)])
    try {
      const other = await this.#options.connect(timeoutMs, ended)
      hasOpened = true
      const giveUp = () => other.destroy()
      ended.addEventListener('abort', giveUp)
      try {
        if (ended.aborted) giveUp()
        return (await this.#options.isAtWork(other)) ? 'present' : 'nothing'
      } finally {
        ended.removeEventListener('abort', giveUp)
        if (ended.aborted) giveUp()
        else await other.close()
      }
    } catch (error) {
      // Whatever else it is, nobody has said that the server is at work.
      if (this.#options.isCrowded(error)) return 'present'
      return hasOpened ? 'queued' : 'nothing'
    }
  }
}

/** Ends sooner with the signal. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const ended = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', ended)
      resolve()
    }
    const timer = setTimeout(ended, ms)
    signal.addEventListener('abort', ended)
    if (signal.aborted) ended()
  })
}
