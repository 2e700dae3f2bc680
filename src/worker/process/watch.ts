/**
 * The look that a supervisor keeps at its workers: those that are silent have their leases kept, and are killed when that lasts;
 * those that have used up what they may are named for replacement.
 */
import { readFile } from 'node:fs/promises'
import type { Clock } from '../../base/clock.ts'
import { Loop } from '../../base/loop.ts'
import type { ProcessFact, Telemetry } from '../../base/telemetry.ts'
import type { Growth } from '../../core/process/growth.ts'
import { isBeyondHardLimit, type RecycleLimits, recycleReason } from '../../core/process/recycle.ts'
import { stallOf } from '../../core/process/stall.ts'
import { formatSize } from '../../core/size.ts'
import { pssOf } from '../vitals.ts'
import { factOf } from './launcher.ts'
import type { FromWorker } from './messages.ts'
import type { Rescue } from './rescue.ts'
import { READ_MS, type WorkerProcess } from './worker-process.ts'

/** What it is kept with. */
export interface WatchParts {
  readonly node: string
  readonly clock: Clock
  readonly telemetry: Telemetry
  readonly rescue: Rescue
  readonly stallLimitMs: number
  readonly processes: () => Iterable<WorkerProcess>
  readonly limitsOf: (process: WorkerProcess) => RecycleLimits
  /** It should have a successor. Told again after a minute if it still has none. */
  readonly onWornOut: (process: WorkerProcess, why: string) => void
}

/** The longest rest between two looks; leases shorter than three seconds make it shorter. */
const LOOK_MS = 500
/** A look that is so late, in ms, was not to be had sooner: the supervisor stood still. */
const AWAY_MS = 100
/** A look that is so late, in ms, may come before what a worker said meanwhile has been read: timers are first. */
const UNREAD_MS = 5
/** How often the leases of a stalled worker are extended at least: it is also how a cancellation of what blocks it is heard of. */
const KEEP_EVERY_MS = 1_000
/** A worker that has not begun to work after this never will. */
const START_WITHIN_MS = 60_000
/** Garbage is collected before memory is held against a worker, but not over and over. */
const COLLECT_EVERY_MS = 5_000
/** The same beyond the hard limit, where there is no time to lose; a worker that has not done it by then, and says nothing, is blocked. */
const COLLECT_NOW_MS = 1_000
/** How much later than its pulse a worker is heard that is not blocked. */
const LATE_MS = 500
/** A worker whose successor could not start is named again after this. */
const NAME_AGAIN_MS = 60_000
const MOST_NAMES = 3
const KIB = 1024

/** Keeps looking until it is stopped. */
export class Watch {
  readonly #parts: WatchParts
  readonly loop: Loop
  /** When they were named, in monotonic ms. */
  readonly #wornOut = new WeakMap<WorkerProcess, number>()
  /** When the next look is due, in monotonic ms. */
  #dueAt: number
  #isReading = false

  constructor(parts: WatchParts) {
    this.#parts = parts
    this.#dueAt = parts.clock.monotonic() + LOOK_MS
    const onError = (error: unknown) => parts.telemetry.emit('store.failed', { operation: 'watch', error })
    this.loop = new Loop({ clock: parts.clock, onError, step: () => this.#look() })
  }

  start(): void {
    this.#dueAt = this.#now + LOOK_MS
    this.loop.start(LOOK_MS)
  }

  stop(): void {
    void this.loop.stop()
  }

  /** A worker has said something. */
  heard(process: WorkerProcess, message: FromWorker): void {
    if (process.isStalled) {
      process.isStalled = false
      process.deafSince = undefined
      this.#parts.telemetry.emit('process.heard', { ...this.#fact(process), silentMs: this.#now - process.silentSince })
    }
    if (message.kind === 'collected') void this.#judgeMemory(process, message)
  }

  async #look(): Promise<number> {
    const restMs = this.#hasToRead() ? READ_MS : this.#lookAtAll()
    this.#dueAt = this.#now + restMs
    return restMs
  }

  /**
   * A supervisor that stood still itself (a laptop's lid, a stopped group) has heard nobody, and that is nobody's fault. What its
   * workers said meanwhile waits in their channels, also when it was only a little late: nobody is judged before it has been read.
   */
  #hasToRead(): boolean {
    const now = this.#now
    const lateMs = now - this.#dueAt
    if (lateMs > AWAY_MS) {
      for (const process of this.#parts.processes()) {
        process.excusedMs += Math.min(lateMs, now - process.heardAt)
        if (process.deafSince !== undefined) process.deafSince = Math.min(now, process.deafSince + lateMs)
      }
    }
    // Not twice in a row: where every look is late, too, a blocked worker is found.
    this.#isReading = lateMs > UNREAD_MS && !this.#isReading
    return this.#isReading
  }

  #lookAtAll(): number {
    const now = this.#now
    let restMs = LOOK_MS
    for (const process of this.#parts.processes()) {
      restMs = Math.min(restMs, process.readiness?.pulseMs ?? restMs)
      if (process.state === 'starting') {
        if (unheardMs(process, now) > START_WITHIN_MS) process.kill(`did not start within ${START_WITHIN_MS} ms`)
      } else if (process.readiness !== undefined) {
        this.#checkSilence(process, now)
        this.#checkUse(process, now)
      }
    }
    return restMs
  }

  #checkSilence(process: WorkerProcess, now: number): void {
    const { readiness } = process
    if (readiness === undefined) return
    const { stallLimitMs, telemetry } = this.#parts
    const silentMs = now - process.heardAt
    const { excusedMs } = process
    const stall = stallOf(silentMs, { pulseMs: readiness.pulseMs, stallLimitMs, excusedMs })
    if (stall === 'lost') process.kill(`its event loop was blocked for ${Math.round(silentMs - excusedMs)} ms`)
    if (stall !== 'stalled') return
    if (!process.isStalled) {
      process.isStalled = true
      process.silentSince = process.heardAt
      telemetry.emit('process.stalled', { ...this.#fact(process), silentMs })
    }
    if (process.deafSince !== undefined && now - process.deafSince >= readiness.graceMs)
      process.kill('a job of it was cancelled, and its event loop is blocked', { isExcused: true })
    if (now - process.keptAt >= Math.min(readiness.leaseMs / 3, KEEP_EVERY_MS))
      void this.#keep(process, readiness.leaseMs)
  }

  async #keep(process: WorkerProcess, leaseMs: number): Promise<void> {
    const { silentSince } = process
    const sentAt = this.#now
    process.keptAt = sentAt
    const isCancelling = await this.#parts.rescue.keep(process.workerId, process.begun, leaseMs)
    // Answers may overtake each other.
    if (sentAt < process.keepAnsweredAt) return
    process.keepAnsweredAt = sentAt
    // The store did not say, or the worker was heard meanwhile, though it may be silent again.
    if (isCancelling === null || !process.isStalled || process.silentSince !== silentSince) return
    process.deafSince = isCancelling ? (process.deafSince ?? this.#now) : undefined
  }

  #checkUse(process: WorkerProcess, now: number): void {
    const limits = this.#parts.limitsOf(process)
    const use = { grownBytes: null, jobsDone: process.pulse?.jobsDone ?? 0, ageMs: now - process.startedAt }
    const isWorking = process.state === 'working'
    const reason = isWorking ? recycleReason(use, limits) : undefined
    if (reason === 'jobs') this.#tellWornOut(process, `it has done ${use.jobsDone} jobs`)
    if (reason === 'age') this.#tellWornOut(process, `it is ${Math.round(use.ageMs / 1000)} s old`)
    if (limits.memoryBytes === Number.POSITIVE_INFINITY) return
    // Whoever is replaced, or drains, needs no successor for its memory; it grows no further than others all the same.
    void this.#checkMemory(process, limits, { now, isSoft: isWorking && reason === undefined })
  }

  /**
   * Resident memory first, which costs next to nothing: it grows wherever the proportional share does. `isSoft`: the soft limit
   * counts, not the hard one alone.
   */
  async #checkMemory(
    process: WorkerProcess,
    limits: RecycleLimits,
    { now, isSoft }: { readonly now: number; readonly isSoft: boolean },
  ): Promise<void> {
    const idle = process.readiness?.idle
    const rss = await residentOf(process)
    if (idle === undefined || rss === null || rss - idle.rssBytes <= limits.memoryBytes) return
    const grownBytes = await grownOf(process, process.pulse?.isolateBytes ?? 0)
    const isHard = isBeyondHardLimit(grownBytes, limits)
    if (!isHard && (!isSoft || recycleReason({ grownBytes, jobsDone: 0, ageMs: 0 }, limits) === undefined)) return
    const askedMs = now - process.collectAt
    if (process.isCollecting) {
      // Its threads may take longer than itself, while it goes on talking.
      const isSilent = unheardMs(process, now) > (process.readiness?.pulseMs ?? 0) + LATE_MS
      if (isHard && isSilent && askedMs > COLLECT_NOW_MS)
        process.kill(
          `its memory grew by ${formatSize(grownBytes ?? 0)}; it was blocked, and could not say by which jobs`,
        )
    } else if (askedMs > (isHard ? COLLECT_NOW_MS : COLLECT_EVERY_MS)) {
      process.collectAt = now
      process.isCollecting = process.tell({ kind: 'collect' })
    }
  }

  /** Its garbage has been collected: what is left is held. */
  async #judgeMemory(process: WorkerProcess, { isolateBytes, grew }: Collected): Promise<void> {
    process.isCollecting = false
    const limits = this.#parts.limitsOf(process)
    const grownBytes = await grownOf(process, isolateBytes)
    if (recycleReason({ grownBytes, jobsDone: 0, ageMs: 0 }, limits) === undefined || grownBytes === null) return
    const why = `its memory grew by ${formatSize(grownBytes)}${grewText(grew)}`
    if (isBeyondHardLimit(grownBytes, limits)) process.kill(why)
    else this.#tellWornOut(process, why)
  }

  #tellWornOut(process: WorkerProcess, why: string): void {
    const toldAt = this.#wornOut.get(process) ?? Number.NEGATIVE_INFINITY
    if (this.#now - toldAt < NAME_AGAIN_MS || process.state !== 'working') return
    this.#wornOut.set(process, this.#now)
    this.#parts.onWornOut(process, why)
  }

  get #now(): number {
    return this.#parts.clock.monotonic()
  }

  #fact(process: WorkerProcess): ProcessFact {
    return factOf(this.#parts.node, process)
  }
}

/** How long nothing was heard of it while this supervisor listened. */
function unheardMs({ heardAt, excusedMs }: WorkerProcess, now: number): number {
  return now - heardAt - excusedMs
}

type Collected = Extract<FromWorker, { readonly kind: 'collected' }>

/**
 * How much more memory it has than when it was idle, threads in which jobs run not counted: its proportional share, or resident
 * memory where only that is known.
 */
async function grownOf(process: WorkerProcess, isolateBytes: number): Promise<number | null> {
  const idle = process.readiness?.idle
  if (idle === undefined || process.pid === undefined) return null
  const pss = idle.pssBytes === null ? null : await pssOf(process.pid)
  if (pss !== null && idle.pssBytes !== null) return pss - idle.pssBytes - isolateBytes
  const rss = await residentOf(process)
  return rss === null ? null : rss - idle.rssBytes - isolateBytes
}

/** Resident memory in bytes: as it is, or, where the system does not tell, as the worker said last. */
async function residentOf({ pid, pulse }: WorkerProcess): Promise<number | null> {
  return (pid === undefined ? null : await rssOf(pid)) ?? pulse?.health.rssBytes ?? null
}

/** Resident memory of a process in bytes; null where the system does not tell. */
async function rssOf(pid: number): Promise<number | null> {
  try {
    // Not `statm`: it counts pages, which are no 4 KiB on every machine.
    const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'latin1')) ?? []
    return kib === undefined ? null : Number(kib) * KIB
  } catch {
    return null // Not Linux, or gone meanwhile.
  }
}

/** The kinds of jobs that the heap grew with, as half a sentence. */
function grewText(grew: readonly Growth[]): string {
  if (grew.length === 0) return ''
  return `; its heap with the jobs ${grew
    .slice(0, MOST_NAMES)
    .map(([name, bytes]) => `${name} ${formatSize(bytes)}`)
    .join(', ')}`
}
