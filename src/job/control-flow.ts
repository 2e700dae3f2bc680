/** What a handler throws to say how its attempt shall end. Everything else it throws is a failure to be retried. */
import { type Duration, parseDuration } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'

/** Says on the prototype what a class is, so that it is known from another copy of this module too: that of a bundled entry. */
const FLOW = Symbol.for('millrace.flow')

/** Ends the job as `failed`, reason `discarded`, with no further attempt. */
export class Discard extends MillraceError {
  constructor(message: string, detail: { readonly cause?: unknown } = {}) {
    super('DISCARDED', message, detail)
  }

  get [FLOW](): string {
    return 'discard'
  }
}

/** Fails the attempt and sets when the next one begins, whatever the back-off says. The attempt is spent. */
export class RetryAfter extends MillraceError {
  readonly delayMs: number

  constructor(delay: Duration, message = 'asked to retry later', detail: { readonly cause?: unknown } = {}) {
    super('RETRY_AFTER', message, detail)
    this.delayMs = parseDuration(delay, 'RetryAfter')
  }

  get [FLOW](): string {
    return 'retryAfter'
  }
}

/** Thrown by `job.snooze`: runs the job again after the delay, no attempt spent. */
export class Snooze extends MillraceError {
  readonly delayMs: number

  constructor(delay: Duration) {
    super('SNOOZED', 'snoozed', {})
    this.delayMs = parseDuration(delay, 'snooze')
  }

  get [FLOW](): string {
    return 'snooze'
  }
}

/** What was thrown when it steers the attempt; undefined for everything else, a proxy whose traps throw included. */
export function flowOf(
  thrown: unknown,
): { readonly kind: 'discard' } | { readonly kind: 'retryAfter' | 'snooze'; readonly delayMs: number } | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined
  try {
    const { [FLOW]: kind, delayMs } = thrown as { readonly [FLOW]?: unknown; readonly delayMs?: unknown }
    if (kind === 'discard') return { kind }
    if (kind !== 'retryAfter' && kind !== 'snooze') return undefined
    return { kind, delayMs: typeof delayMs === 'number' ? delayMs : 0 }
  } catch {
    // A trap threw: it is none of ours.
    return undefined
  }
}
