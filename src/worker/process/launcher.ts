/** Starts the worker processes of a node, each on its seat. */
import type { Clock } from '../../base/clock.ts'
import { newWorkerId } from '../../base/id.ts'
import type { ProcessFact, Telemetry } from '../../base/telemetry.ts'
import { type RecycleLimits, spreadLimits } from '../../core/process/recycle.ts'
import type { Guard } from '../isolate/guard.ts'
import type { Launched } from './launch.ts'
import { type FromWorker, PROTOCOL } from './messages.ts'
import type { Seat } from './seat.ts'
import { type ProcessEnd, WorkerProcess } from './worker-process.ts'

/** What processes are started with. */
export interface LauncherParts {
  readonly node: string
  readonly clock: Clock
  readonly telemetry: Telemetry
  /** In [0, 1): spreads back-off and limits. */
  readonly random: () => number
  /** Ends the processes when this one is killed. */
  readonly guard: Pick<Guard, 'add' | 'remove' | 'close'>
  readonly launch: (workerId: string) => Launched
  /** What each worker is to do; see `ToWorker`. */
  readonly plan: unknown
  readonly limits: RecycleLimits
}

/** Who hears of them. */
export interface ProcessListener {
  readonly onMessage: (from: WorkerProcess, message: FromWorker) => void
  readonly onEnded: (process: WorkerProcess, end: ProcessEnd) => void
}

/** Starts processes, and keeps those that have not ended. */
export class Launcher {
  readonly processes = new Set<WorkerProcess>()
  readonly #parts: LauncherParts
  readonly #listener: ProcessListener

  constructor(parts: LauncherParts, listener: ProcessListener) {
    this.#parts = parts
    this.#listener = listener
  }

  /** Starts one for this seat. A cause where the system gives none: no descriptor is left, no place for its list. It may pass. */
  launch(seat: Seat): WorkerProcess | { readonly cause: string } {
    try {
      return this.#launchNow(seat)
    } catch (error) {
      return { cause: error instanceof Error ? error.message : String(error) }
    }
  }

  #launchNow(seat: Seat): WorkerProcess {
    const { clock, telemetry, launch, node, plan, guard } = this.#parts
    const workerId = newWorkerId()
    seat.limits = spreadLimits(this.#parts.limits, this.#parts.random())
    const process = new WorkerProcess({
      ...launch(workerId),
      workerId,
      seat: seat.number,
      clock,
      onMessage: this.#listener.onMessage,
      onEnded: (from, end) => {
        this.processes.delete(from)
        if (from.pid !== undefined) guard.remove(from.pid)
        this.#listener.onEnded(from, end)
      },
    })
    this.processes.add(process)
    if (process.pid !== undefined) guard.add(process.pid)
    process.tell({ kind: 'start', protocol: PROTOCOL, node, workerId, isPaused: seat.isPaused, plan })
    telemetry.emit('process.started', factOf(node, process))
    return process
  }
}

/** Which process it is, as events tell. */
export function factOf(node: string, { seat, workerId, pid = 0 }: WorkerProcess): ProcessFact {
  return { node, seat, workerId, pid }
}

/** The same of one that the system did not give. */
export function noFactOf(node: string, { number: seat }: Seat): ProcessFact {
  return { node, seat, workerId: '', pid: 0 }
}
