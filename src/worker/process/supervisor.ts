/**
 * A node: keeps a number of worker processes at work, and runs no code of users itself.
 *
 * Each process sits on a seat. One that ends unasked is started anew, at once if it had worked, after a back-off if it could not
 * start; what it held is taken back at once, and what it had begun counts as a crash of those jobs. One that is replaced (a rolling
 * restart, too much memory, its age) has a successor that works beside it for a while before it drains, one at a time over all
 * seats, so that there is never a dip, and never more than one process too many.
 */
import type { ProcessFact } from '../../base/telemetry.ts'
import { MillraceError } from '../../core/errors.ts'
import { countShortLives, type EndedProcess, nextStart } from '../../core/process/restart.ts'
import { endText } from './end-text.ts'
import { factOf, Launcher, type LauncherParts, noFactOf } from './launcher.ts'
import { errorOf, type FromWorker } from './messages.ts'
import { Replacements } from './replacements.ts'
import type { Rescue } from './rescue.ts'
import { emptySeat, type Seat } from './seat.ts'
import { Watch } from './watch.ts'
import { type ProcessEnd, WorkerProcess } from './worker-process.ts'

/** What a node is made of. */
export interface SupervisorParts extends LauncherParts {
  readonly rescue: Rescue
  readonly processes: number
  /** Of this machine. */
  readonly cores: number
  readonly stallLimitMs: number
}

/** How long a node that ends waits for the store to take back what killed workers held. */
const RECOVER_WITHIN_MS = 2_000

/** A start that takes longer, for a store that is away say, holds up the next one no more. */
const NEXT_START_MS = 1_000

/** The supervisor of one node. */
export class Supervisor {
  /** Resolves when every process has ended after a stop; rejects when none could ever start for want of a usable configuration. */
  readonly done: Promise<void>
  readonly seats: readonly Seat[]
  readonly #parts: SupervisorParts
  readonly #done = Promise.withResolvers<void>()
  readonly #launcher: Launcher
  readonly #recoveries = new Set<Promise<void>>()
  readonly watch: Watch
  readonly #replacements: Replacements
  /** By processes that have ended. */
  #doneBefore = 0
  #wasReady = false
  #isStopping = false
  #failure: unknown

  constructor(parts: SupervisorParts) {
    this.#parts = parts
    this.done = this.#done.promise
    this.done.catch(() => {})
    this.#launcher = new Launcher(parts, {
      onMessage: (from, message) => this.#heard(from, message),
      onEnded: (from, end) => this.#ended(from, end),
    })
    this.#replacements = new Replacements({
      ...parts,
      launcher: this.#launcher,
      start: (seat) => this.#start(seat),
      startAgain: (seat, process, end, cause) => this.#startAgain(seat, process, end, cause),
    })
    this.seats = Array.from({ length: parts.processes }, (_, i) => emptySeat(i + 1, parts.limits))
    this.watch = new Watch({
      ...parts,
      processes: () => this.processes,
      limitsOf: (process) => this.#seatOf(process).limits,
      onWornOut: (process, why) => void this.#replacements.replace(this.#seatOf(process), why, { only: process }),
    })
  }

  /** Every process that has not ended, those on their way in or out included. */
  get processes(): ReadonlySet<WorkerProcess> {
    return this.#launcher.processes
  }

  /** Attempts that ended in its processes, as these last told. */
  get jobsDone(): number {
    return [...this.processes].reduce((sum, { pulse }) => sum + (pulse?.jobsDone ?? 0), this.#doneBefore)
  }

  /** None of its workers claims, since they were paused together or one by one. */
  get isPaused(): boolean {
    return this.seats.every(({ isPaused }) => isPaused)
  }

  get isStopping(): boolean {
    return this.#isStopping
  }

  start(): void {
    this.watch.start()
    void this.#startAll()
  }

  /** No worker claims until `resume`. */
  pause(): void {
    for (const seat of this.seats) this.#setPaused(seat, true)
  }

  /** Workers claim again; seats that were stopped one by one stay empty. */
  resume(): void {
    for (const seat of this.seats) this.#setPaused(seat, false)
  }

  /**
   * Replaces every worker in turn, its successor at work for a second before it drains. Resolves when all are replaced, or with false
   * at the first seat whose successor could not start, or where three did not live that long: the others stay as they are. `isHurried`: each drains as
   * soon as its successor claims, and nothing is waited for: not the rests that keep the cores free for jobs, nor what still runs;
   * what drains since the hurried one before it gives its jobs back.
   */
  async restart(why = 'restart', { isHurried = false } = {}): Promise<boolean> {
    for (const seat of this.seats) {
      seat.isStopped = false
      if (isHurried) this.#replacements.hurry()
      if (!(await this.#replacements.replace(seat, why, { isHurried }))) return false
    }
    return true
  }

  /** Drains every worker and ends; `now` aborts what runs. Whoever does not heed it is killed, and its jobs are recovered. */
  stop(options: { readonly now?: boolean } = {}): Promise<void> {
    // The watch goes on until the last has ended: who blocks its loop meanwhile keeps its leases, or is killed.
    this.#isStopping = true
    this.#replacements.stop()
    for (const seat of this.seats) seat.cancelStart?.()
    for (const process of this.processes) process.drain(options.now === true)
    this.#endWhenEmpty()
    return this.done.catch(() => undefined)
  }

  /** Ends every process where it stands. What they held is recovered. */
  killAll(): void {
    for (const process of this.processes) process.kill('told to stop at once', { isExcused: true })
  }

  /** As many at a time as there are cores beside one: each start keeps a core busy, and so the first is soon at work. */
  async #startAll(): Promise<void> {
    const { clock, cores } = this.#parts
    const starting = new Set<Promise<unknown>>()
    for (const seat of this.seats) {
      // A restart or a stop may have come before its turn.
      if (seat.current === undefined && seat.cancelStart === undefined) this.#start(seat)
      const { promise: late, resolve } = Promise.withResolvers<void>()
      const cancel = clock.after(NEXT_START_MS, resolve)
      const begun = Promise.race([seat.current?.ready, late]).then(() => {
        cancel()
        starting.delete(begun)
      })
      starting.add(begun)
      if (starting.size >= cores - 1) await Promise.race(starting)
    }
  }

  #start(seat: Seat): void {
    seat.cancelStart = undefined
    if (this.#isStopping || seat.isStopped) return
    const started = this.#launcher.launch(seat)
    if (started instanceof WorkerProcess) seat.current = started
    else this.#startLater(seat, { livedMs: 0, hasWorked: false }, noFactOf(this.#parts.node, seat), started.cause)
  }

  #heard(process: WorkerProcess, message: FromWorker): void {
    const { telemetry, clock } = this.#parts
    if (message.kind === 'ready') {
      this.#wasReady = true
      telemetry.emit('process.ready', { ...this.#fact(process), afterMs: clock.monotonic() - process.startedAt })
      // Told so before, it may not have heard; now it is known how long it may take.
      if (this.#isStopping || this.#seatOf(process).isStopped) process.drain(false)
    } else if (message.kind === 'asked') {
      this.#asked(process, message)
    } else this.watch.heard(process, message)
  }

  #asked(process: WorkerProcess, { verb, why }: Extract<FromWorker, { readonly kind: 'asked' }>): void {
    const seat = this.#seatOf(process)
    // One that was replaced drains already, and speaks for its seat no more.
    if (process !== seat.current && process !== seat.successor) return
    switch (verb) {
      case 'stop':
        this.#stopSeat(seat)
        break
      case 'restart':
        void this.#replacements.replace(seat, why, { only: process })
        break
      case 'pause':
      case 'resume':
        this.#setPaused(seat, verb === 'pause')
        break
      default:
        verb satisfies never
    }
  }

  /** Drains whoever works there and leaves it empty. When the last seat is, the node ends. */
  #stopSeat(seat: Seat): void {
    seat.isStopped = true
    seat.current?.drain(false)
    seat.successor?.drain(false)
  }

  #setPaused(seat: Seat, isPaused: boolean): void {
    seat.isPaused = isPaused
    for (const process of this.processes)
      if (process.seat === seat.number) process.tell({ kind: isPaused ? 'pause' : 'resume' })
  }

  #ended(process: WorkerProcess, end: ProcessEnd): void {
    const { telemetry, rescue } = this.#parts
    this.#doneBefore += process.pulse?.jobsDone ?? 0
    const { code, signal, livedMs, isDrained } = end
    const how = endText(end, process.killedFor)
    telemetry.emit('process.ended', { ...this.#fact(process), code, signal, how, livedMs })
    if (!isDrained && process.readiness !== undefined) {
      // A process that says why it ends, since its store is away say, was ended by no job.
      const isExcused = process.isExcused || end.failure !== undefined
      const recovery = rescue.recover(process.workerId, isExcused ? null : process.accused)
      this.#recoveries.add(recovery)
      void recovery.finally(() => this.#recoveries.delete(recovery))
    }
    process.forget()
    const seat = this.#seatOf(process)
    if (seat.successor === process) seat.successor = undefined
    else if (seat.current === process) {
      seat.current = undefined
      if (seat.successor === undefined) this.#startAgain(seat, process, end, how)
    }
    this.#endWhenEmpty()
  }

  #startAgain(seat: Seat, process: WorkerProcess, end: ProcessEnd, cause: string): void {
    if (this.#isStopping || seat.isStopped) return
    if (end.failure?.isFinal === true && !this.#wasReady) {
      this.#failure ??= errorOf(end.failure)
      void this.stop({ now: true })
      return
    }
    // One that has stopped in good order, since somebody told it to, has not died.
    if (end.isDrained) seat.cancelStart = this.#parts.clock.after(0, () => this.#start(seat))
    else this.#startLater(seat, { livedMs: end.livedMs, hasWorked: process.hasWorked }, this.#fact(process), cause)
  }

  #startLater(seat: Seat, ended: EndedProcess, fact: ProcessFact, cause: string): void {
    const { clock, telemetry, random } = this.#parts
    seat.shortLives = countShortLives(seat.shortLives, ended)
    const { afterMs: nextMs, isFailing, ...told } = nextStart(seat.shortLives, ended.livedMs, random())
    if (isFailing) telemetry.emit('process.failing', { ...fact, ...told, cause, nextMs })
    seat.cancelStart = clock.after(nextMs, () => this.#start(seat))
  }

  #endWhenEmpty(): void {
    const isDone = this.#isStopping || this.seats.every((seat) => seat.isStopped)
    if (!isDone || this.processes.size > 0) return
    this.#isStopping = true
    this.#replacements.stop()
    this.watch.stop()
    // Where the store does not answer, leases end by themselves.
    const late = new Promise<void>((resolve) => this.#parts.clock.after(RECOVER_WITHIN_MS, resolve))
    void Promise.race([Promise.all(this.#recoveries), late]).then(() => {
      this.#parts.rescue.stop()
      void this.#parts.guard.close()
      if (this.#failure === undefined) this.#done.resolve()
      else this.#done.reject(this.#failure)
    })
  }

  #seatOf(process: WorkerProcess): Seat {
    const seat = this.seats[process.seat - 1]
    if (seat === undefined) throw new MillraceError('INTERNAL', `there is no seat ${process.seat}`)
    return seat
  }

  #fact(process: WorkerProcess): ProcessFact {
    return factOf(this.#parts.node, process)
  }
}
