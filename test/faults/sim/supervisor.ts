/**
 * The supervisor of one slot, a process of its own: the real watch over the real view of each worker process, the real list of
 * what that has begun, the real rescue and the real mailbox. Simulated are the channel between the two and the signal that ends a
 * process. When it dies, what it knew is gone, and somebody starts another node in its place, which knows nothing of the workers
 * that were there before: see fleet.ts.
 *
 * A worker that stands still sends no pulse. So the watch keeps its leases, by the store's `extend` in the worker's name, over the
 * same network as everybody's calls, until the stall limit; then it kills it, and what it held is recovered.
 */
import type { ChildProcess } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { tmpdir } from 'node:os'
import { Telemetry } from '../../../src/base/telemetry.ts'
import type { Supervision } from '../../../src/runtime/worker-handle.ts'
import type { Store } from '../../../src/store/contract/index.ts'
import { Mailbox } from '../../../src/worker/mailbox.ts'
import type { FromWorker } from '../../../src/worker/process/messages.ts'
import { Rescue } from '../../../src/worker/process/rescue.ts'
import { RunningList, RunningListFile } from '../../../src/worker/process/running-list.ts'
import { Watch } from '../../../src/worker/process/watch.ts'
import { type ProcessEnd, WorkerProcess, type WorkerProcessParts } from '../../../src/worker/process/worker-process.ts'
import type { Plan } from './plan.ts'
import type { Wire } from './wire.ts'
import { Actor, type World } from './world.ts'

/** What a supervisor works in. */
export interface SupervisorParts {
  readonly world: World
  readonly plan: Plan
  readonly wire: Wire
  readonly slot: number
  /** How many there have been in this slot before. */
  readonly life: number
  readonly storeOf: (actor: Actor) => Store
}

/** A worker process as those see it who simulate it. */
export interface Supervised {
  readonly supervision: Supervision
  /** It begins to work, and talks from now on. */
  ready(): void
  /** It has ended: killed, or with its last words. */
  ended(last?: Extract<FromWorker, { readonly kind: 'failed' | 'drained' }>): void
}

/** How long something takes from one process of a machine to another. */
export const HOP_MS = 0.5
/** A worker is silent after so many pulses that did not come: see stall.ts. */
export const MISSED = 2.5
/** See watch.ts: how often a silent worker's leases are extended, and the longest rest between two looks. */
export const [KEEP_EVERY_MS, LOOK_MS] = [1_000, 500] as const
/** See worker-program.ts: the shorter of these. */
const [PULSE_MS, PULSES_PER_LEASE] = [1_000, 6]
const NEVER = {
  memoryBytes: Number.POSITIVE_INFINITY,
  jobs: Number.POSITIVE_INFINITY,
  ageMs: Number.POSITIVE_INFINITY,
}
const HEALTH = {
  ...{ rssBytes: 0, pssBytes: null, heapBytes: 0, cpu: 0, loopDelayP50Ms: 0, loopDelayP99Ms: 0 },
  ...{ storeAnsweredMs: 0, jobsDone: 0, node: '' },
}
const PULSE: FromWorker = {
  ...{ kind: 'pulse', running: 0, jobsDone: 0, isPaused: false, isolateBytes: 0, health: HEALTH, late: [] },
}

/** How often a worker with such a lease says that it is well. */
export function pulseMsOf(leaseMs: number): number {
  return Math.min(PULSE_MS, leaseMs / PULSES_PER_LEASE)
}

/** How long a supervisor rests between two looks at workers with such a lease, once they are ready. */
export function watchRestMs(leaseMs: number): number {
  return Math.min(LOOK_MS, pulseMsOf(leaseMs))
}

/** From when on a worker that began then is looked at as often as its pulse says: before it was ready, its supervisor rested longer. */
export function watchedFrom(beganAt: number, leaseMs: number): number {
  return beganAt + HOP_MS + LOOK_MS - watchRestMs(leaseMs)
}

let lists = 0

/** Watches over the processes of a slot, one after the other. */
export class Supervisor {
  readonly actor: Actor
  readonly #parts: SupervisorParts
  readonly #processes = new Set<WorkerProcess>()
  readonly #clock
  readonly #rescue: Rescue
  readonly #watch: Watch
  readonly #mailbox: Mailbox
  #isClosing = false

  constructor(parts: SupervisorParts) {
    const { world, plan, wire, slot, life, storeOf } = parts
    this.#parts = parts
    this.actor = new Actor(`s${slot}.${life}`, 'supervisor', slot)
    this.#clock = world.clockOf(this.actor, { skewMs: 0, pace: 1 })
    const telemetry = new Telemetry()
    telemetry.on('process.stalled', () => wire.count('a worker stalled'))
    telemetry.on('process.heard', () => wire.count('a stalled worker was heard again'))
    const store = storeOf(this.actor)
    this.#rescue = new Rescue({ store: async () => store, clock: this.#clock, telemetry })
    this.#watch = new Watch({
      ...{ node: this.actor.name, clock: this.#clock, telemetry, rescue: this.#rescue },
      stallLimitMs: plan.stallLimitMs,
      processes: () => this.#processes,
      limitsOf: () => NEVER,
      onWornOut: () => undefined,
    })
    this.#mailbox = new Mailbox({
      ...{ store: () => store, clock: this.#clock, to: this.actor.name },
      ...{ onMessage: () => undefined, onError: () => undefined },
    })
    world.after(this.actor, 0, () => {
      this.#watch.start()
      this.#mailbox.start()
    })
  }

  /** A process begins. `onKill`: its supervisor ends it where it stands. */
  watchOver(worker: Actor, onKill: (why: string) => void): Supervised {
    const { world, plan, slot } = this.#parts
    const { leaseMs, graceMs, stopWithinMs } = plan
    const list = new RunningListFile(tmpdir(), `millrace-sim-${process.pid}-${++lists}`)
    // It has of a process what is used of one without a process id: that it tells.
    const child = new EventEmitter() as ChildProcess
    const own = new SimulatedProcess(
      {
        ...{ workerId: worker.name, seat: slot + 1, child, list, clock: this.#clock },
        onMessage: (from, message) => this.#watch.heard(from, message),
        onEnded: (from, end) => this.#ended(from, end),
      },
      onKill,
    )
    this.#processes.add(own)
    let isOver = false
    const tell = (message: FromWorker) => world.after(this.actor, HOP_MS, () => child.emit('message', message))
    const pulseMs = pulseMsOf(leaseMs)
    const pulse = () => {
      if (isOver) return
      tell(PULSE)
      world.after(worker, pulseMs, pulse, true)
    }
    return {
      supervision: { node: this.actor.name, runningList: new RunningList(list.fd), onAsked: () => undefined },
      ready: () => {
        tell({ kind: 'ready', leaseMs, graceMs, pulseMs, stopWithinMs, idle: { rssBytes: 0, pssBytes: null } })
        world.after(worker, pulseMs, pulse, true)
      },
      ended: (last) => {
        isOver = true
        world.after(this.actor, HOP_MS, () => {
          if (last !== undefined) child.emit('message', last)
          child.emit('exit', last === undefined ? null : 0, last === undefined ? 'SIGKILL' : null)
        })
      },
    }
  }

  /** Ends when the last process has. */
  close(): void {
    this.#isClosing = true
    if (this.#processes.size > 0) return
    this.#watch.stop()
    void this.#mailbox.stop()
  }

  /** Lets go of what is outside this world. */
  dispose(): void {
    for (const process of this.#processes) process.forget()
    this.#processes.clear()
  }

  /** As the real one's: what has not said that it holds nothing is recovered, and what it had begun accused, unless it is excused. */
  #ended(process: WorkerProcess, { isDrained, failure }: ProcessEnd): void {
    this.#processes.delete(process)
    if (!isDrained && process.readiness !== undefined) {
      const isExcused = process.isExcused || failure !== undefined
      void this.#rescue.recover(process.workerId, isExcused ? null : process.accused)
    }
    process.forget()
    if (this.#isClosing) this.close()
  }
}

/** One that has no process id, so that no signal is ever sent. */
class SimulatedProcess extends WorkerProcess {
  readonly #onKill: (why: string) => void

  constructor(parts: WorkerProcessParts, onKill: (why: string) => void) {
    super(parts)
    this.#onKill = onKill
  }

  override kill(why: string, options: { readonly isExcused?: boolean } = {}): void {
    if (this.state === 'ended' || this.killedFor !== undefined) return
    super.kill(why, options)
    this.#onKill(why)
  }
}
