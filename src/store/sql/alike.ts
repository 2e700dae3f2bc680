/** Jobs that one statement can write with what they share said once, as those of one busy producer are. */
import { INLINE_BYTES } from '../../core/batch.ts'
import type { NewJob } from '../contract/index.ts'

/** Whether all differ in id and payload alone, and are plain: nothing else is asked for, and no payload is large. */
export function areAlike(jobs: readonly NewJob[]): boolean {
  const [first] = jobs
  return first !== undefined && jobs.every((job) => isAlike(job, first))
}

/** Whether a job is plain, and differs from another one in id and payload alone. */
export function isAlike(job: NewJob, like: NewJob): boolean {
  return (
    job.name === like.name &&
    job.version === like.version &&
    job.queue === like.queue &&
    job.priority === like.priority &&
    job.payload.byteLength <= INLINE_BYTES &&
    job.unique === undefined &&
    job.dependsOn === undefined &&
    job.delayMs === undefined &&
    job.runAt === undefined &&
    job.expiresInMs === undefined &&
    job.timeoutMs === undefined &&
    job.retry === undefined &&
    job.tags === undefined
  )
}
