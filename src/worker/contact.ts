/**
 * Whether the store answers: back-off after failures, recovery, and the watchdog's question.
 *
 * A store may answer and take no writes, as a server does that has become a replica. Then only a write that it takes says that it
 * works again: what an idle worker asks for may be a mere look, which such a store answers as ever.
 */
import type { Clock } from '../base/clock.ts'
import type { Telemetry } from '../base/telemetry.ts'
import { StoreError } from '../core/errors.ts'

const FIRST_BACK_OFF_MS = 50
const LAST_BACK_OFF_MS = 5_000

/** How the store is for a worker. */
export interface StoreView {
  /** How long ago a call has last succeeded; where it takes no writes, one that wrote. */
  readonly storeAnsweredMs: number
  /** It has said that it takes no writes, and has taken none since. */
  readonly isStoreReadOnly: boolean
}

/** Whether the store answers, and since when it does not. */
export class Contact {
  readonly #clock: Clock
  readonly #telemetry: Telemetry
  readonly #lostAfterMs: number
  #lastSuccess: number
  #failingSince = 0
  #failures = 0
  /** Back-offs since the last success: heartbeats that fail meanwhile do not make them longer. */
  #backOffs = 0
  #notBefore = 0
  #lastError: unknown
  #isReadOnly = false

  constructor(clock: Clock, telemetry: Telemetry, lostAfterMs: number) {
    this.#clock = clock
    this.#telemetry = telemetry
    this.#lostAfterMs = lostAfterMs
    this.#lastSuccess = clock.monotonic()
  }

  /** False while a back-off lasts. */
  get mayTry(): boolean {
    return this.#failures === 0 || this.#clock.monotonic() >= this.#notBefore
  }

  /** No call has succeeded for too long, and the last one failed. */
  get isLost(): boolean {
    return this.#failures > 0 && this.#leftMs <= 0
  }

  /** How it is now. */
  get view(): StoreView {
    return { storeAnsweredMs: this.#clock.monotonic() - this.#lastSuccess, isStoreReadOnly: this.#isReadOnly }
  }

  /** How long until a store that has begun to fail counts as lost; none while it answers, and when it is lost already. */
  get untilLostMs(): number {
    return this.#failures > 0 && this.#leftMs > 0 ? this.#leftMs : Number.POSITIVE_INFINITY
  }

  /** A worker without work asks seldom: its silence is not the store's, so from the first failure half of the time is left. */
  get #leftMs(): number {
    const since = Math.max(this.#lastSuccess, this.#failingSince - this.#lostAfterMs / 2)
    return since + this.#lostAfterMs - this.#clock.monotonic()
  }

  /** The event loop stood still for so long: what was not heard meanwhile is not the store's silence. */
  excuse(ms: number): void {
    const now = this.#clock.monotonic()
    this.#lastSuccess = Math.min(now, this.#lastSuccess + ms)
    this.#failingSince = Math.min(now, this.#failingSince + ms)
  }

  /** A call has succeeded. `hasWritten`: a store that takes no writes would have refused it. */
  succeeded(operation: string, hasWritten = true): void {
    if (this.#isReadOnly && !hasWritten) return
    this.#isReadOnly = false
    if (this.#failures > 0) {
      this.#telemetry.emit('store.recovered', { operation, afterMs: this.#clock.monotonic() - this.#lastSuccess })
      this.#failures = 0
      this.#backOffs = 0
    }
    this.#lastSuccess = this.#clock.monotonic()
  }

  failed(operation: string, error: unknown): void {
    if (this.#failures++ === 0) this.#failingSince = this.#clock.monotonic()
    this.#lastError = error
    if (isOfReadOnly(error)) this.#isReadOnly = true
    this.#telemetry.emit('store.failed', { operation, error })
  }

  /** A write beside the exchanges was taken. That exchanges succeed is for them to say. */
  wrote(): void {
    this.#isReadOnly = false
  }

  /** One was not. It counts when the store takes none at all; else it may be that write alone that is in somebody's way. */
  couldNotWrite(operation: string, error: unknown): void {
    if (isOfReadOnly(error)) this.failed(operation, error)
    else this.#telemetry.emit('store.failed', { operation, error })
  }

  /** How long to wait before the next try; calls in between are held off. Doubles from 50 ms to 5 s, with full jitter above half. */
  backOffMs(random: number): number {
    const full = Math.min(LAST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** Math.min(this.#backOffs++, 10))
    const ms = full * (0.5 + random / 2)
    this.#notBefore = this.#clock.monotonic() + ms
    return ms
  }

  lostError(store: string): StoreError {
    return new StoreError(
      'transient',
      'STORE_UNREACHABLE',
      `${this.#isReadOnly ? `${store} has taken no writes` : `no call to ${store} has succeeded`} for ${this.#lostAfterMs} ms`,
      {
        hint: 'The jobs of this worker will be taken over by others once their leases end.',
        cause: this.#lastError,
      },
    )
  }
}

/** The store is there and takes no writes for now. That this user may not write is another matter, which time does not mend. */
function isOfReadOnly(error: unknown): boolean {
  return error instanceof StoreError && error.kind === 'transient' && error.code === 'STORE_READ_ONLY'
}

/** The failure of a call that the store has not answered for `ms`. */
export function unanswered(operation: string, ms: number): StoreError {
  return new StoreError('transient', 'STORE_UNREACHABLE', `${operation} was not answered within ${Math.round(ms)} ms`, {
    hint: 'Check the database and the way to it.',
  })
}

/** Settles as `call` does, or rejects when it has not after `ms`. The call itself goes on. */
export async function answeredWithin<T>(clock: Clock, ms: number, operation: string, call: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const cancel = clock.after(ms, () => late.reject(unanswered(operation, ms)))
  try {
    return await Promise.race([call, late.promise])
  } finally {
    cancel()
  }
}
