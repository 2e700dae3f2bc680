/** What a handler throws to say how its attempt shall end. Everything else it throws is a failure to be retried. */
import { type Duration, parseDuration } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'

/** Ends the job as `failed`, reason `discarded`, with no further attempt. */
export class Discard extends MillraceError {
  constructor(message: string, detail: { readonly cause?: unknown } = {}) {
    super('DISCARDED', message, detail)
  }
}

/** Fails the attempt and sets when the next one begins, whatever the back-off says. The attempt is spent. */
export class RetryAfter extends MillraceError {
  readonly delayMs: number

  constructor(delay: Duration, message = 'asked to retry later', detail: { readonly cause?: unknown } = {}) {
    super('RETRY_AFTER', message, detail)
    this.delayMs = parseDuration(delay, 'RetryAfter')
  }
}

/** Thrown by `job.snooze`: runs the job again after the delay, no attempt spent. */
export class Snooze extends MillraceError {
  readonly delayMs: number

  constructor(delay: Duration) {
    super('SNOOZED', 'snoozed', {})
    this.delayMs = parseDuration(delay, 'snooze')
  }
}
