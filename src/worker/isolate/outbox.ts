/**
 * A handler's progress and log lines on their way out. The first goes at once, so that a handler which then blocks its isolate for
 * good has been heard; what follows within 10 ms goes together, the newest 1,000 lines of it: a worker does not drown in them.
 */
import type { LogLevel } from '../../core/job/log-level.ts'
import type { FromIsolate, Send } from './message.ts'

const APART_MS = 10
/** The store keeps no more of a job. */
const MOST_LINES = 1_000
/** Beyond what is stored of a line. */
const MOST_TEXT = 32_768

/** What one attempt has to tell. */
export class Outbox {
  readonly #send: Send<FromIsolate>
  readonly #now: () => number
  #progress: number | undefined
  #note: string | undefined
  #logs: (readonly [LogLevel, string])[] = []
  #sentAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  constructor(send: Send<FromIsolate>, now: () => number = () => performance.now()) {
    this.#send = send
    this.#now = now
  }

  progress(fraction: number, note: string | undefined): void {
    if (Number.isFinite(fraction)) this.#progress = fraction
    if (note !== undefined) this.#note = String(note).slice(0, MOST_TEXT)
    this.#added()
  }

  log(message: string, level: LogLevel): void {
    this.#logs.push([level, String(message).slice(0, MOST_TEXT)])
    if (this.#logs.length >= 2 * MOST_LINES) this.#logs.splice(0, this.#logs.length - MOST_LINES)
    this.#added()
  }

  /** Sends what waits. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#progress === undefined && this.#note === undefined && this.#logs.length === 0) return
    this.#send({
      kind: 'news',
      logs: this.#logs.slice(-MOST_LINES),
      ...(this.#progress !== undefined && { progress: this.#progress }),
      ...(this.#note !== undefined && { note: this.#note }),
    })
    this.#progress = undefined
    this.#note = undefined
    this.#logs = []
    this.#sentAt = this.#now()
  }

  #added(): void {
    if (this.#now() - this.#sentAt >= APART_MS) this.flush()
    else this.#timer ??= setTimeout(() => this.flush(), APART_MS).unref()
  }
}
