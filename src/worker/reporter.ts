/** Progress and log lines on their way to the store: gathered per job, written together at most five times a second. */
import type { Clock } from '../base/clock.ts'
import type { Telemetry } from '../base/telemetry.ts'
import type { Codec } from '../codec/codec.ts'
import { redactText } from '../codec/redact.ts'
import type { LogLevel } from '../core/job/log-level.ts'
import type { JobReport, Store } from '../store/contract/index.ts'
import type { Outlet, RunningJob } from './running-job.ts'

interface News {
  progress: number | undefined
  note: string | undefined
  readonly logs: { readonly seq: number; readonly level: LogLevel; readonly message: string }[]
}

const FLUSH_MS = 200
/** Sequence numbers of one attempt begin at its epoch times this, so that attempts never collide. */
const LINES_PER_ATTEMPT = 100_000

/** Progress and log lines on their way to the store. */
export class Reporter implements Outlet {
  readonly #workerId: string
  readonly #store: Store
  readonly #codec: Codec
  readonly #clock: Clock
  readonly #telemetry: Telemetry
  readonly #news = new Map<RunningJob, News>()
  readonly #lines = new WeakMap<RunningJob, number>()
  #cancelTimer: (() => void) | undefined
  #flushing: Promise<void> = Promise.resolve()

  constructor(workerId: string, store: Store, codec: Codec, clock: Clock, telemetry: Telemetry) {
    this.#workerId = workerId
    this.#store = store
    this.#codec = codec
    this.#clock = clock
    this.#telemetry = telemetry
  }

  progress(job: RunningJob, fraction: number, note: string | undefined): void {
    const news = this.#of(job)
    if (Number.isFinite(fraction)) news.progress = Math.min(1, Math.max(0, fraction))
    if (note !== undefined) news.note = note
  }

  log(job: RunningJob, message: string, level: LogLevel): void {
    const line = (this.#lines.get(job) ?? 0) + 1
    this.#lines.set(job, line)
    this.#of(job).logs.push({
      seq: job.claimed.epoch * LINES_PER_ATTEMPT + line,
      level,
      message: redactText(String(message)),
    })
  }

  /** Tells whether the job has news that must be written before it is settled. */
  has(job: RunningJob): boolean {
    return this.#news.has(job)
  }

  /** Writes everything gathered so far. A store that is away loses progress and lines, never a job. */
  flush(): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#flushing = this.#flushing.then(() => this.#write())
    return this.#flushing
  }

  async #write(): Promise<void> {
    const all = [...this.#news]
    this.#news.clear()
    if (all.length === 0) return
    try {
      const reports = await Promise.all(all.map(([job, news]) => this.#seal(job, news)))
      await this.#store.jobs.report(this.#workerId, reports)
    } catch (error) {
      this.#telemetry.emit('store.failed', { operation: 'report', error })
    }
  }

  async #seal(job: RunningJob, news: News): Promise<JobReport> {
    const { id, name } = job
    const logs = await Promise.all(
      news.logs.map(async ({ seq, level, message }) => {
        return {
          seq,
          level,
          message: await this.#codec.encode({ jobId: id, jobName: name, field: `log:${seq}` }, message),
        }
      }),
    )
    const note =
      news.note === undefined
        ? undefined
        : await this.#codec.encode({ jobId: id, jobName: name, field: 'progress' }, redactText(news.note, 1024))
    return {
      id,
      epoch: job.claimed.epoch,
      ...(news.progress !== undefined && { progress: news.progress }),
      ...(note !== undefined && { note }),
      ...(logs.length > 0 && { logs }),
    }
  }

  #of(job: RunningJob): News {
    let news = this.#news.get(job)
    if (news === undefined) {
      news = { progress: undefined, note: undefined, logs: [] }
      this.#news.set(job, news)
      this.#cancelTimer ??= this.#clock.after(FLUSH_MS, () => void this.flush())
    }
    return news
  }
}
