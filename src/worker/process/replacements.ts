/** Replaces the workers of a node: one at a time, and on few cores with rests between, so that starts leave these to the jobs. */
import type { Clock } from '../../base/clock.ts'
import type { ProcessFact, Telemetry } from '../../base/telemetry.ts'
import { NO_SHORT_LIVES, restAfterMs } from '../../core/process/restart.ts'
import { endText } from './end-text.ts'
import { factOf, type Launcher, noFactOf } from './launcher.ts'
import type { Seat } from './seat.ts'
import { type ProcessEnd, WorkerProcess } from './worker-process.ts'

/** How long a successor works beside its predecessor: its code runs at full speed then, and what kills it at once shows. */
const BESIDE_MS = 1_000
/** So many successors may die in that time: a job may kill two workers before it runs apart, and an idle one is the next to claim it. */
const MOST_DEATHS = 3

/** What replacements are made with. */
export interface ReplacementParts {
  readonly node: string
  readonly clock: Clock
  readonly telemetry: Telemetry
  /** Of this machine. */
  readonly cores: number
  readonly launcher: Launcher
  /** Starts the first of a seat where nobody works. */
  readonly start: (seat: Seat) => void
  /** A successor has ended, and so has whom it was to replace. */
  readonly startAgain: (seat: Seat, process: WorkerProcess, end: ProcessEnd, cause: string) => void
}

/** How a worker is replaced. */
export interface How {
  /** Nothing is done once this one has gone of itself. */
  readonly only?: WorkerProcess
  /** It drains as soon as its successor claims, and nothing is waited for. */
  readonly isHurried?: boolean
}

/** What became of one successor. `died`: it had come to work, and its predecessor works still. */
type Outcome = 'replaced' | 'failed' | 'died'

/** The replacement under way, and behind it those that wait. */
export class Replacements {
  readonly #parts: ReplacementParts
  #last: Promise<unknown> = Promise.resolve()
  /** Monotonic ms until which workers are left alone. */
  #restUntil = 0
  #endRest: (() => void) | undefined
  #isStopped = false

  constructor(parts: ReplacementParts) {
    this.#parts = parts
  }

  /** Replaces who works there, in its turn, when the cores have made up for the start before. False when no successor came to work. */
  replace(seat: Seat, why: string, how: How = {}): Promise<boolean> {
    const turn = this.#last.then(() => this.#rest()).then(() => this.#replaceNow(seat, why, how))
    this.#last = turn
    return turn
  }

  /** The next one comes without a rest; one that is under way is over. */
  hurry(): void {
    this.#restUntil = 0
    this.#endRest?.()
  }

  /** Nobody is replaced from now on. */
  stop(): void {
    this.#isStopped = true
    this.#endRest?.()
  }

  async #replaceNow(seat: Seat, why: string, { only, isHurried = false }: How): Promise<boolean> {
    const { telemetry, node, start } = this.#parts
    for (let tries = 1; ; tries++) {
      const before = seat.current
      if (this.#isStopped) return false
      // Gone of itself, or to have none after it.
      if ((only !== undefined && before !== only) || seat.isStopped) return true
      if (before === undefined) {
        // Between an end and the next start, or left empty: a start is all that it needs.
        seat.cancelStart?.()
        start(seat)
        return (await seat.current?.ready) ?? false
      }
      telemetry.emit('process.replacing', { ...factOf(node, before), why })
      const outcome = await this.#succeed(seat, before, isHurried, tries === MOST_DEATHS)
      if (outcome !== 'died') return outcome === 'replaced'
    }
  }

  async #succeed(seat: Seat, before: WorkerProcess, isHurried: boolean, isLast: boolean): Promise<Outcome> {
    const { clock, node, launcher } = this.#parts
    // Hurried ones may come faster than jobs end.
    if (isHurried)
      for (const each of launcher.processes)
        if (each.state === 'draining' && each.seat === seat.number) each.drain(true)
    const next = launcher.launch(seat)
    if (!(next instanceof WorkerProcess)) {
      this.#tellFailed(noFactOf(node, seat), false, next.cause)
      return 'failed'
    }
    seat.successor = next
    const isReady = await next.ready
    const startMs = clock.monotonic() - next.startedAt
    const lives = isReady && (isHurried || (await this.#worksBeside(next, before)))
    if (seat.successor === next) seat.successor = undefined
    if (!lives) return this.#failed(seat, next, isReady && !isLast)
    seat.current = next
    seat.shortLives = NO_SHORT_LIVES
    // Told to stop meanwhile, it has its deadline already.
    if (before.state === 'starting' || before.state === 'working') before.drain(false)
    if (isHurried) return 'replaced'
    await before.ended
    this.#restUntil = clock.monotonic() + restAfterMs(startMs, this.#parts.cores)
    return 'replaced'
  }

  async #failed(seat: Seat, next: WorkerProcess, mayTryAgain: boolean): Promise<Outcome> {
    const end = await next.ended
    const cause = endText(end, next.killedFor)
    // One that was told to stop before it had begun has not failed.
    const isTold = end.isDrained || this.#isStopped
    if (mayTryAgain && !isTold && seat.current !== undefined) return 'died'
    if (!isTold) this.#tellFailed(factOf(this.#parts.node, next), next.hasWorked, cause)
    if (seat.current === undefined) this.#parts.startAgain(seat, next, end, cause)
    return 'failed'
  }

  #tellFailed(fact: ProcessFact, hasWorked: boolean, cause: string): void {
    this.#parts.telemetry.emit('process.failing', { ...fact, starts: 1, hasWorked, isLoop: false, cause, nextMs: null })
  }

  /** Whether a successor still works after a while beside its predecessor, or after the end of that. */
  async #worksBeside(next: WorkerProcess, before: WorkerProcess): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#parts.clock.after(BESIDE_MS, resolve)
    await Promise.race([promise, before.ended, next.ended])
    cancel()
    return next.state !== 'ended'
  }

  #rest(): Promise<void> {
    const { clock } = this.#parts
    const restMs = this.#restUntil - clock.monotonic()
    if (restMs <= 0 || this.#isStopped) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = clock.after(restMs, resolve)
      this.#endRest = () => {
        cancel()
        resolve()
      }
    })
  }
}
