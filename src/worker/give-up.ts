/** What becomes of an attempt whose handler has ignored its signal for the whole grace: it ends without it, and its slot is free. */
import type { Telemetry } from '../base/telemetry.ts'
import { type Ended, type Executor, RELEASED } from './executor.ts'
import type { Isolates } from './isolate/isolates.ts'
import type { RunningJob } from './running-job.ts'

/** What attempts are given up with. */
export interface GiveUpParts {
  readonly telemetry: Telemetry
  readonly executor: Pick<Executor, 'sealError'>
  readonly isolates: Pick<Isolates, 'kill'>
  /** The attempt ends so. */
  readonly onEnd: (job: RunningJob, ended: Ended) => void
  /** The attempt is over, and its lease another's. */
  readonly onLeft: (job: RunningJob) => void
}

/** Ends an attempt that was told to stop, as it was told; nothing happens to one that is over. In an isolate the handler is killed. */
export function giveUp(job: RunningJob, { telemetry, executor, isolates, onEnd, onLeft }: GiveUpParts): void {
  if (job.isOver) return
  const why = job.aborted ?? 'stopping'
  // In an isolate it is killed, and has ended when that is gone.
  const isKilled = isolates.kill(job)
  telemetry.emit('job.abandoned', { jobId: job.id, name: job.name, queue: job.queue, why })
  if (why === 'lease-lost') {
    onLeft(job)
    return
  }
  if (isKilled) return
  if (why === 'stopping') {
    onEnd(job, RELEASED)
    return
  }
  const text =
    why === 'timeout'
      ? `ran longer than its timeout of ${job.timeoutMs} ms and ignored its signal`
      : 'was cancelled and ignored its signal'
  const kind = why === 'timeout' ? 'timedOut' : 'cancelled'
  // Marked first: a handler that returns while the error is being sealed comes too late.
  job.isOver = true
  const error = new DOMException(`the job ${text}`, 'TimeoutError')
  void executor.sealError(job, error).then((sealed) => onEnd(job, { end: { kind }, result: null, ...sealed }))
}
