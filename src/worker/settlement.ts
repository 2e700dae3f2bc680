/** From how an attempt ended to how it is settled: the policy's decision with the attempt's bytes. */
import { decideNext } from '../core/job/decide.ts'
import type { RetryPolicy } from '../core/job/retry.ts'
import type { Settlement } from '../store/contract/index.ts'
import type { Ended } from './executor.ts'
import type { RunningJob } from './running-job.ts'

const policies = new Map<string, RetryPolicy | null>()
const MAX_POLICIES = 1000

/**
 * The settlement of an ended attempt. `random` is in [0, 1) and spreads the back-off. `forgets`: nothing is kept of a job that
 * completes, as far as there is nothing of it but its row.
 */
export function settlementOf(
  job: RunningJob,
  ended: Ended,
  runMs: number,
  random: number,
  forgets: boolean,
): Settlement {
  const { id, epoch, attempt, attemptOffset, crashes } = job.claimed
  const next = decideNext(ended.end, attempt - attemptOffset, policyOf(job), random, crashes)
  switch (next.to) {
    case 'completed':
      return forgets && job.isOnlyARow
        ? { id, epoch, runMs, to: 'completed', result: ended.result, forget: true }
        : { id, epoch, runMs, to: 'completed', result: ended.result }
    case 'retrying':
      return next.crashed === true
        ? { id, epoch, runMs, to: 'retrying', delayMs: next.delayMs, error: ended.error, crashed: true }
        : { id, epoch, runMs, to: 'retrying', delayMs: next.delayMs, error: ended.error }
    case 'failed':
      return 'crashed' in next
        ? { id, epoch, runMs, to: 'failed', reason: next.reason, error: ended.error, crashed: true }
        : { id, epoch, runMs, to: 'failed', reason: next.reason, error: ended.error }
    case 'cancelled':
      return { id, epoch, runMs, to: 'cancelled', reason: next.reason, error: ended.error }
    case 'scheduled':
      return { id, epoch, runMs, to: 'scheduled', delayMs: next.delayMs }
    case 'pending':
      return { id, epoch, runMs, to: 'pending' }
    case 'blocked':
      return { id, epoch, runMs, to: 'blocked', reason: 'key', on: ended.keyId ?? '' }
    default:
      return next satisfies never
  }
}

/** The job's own policy when it was enqueued with one that can be read, else its definition's. */
function policyOf(job: RunningJob): RetryPolicy {
  const text = job.claimed.retry
  if (text === null) return job.handler.definition.retry
  let policy = policies.get(text)
  if (policy === undefined) {
    policy = readPolicy(text)
    if (policies.size >= MAX_POLICIES) policies.clear()
    policies.set(text, policy)
  }
  return policy ?? job.handler.definition.retry
}

/** The policy that a text holds; null when it holds none, in a row that was damaged or not written by `enqueue`. */
function readPolicy(text: string): RetryPolicy | null {
  try {
    // Each part is looked at before it is believed.
    const given = JSON.parse(text) as Partial<Record<keyof RetryPolicy, unknown>> | null
    if (typeof given !== 'object' || given === null) return null
    const { attempts, backoff, delayMs, maxDelayMs, jitter, neverRetry } = given
    const isWhole =
      [attempts, delayMs, maxDelayMs].every((part) => Number.isFinite(part)) &&
      (Array.isArray(backoff)
        ? backoff.every(Number.isFinite)
        : backoff === 'fixed' || backoff === 'linear' || backoff === 'exponential') &&
      typeof jitter === 'string' &&
      Array.isArray(neverRetry)
    return isWhole ? (given as RetryPolicy) : null
  } catch {
    // Not JSON at all: no policy either.
    return null
  }
}
