/** What a worker measures of its own process. */
import { readFile } from 'node:fs/promises'
import { nodePerfHooks } from '../base/builtin.ts'
import type { Clock } from '../base/clock.ts'
import type { WorkerHealth } from '../core/health.ts'

/** Between two samples of the event loop's delay: what is shorter is not seen, and each costs a wake-up. */
const SAMPLE_MS = 50
const NS_PER_MS = 1e6
const US_PER_MS = 1e3

/** Measures one process for one reader: each reading begins a new span for processor time and delay. */
export class Vitals {
  readonly #clock: Clock
  readonly #delay = nodePerfHooks().monitorEventLoopDelay({ resolution: SAMPLE_MS })
  #cpu = process.cpuUsage()
  #readAt: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#readAt = clock.monotonic()
    this.#delay.enable()
  }

  /** Takes the readings. `pssBytes` costs a millisecond or two of the kernel's time, off the event loop; ask for it seldom. */
  read(worker: Pick<WorkerHealth, 'storeAnsweredMs' | 'jobsDone'>, pssBytes: number | null): WorkerHealth {
    const now = this.#clock.monotonic()
    const { user, system } = process.cpuUsage(this.#cpu)
    const spanMs = Math.max(1, now - this.#readAt)
    this.#cpu = process.cpuUsage()
    this.#readAt = now
    const { rss, heapUsed } = process.memoryUsage()
    const late = (percent: number) => {
      // Without a sample it says 0; what it says counts from the sample's own time.
      const ms = this.#delay.percentile(percent) / NS_PER_MS - SAMPLE_MS
      return Number.isFinite(ms) ? Math.max(0, Math.round(ms * 10) / 10) : 0
    }
    const health = {
      rssBytes: rss,
      pssBytes,
      heapBytes: heapUsed,
      cpu: Math.round(((user + system) / US_PER_MS / spanMs) * 1000) / 1000,
      loopDelayP50Ms: late(50),
      loopDelayP99Ms: late(99),
      storeAnsweredMs: Math.round(worker.storeAnsweredMs),
      jobsDone: worker.jobsDone,
      node: process.version,
    }
    this.#delay.reset()
    return health
  }

  stop(): void {
    this.#delay.disable()
  }
}

/** Where a worker has its health from. */
export interface HealthSource {
  /** Null: nothing is known. */
  read(worker: Pick<WorkerHealth, 'storeAnsweredMs' | 'jobsDone'>): Promise<WorkerHealth | null>
  stop(): void
}

/** The health of this process, from its first reading on. */
export class OwnHealth implements HealthSource {
  readonly #clock: Clock
  #vitals: Vitals | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async read(worker: Pick<WorkerHealth, 'storeAnsweredMs' | 'jobsDone'>): Promise<WorkerHealth> {
    this.#vitals ??= new Vitals(this.#clock)
    return this.#vitals.read(worker, await pssOf('self'))
  }

  stop(): void {
    this.#vitals?.stop()
  }
}

/** The proportional share of memory of a process in bytes; null where the system does not tell, or the process is gone. */
export async function pssOf(pid: number | 'self'): Promise<number | null> {
  try {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1')
    const kib = /^Pss:\s+(\d+) kB/m.exec(text)?.[1]
    return kib === undefined ? null : Number(kib) * 1024
  } catch {
    return null // Not Linux, or not ours to read.
  }
}
