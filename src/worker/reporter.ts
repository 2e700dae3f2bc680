/** Progress and log lines on their way to the store: gathered per job, written together at most five times a second. */
import type { Clock } from '../base/clock.ts'
import type { Telemetry } from '../base/telemetry.ts'
import type { Codec } from '../codec/codec.ts'
import { redactText } from '../codec/redact.ts'
import { takeBatch } from '../core/batch.ts'
import type { LogLevel } from '../core/job/log-level.ts'
import type { JobReport, Store } from '../store/contract/index.ts'
import type { RunningJob } from './running-job.ts'

interface News {
  progress: number | undefined
  note: string | undefined
  readonly logs: { readonly seq: number; readonly level: LogLevel; readonly message: string }[]
}

const FLUSH_MS = 200
/** Sequence numbers of one attempt begin at its epoch times this, so that attempts never collide. */
const LINES_PER_ATTEMPT = 100_000
/** The store keeps no more lines of a job, the newest, so no more wait here. */
const MOST_LINES = 1000

/** Progress and log lines on their way to the store. */
export class Reporter {
  readonly #workerId: string
  readonly #store: Store
  readonly #codec: Codec
  readonly #clock: Clock
  readonly #telemetry: Telemetry
  readonly #news = new Map<RunningJob, News>()
  /** Jobs whose news are on their way to the store now. */
  #leaving: ReadonlySet<RunningJob> = new Set()
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
    if (note !== undefined) news.note = String(note)
  }

  log(job: RunningJob, message: string, level: LogLevel): void {
    const line = (this.#lines.get(job) ?? 0) + 1
    // The next number would be one of the next attempt.
    if (line >= LINES_PER_ATTEMPT) return
    this.#lines.set(job, line)
    const { logs } = this.#of(job)
    logs.push({ seq: job.claimed.epoch * LINES_PER_ATTEMPT + line, level, message: redactText(String(message)) })
    if (logs.length >= 2 * MOST_LINES) logs.splice(0, logs.length - MOST_LINES)
  }

  /** Tells whether the job has news that must be written before it is settled, on their way already or not. */
  has(job: RunningJob): boolean {
    return this.#news.has(job) || this.#leaving.has(job)
  }

  /** What waits of a job's news, to be written by its completion; it waits on, for the case that this is rolled back. */
  async newsOf(job: RunningJob): Promise<JobReport | undefined> {
    const news = this.#news.get(job)
    return news === undefined ? undefined : this.#seal(job, news)
  }

  /** Forgets what waits of a job's news: they are written. */
  drop(job: RunningJob): void {
    this.#news.delete(job)
  }

  /** Writes everything gathered so far. A store that is away loses progress and lines, never a job. */
  flush(): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#flushing = this.#flushing.then(() => this.#write())
    return this.#flushing
  }

  async #write(): Promise<void> {
    // Those of a job whose row a transaction of its handler may hold wait for that.
    const all = [...this.#news].filter(([job]) => job.completion === 'none')
    for (const [job] of all) this.#news.delete(job)
    if (all.length === 0) return
    this.#leaving = new Set(all.map(([job]) => job))
    // News that cannot be sealed (their key was withdrawn meanwhile) are lost; those of other jobs are not.
    const sealed = await Promise.all(
      all.map(([job, news]) => this.#seal(job, news).catch((error) => this.#failed(error))),
    )
    for (let rest = sealed.filter((each) => each !== undefined); rest.length > 0; ) {
      const count = takeBatch(rest, bytesOf)
      try {
        await this.#store.jobs.report(this.#workerId, rest.slice(0, count))
      } catch (error) {
        this.#failed(error)
      }
      rest = rest.slice(count)
    }
    this.#leaving = new Set()
  }

  #failed(error: unknown): undefined {
    this.#telemetry.emit('store.failed', { operation: 'report', error })
  }

  async #seal(job: RunningJob, news: News): Promise<JobReport> {
    const { id, name } = job
    const logs = await Promise.all(
      news.logs.slice(-MOST_LINES).map(async ({ seq, level, message }) => {
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

function bytesOf(report: JobReport): number {
  return (report.logs ?? []).reduce((sum, line) => sum + line.message.byteLength, report.note?.byteLength ?? 0)
}
