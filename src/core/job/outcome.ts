/** How an attempt ended, as the worker saw it. What follows from it is decided in `decide.ts`. */

/**
 * The end of one attempt.
 * - `returned`: the handler returned, and its result could be kept.
 * - `threw`: the handler threw. `retryAfterMs` when it said when to try again.
 * - `crashed`: the isolate that ran it ended under it: it exited, was killed, ran out of memory, or let an error go uncaught. It
 *   counts as a crash, not as an attempt.
 * - `timedOut`: it was still running at its timeout and was aborted.
 * - `discarded`: the handler said that no further attempt can help.
 * - `snoozed`: the handler asked to run again later; no attempt is spent.
 * - `cancelled`: it was asked to stop, and did.
 * - `released`: the worker stops; the attempt is not counted.
 * - `payloadInvalid`: the upgrade or the schema refused the payload; the handler did not run.
 * - `resultInvalid`: the handler returned what its schema refuses or what cannot be kept.
 * - `unreadable`: the stored payload could not be opened; the handler did not run.
 * - `keyUnknown`: the payload is sealed with a key that this worker does not have; the handler did not run.
 */
export type AttemptEnd =
  | { readonly kind: 'returned' }
  | {
      readonly kind: 'threw'
      readonly errorName: string
      readonly errorCode?: string
      readonly retryAfterMs?: number
    }
  | { readonly kind: 'crashed'; readonly errorName: string; readonly errorCode?: string }
  | { readonly kind: 'timedOut' }
  | { readonly kind: 'discarded' }
  | { readonly kind: 'snoozed'; readonly delayMs: number }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'released' }
  | { readonly kind: 'payloadInvalid' }
  | { readonly kind: 'resultInvalid' }
  | { readonly kind: 'unreadable' }
  | { readonly kind: 'keyUnknown' }
