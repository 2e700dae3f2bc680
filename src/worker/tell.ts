/** What is told of a settled attempt. */
import type { Telemetry } from '../base/telemetry.ts'
import type { Outcome } from './settler.ts'

/** Emits `job.settled` after its commit. A released attempt is no outcome and is not told. */
export function tellSettled(telemetry: Telemetry, { job, settlement, errorLine }: Outcome): void {
  if (settlement.to === 'pending') return
  telemetry.emit('job.settled', {
    jobId: job.id,
    name: job.name,
    queue: job.queue,
    attempt: job.attempt,
    outcome: settlement.to,
    durationMs: settlement.runMs,
    ...('reason' in settlement && { reason: settlement.reason }),
    ...(errorLine !== undefined && { error: errorLine }),
  })
}
