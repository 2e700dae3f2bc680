/** What an attempt leaves for the one after it: sealed, fenced, and in the store when its promise resolves. */
import type { Codec } from '../codec/codec.ts'
import { MillraceError } from '../core/errors.ts'
import type { Store } from '../store/contract/index.ts'
import type { RunningJob } from './running-job.ts'

/** The checkpoints of one worker's jobs. */
export class Checkpoints {
  readonly #workerId: string
  readonly #store: Store
  readonly #codec: Codec

  constructor(workerId: string, store: Store, codec: Codec) {
    this.#workerId = workerId
    this.#store = store
    this.#codec = codec
  }

  /** See `JobContext.checkpoint`. */
  async save(job: RunningJob, value: unknown): Promise<void> {
    const bytes = await this.#codec.encode(fieldOf(job), value)
    if (job.isOver) throw lost(job)
    job.hasCheckpoint = true
    const saved = await this.#store.jobs.saveCheckpoint(this.#workerId, job.claimed, bytes)
    if (saved === 'lost') throw lost(job)
  }

  /** See `JobContext.restore`. */
  async restore(job: RunningJob): Promise<unknown> {
    // The first claim of a job finds nothing, and need not ask.
    if (job.claimed.epoch === 1 && !job.hasCheckpoint) return undefined
    const bytes = await this.#store.jobs.checkpoint(job.id)
    return bytes === null ? undefined : await this.#codec.decode(fieldOf(job), bytes)
  }
}

function fieldOf(job: RunningJob) {
  return { jobId: job.id, jobName: job.name, field: 'checkpoint' } as const
}

function lost(job: RunningJob): MillraceError {
  return new MillraceError('LEASE_LOST', `the job ${job.id} is no longer this attempt's: its checkpoint was not kept`, {
    fields: { id: job.id, name: job.name, fence: job.fence },
    hint: 'Stop: another attempt does the work, or it is done already.',
  })
}
