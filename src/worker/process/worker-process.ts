/** One worker process as its supervisor sees it, from its start to its end. */
import type { ChildProcess } from 'node:child_process'
import type { Clock } from '../../base/clock.ts'
import type { Lease } from '../../store/contract/index.ts'
import { tellWorker } from './channel.ts'
import { type FromWorker, isFromWorker, type Pulse, type ToWorker } from './messages.ts'
import type { RunningListFile } from './running-list.ts'

/** How long aborted handlers may take after the soft stop: see shutdown.ts. */
const HARD_STOP_MS = 5_000
/** Then a process that has not ended is killed. */
const STOP_MARGIN_MS = 900

/** Until what waits in a channel has been read. */
export const READ_MS = 10

/** At once: for handlers that heed their signal, and for the store to take back what does not. */
const HURRIED_STOP_MS = 1_500

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly livedMs: number
  /** It held nothing any more: there is nothing to recover. */
  readonly isDrained: boolean
  /** What it said before, if it said anything: a configuration that cannot be used, a store out of reach. */
  readonly failure: Extract<FromWorker, { readonly kind: 'failed' }> | undefined
}

/** What a worker process is made with. */
export interface WorkerProcessParts {
  readonly workerId: string
  /** The place that it takes, from 1 on. */
  readonly seat: number
  readonly child: ChildProcess
  readonly list: RunningListFile
  readonly clock: Clock
  readonly onMessage: (from: WorkerProcess, message: FromWorker) => void
  readonly onEnded: (process: WorkerProcess, end: ProcessEnd) => void
}

/** One worker process. */
export class WorkerProcess {
  readonly workerId: string
  readonly seat: number
  readonly startedAt: number
  /** `working` from its first claim on. */
  state: 'starting' | 'working' | 'draining' | 'ended' = 'starting'
  /** Monotonic ms of the last sign of life. */
  heardAt: number
  /** For how long since then this supervisor could not listen. */
  excusedMs = 0
  /** Monotonic ms of the last time that its leases were extended for it, and of the last that was answered. */
  keptAt = 0
  keepAnsweredAt = 0
  pulse: Pulse | undefined
  /** What it said when it began to work. */
  readiness: Extract<FromWorker, { readonly kind: 'ready' }> | undefined
  /** Told that it is stalled, and not heard since. */
  isStalled = false
  /** Monotonic ms of what was heard last before it stalled. */
  silentSince = 0
  /** Monotonic ms since when it is known that a job which blocks it was cancelled. */
  deafSince: number | undefined
  /** Killed since the node stops, not for anything that its jobs did. */
  isExcused = false
  /** Why it was killed by this supervisor. */
  killedFor: string | undefined
  /** Asked to collect its garbage at this monotonic instant. */
  collectAt = Number.NEGATIVE_INFINITY
  /** Asked, and has not said that it is done. */
  isCollecting = false
  /** Resolves when it has ended. */
  readonly ended: Promise<ProcessEnd>
  /** Resolves with whether it has begun to work; false when it has ended before that. */
  readonly ready: Promise<boolean>
  readonly #child: ChildProcess
  readonly #list: RunningListFile
  readonly #clock: Clock
  #cancelKill: (() => void) | undefined
  #isHurried = false

  constructor(parts: WorkerProcessParts) {
    const { workerId, seat, child, list, clock, onMessage, onEnded } = parts
    this.workerId = workerId
    this.seat = seat
    this.#child = child
    this.#list = list
    this.#clock = clock
    this.startedAt = clock.monotonic()
    this.heardAt = this.startedAt
    let isDrained = false
    let failure: ProcessEnd['failure']
    const ready = Promise.withResolvers<boolean>()
    this.ready = ready.promise
    child.on('message', (raw) => {
      // A handler may write to the channel too, whatever it likes.
      if (!isFromWorker(raw)) return
      const message = raw
      this.heardAt = clock.monotonic()
      this.excusedMs = 0
      if (message.kind === 'drained') isDrained = true
      if (message.kind === 'failed') failure = message
      if (message.kind === 'pulse') this.pulse = message
      if (message.kind === 'ready') {
        this.readiness = message
        if (this.state === 'starting') this.state = 'working'
        ready.resolve(true)
      }
      onMessage(this, message)
    })
    this.ended = new Promise((resolve) => {
      let isOver = false
      const end = (code: number | null, signal: NodeJS.Signals | null) => {
        if (isOver) return
        isOver = true
        this.state = 'ended'
        // What its handlers have started would go on beside the next attempt.
        if (!isDrained) endGroup(child.pid)
        const told = { code, signal, livedMs: clock.monotonic() - this.startedAt, isDrained, failure }
        onEnded(this, told)
        ready.resolve(false)
        resolve(told)
      }
      // `exit`, not `close`: a grandchild may hold the pipes for ever.
      child.once('exit', end)
      child.once('error', (error) => {
        failure ??= { kind: 'failed', code: 'INTERNAL', message: error.message, isFinal: false }
        if (child.pid === undefined) end(null, null)
      })
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** It has settled a job, as far as it has told. */
  get hasWorked(): boolean {
    return (this.pulse?.jobsDone ?? 0) > 0
  }

  /** Attempts that it has begun: what runs, and some that are over. */
  get begun(): readonly Lease[] {
    return this.#list.read()
  }

  /** Those of them that may have ended it: they ran in it. */
  get accused(): readonly Lease[] {
    return this.#list.readOwn()
  }

  tell(message: ToWorker): boolean {
    return tellWorker(this.#child, message)
  }

  /** Lets it finish what runs, or, `now`, from then on, abort it. Kills it when it has not ended in the time that it has for that. */
  drain(now: boolean): void {
    if (this.state === 'ended') return
    this.state = 'draining'
    this.#isHurried ||= now
    this.tell({ kind: 'stop', now: this.#isHurried })
    const orderlyMs = (this.readiness?.stopWithinMs ?? 0) + HARD_STOP_MS
    const withinMs = this.#isHurried ? HURRIED_STOP_MS : orderlyMs + STOP_MARGIN_MS
    const kill = () => this.kill(`did not stop within ${withinMs} ms`, { isExcused: true })
    this.#cancelKill?.()
    // After a standstill of this supervisor itself what it said meanwhile has to be read first.
    this.#cancelKill = this.#clock.after(withinMs, () => {
      this.#cancelKill = this.#clock.after(READ_MS, kill)
    })
    void this.ended.then(() => this.#cancelKill?.())
  }

  /** Ends it and whatever it has started, at once. `isExcused`: its jobs did nothing wrong. */
  kill(why: string, { isExcused = false } = {}): void {
    if (this.state === 'ended' || this.killedFor !== undefined) return
    this.killedFor = why
    this.isExcused = isExcused
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      // It leads a group of its own: see launch.ts.
      process.kill(-pid, 'SIGKILL')
    } catch {
      this.#child.kill('SIGKILL')
    }
  }

  /** The list of what it has begun is of no use any more. */
  forget(): void {
    this.#list.close()
  }
}

/** Ends a process group, if anything of it is left. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nothing is left, or this system has no groups.
  }
}
