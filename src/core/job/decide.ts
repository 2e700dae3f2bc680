/** What is next: from how an attempt ended, or from a lost lease, to the job's next state. Pure, and on the hot path. */
import type { AttemptEnd } from './outcome.ts'
import { isNeverRetried, type RetryPolicy, retryDelay } from './retry.ts'

/** What becomes of a job after an attempt. Delays in milliseconds. */
export type Next =
  | { readonly to: 'completed' }
  | { readonly to: 'retrying'; readonly delayMs: number; readonly crashed?: true }
  | { readonly to: 'failed'; readonly reason: 'exhausted' | 'discarded' | 'payload' | 'unreadable' }
  | { readonly to: 'failed'; readonly reason: 'quarantined' | 'discarded'; readonly crashed: true }
  | { readonly to: 'scheduled'; readonly delayMs: number }
  | { readonly to: 'cancelled'; readonly reason: 'requested' }
  | { readonly to: 'pending' }
  | { readonly to: 'blocked'; readonly reason: 'key' }

/** What is on record of a job whose lease was lost, before this loss is counted. */
export interface LossRecord {
  readonly losses: number
  readonly crashes: number
  /** Its handler had begun, on record. Only then does the loss accuse the job. */
  readonly started: boolean
}

/** What becomes of a job whose lease was lost, with the new counts. */
export type LossDecision =
  | { readonly to: 'pending'; readonly losses: number; readonly crashes: number }
  | { readonly to: 'failed'; readonly reason: 'quarantined'; readonly losses: number; readonly crashes: number }

/** A job that took its worker down this often is not run again. */
const MAX_CRASHES = 3
/** From this many losses on a job runs alone, and its start is recorded first. */
const SUSPECT_LOSSES = 2
/** The same of one that runs in a process of its own. */
const SUSPECT_LOSSES_APART = 10
/** From this many crashes on a job runs in a process of its own, where one can be had. */
const CONTAINED_CRASHES = MAX_CRASHES - 1

// Shared, so that the usual ends allocate nothing.
const COMPLETED: Next = Object.freeze({ to: 'completed' })
const PENDING: Next = Object.freeze({ to: 'pending' })
const CANCELLED: Next = Object.freeze({ to: 'cancelled', reason: 'requested' })
const BLOCKED: Next = Object.freeze({ to: 'blocked', reason: 'key' })
const EXHAUSTED: Next = Object.freeze({ to: 'failed', reason: 'exhausted' })
const DISCARDED: Next = Object.freeze({ to: 'failed', reason: 'discarded' })
const PAYLOAD: Next = Object.freeze({ to: 'failed', reason: 'payload' })
const UNREADABLE: Next = Object.freeze({ to: 'failed', reason: 'unreadable' })
const QUARANTINED: Next = Object.freeze({ to: 'failed', reason: 'quarantined', crashed: true })
const CRASH_DISCARDED: Next = Object.freeze({ to: 'failed', reason: 'discarded', crashed: true })

/**
 * Decides what follows the end of an attempt. `attempt` is its number, 1 for the first since the job was enqueued or
 * retried by hand; `random` in [0, 1) spreads the back-off; `crashes` is how often the job crashed before.
 *
 * A crash is no attempt, so it neither uses the attempts up nor is refused for their sake: below the third the job runs again,
 * after the back-off for so many crashes.
 *
 * A timeout and a refused result are failures like a thrown error: the next attempt may do better. A policy can exclude
 * them as `TIMEOUT` and `RESULT_INVALID`. An error that is never retried ends the job as `discarded`. `retryAfterMs`
 * replaces the back-off as it is, without jitter and beyond `maxDelayMs`, since whoever gave it knows more than the policy;
 * the attempt is spent all the same, so the last attempt stays the last.
 */
export function decideNext(
  end: AttemptEnd,
  attempt: number,
  policy: RetryPolicy,
  random: number,
  crashes: number,
): Next {
  switch (end.kind) {
    case 'returned':
      return COMPLETED
    case 'threw':
      return afterFailure(end.errorName, end.errorCode, end.retryAfterMs, attempt, policy, random)
    case 'crashed':
      return afterCrash(end.errorName, end.errorCode, policy, random, crashes + 1)
    case 'timedOut':
      return afterFailure('TimeoutError', 'TIMEOUT', undefined, attempt, policy, random)
    case 'resultInvalid':
      return afterFailure('PayloadError', 'RESULT_INVALID', undefined, attempt, policy, random)
    case 'discarded':
      return DISCARDED
    case 'snoozed':
      return { to: 'scheduled', delayMs: isDelay(end.delayMs) ? Math.floor(end.delayMs) : 0 }
    case 'cancelled':
      return CANCELLED
    case 'released':
      return PENDING
    case 'payloadInvalid':
      return PAYLOAD
    case 'unreadable':
      return UNREADABLE
    case 'keyUnknown':
      return BLOCKED
    default:
      return end satisfies never
  }
}

/**
 * Decides what follows the loss of a lease. A loss is never an attempt. It counts as a crash only when the handler had begun
 * on record; the third crash fails the job, reason `quarantined`.
 */
export function decideLoss({ losses, crashes, started }: LossRecord): LossDecision {
  const counts = { losses: losses + 1, crashes: started ? crashes + 1 : crashes }
  if (counts.crashes >= MAX_CRASHES) return { to: 'failed', reason: 'quarantined', ...counts }
  return { to: 'pending', ...counts }
}

/** Whether a job lost so many leases that it is claimed alone, never fetched ahead, and recorded before it starts. */
export function isSuspect(losses: number): boolean {
  return losses >= SUSPECT_LOSSES
}

/**
 * Whether a job that runs in a process of its own lost so many leases that it is recorded before it starts too. It takes nobody with
 * it, and a record would accuse it of what its neighbours do; but one that ends its worker each time would run for ever.
 */
export function isSuspectApart(losses: number): boolean {
  return losses >= SUSPECT_LOSSES_APART
}

/** Whether a job crashed so often that it runs in a process of its own, where one can be had. */
export function isContained(crashes: number): boolean {
  return crashes >= CONTAINED_CRASHES
}

function afterCrash(
  errorName: string,
  errorCode: string | undefined,
  policy: RetryPolicy,
  random: number,
  crashes: number,
): Next {
  if (crashes >= MAX_CRASHES) return QUARANTINED
  if (isNeverRetried(policy, errorName, errorCode)) return CRASH_DISCARDED
  return { to: 'retrying', delayMs: retryDelay(policy, crashes, random), crashed: true }
}

function afterFailure(
  errorName: string,
  errorCode: string | undefined,
  retryAfterMs: number | undefined,
  attempt: number,
  policy: RetryPolicy,
  random: number,
): Next {
  if (isNeverRetried(policy, errorName, errorCode)) return DISCARDED
  if (attempt >= policy.attempts) return EXHAUSTED
  const isTold = retryAfterMs !== undefined && isDelay(retryAfterMs)
  return { to: 'retrying', delayMs: isTold ? Math.floor(retryAfterMs) : retryDelay(policy, attempt, random) }
}

/** A store cannot keep the instant that NaN or an infinite delay leads to. */
function isDelay(ms: number): boolean {
  return ms >= 0 && Number.isFinite(ms)
}
