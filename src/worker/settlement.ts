/** From how an attempt ended to how it is settled: the policy's decision with the attempt's bytes. */
import { decideNext } from '../core/job/decide.ts'
import type { RetryPolicy } from '../core/job/retry.ts'
import type { Settlement } from '../store/contract/index.ts'
import type { Ended } from './executor.ts'
import type { RunningJob } from './running-job.ts'

const policies = new Map<string, RetryPolicy>()
const MAX_POLICIES = 1000

/** The settlement of an ended attempt. `random` is in [0, 1) and spreads the back-off. */
export function settlementOf(job: RunningJob, ended: Ended, runMs: number, random: number): Settlement {
  const { id, epoch, attempt, attemptOffset } = job.claimed
  const next = decideNext(ended.end, attempt - attemptOffset, policyOf(job), random)
  switch (next.to) {
    case 'completed':
      return { id, epoch, runMs, to: 'completed', result: ended.result }
    case 'retrying':
      return { id, epoch, runMs, to: 'retrying', delayMs: next.delayMs, error: ended.error }
    case 'failed':
      return { id, epoch, runMs, to: 'failed', reason: next.reason, error: ended.error }
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

/** The job's own policy when it was enqueued with one, else its definition's. */
function policyOf(job: RunningJob): RetryPolicy {
  const text = job.claimed.retry
  if (text === null) return job.handler.definition.retry
  let policy = policies.get(text)
  if (policy === undefined) {
    // Written by `enqueue` from a checked policy.
    policy = JSON.parse(text) as RetryPolicy
    if (policies.size >= MAX_POLICIES) policies.clear()
    policies.set(text, policy)
  }
  return policy
}
