/** What is told of a settled attempt. */
import type { Telemetry } from '../base/telemetry.ts'
import type { SettleResult } from '../store/contract/index.ts'
import type { Outcome } from './settler.ts'

/**
 * Emits `job.settled` after its commit, with what the job has become: an attempt that would have run again is told as
 * cancelled when that had been asked for. A released attempt is no outcome and is not told.
 */
export function tellSettled(
  telemetry: Telemetry,
  { job, settlement, errorLine }: Outcome,
  answer: Exclude<SettleResult, 'lost'>,
): void {
  const isCancelled = answer === 'cancelled'
  if (settlement.to === 'pending' && !isCancelled) return
  const reason = isCancelled ? 'requested' : 'reason' in settlement ? settlement.reason : undefined
  telemetry.emit('job.settled', {
    jobId: job.id,
    name: job.name,
    queue: job.queue,
    attempt: job.attempt,
    outcome: isCancelled ? 'cancelled' : settlement.to,
    durationMs: settlement.runMs,
    ...(reason !== undefined && { reason }),
    ...(errorLine !== undefined && { error: errorLine }),
  })
}
