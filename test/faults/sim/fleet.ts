/**
 * The workers: real ones, each in a process of its own that may be stopped, paused and killed, and is started again whenever it
 * has ended, as a supervisor would. In half of the runs each has one, the part of it that takes back what a crashed worker held.
 */
import { Telemetry } from '../../../src/base/telemetry.ts'
import type { Codec } from '../../../src/codec/codec.ts'
import { Registry } from '../../../src/job/registry.ts'
import { WorkerHandle } from '../../../src/runtime/worker-handle.ts'
import { type WorkerOptions, workerSettings } from '../../../src/worker/options.ts'
import { Rescue } from '../../../src/worker/process/rescue.ts'
import { Chance } from './chance.ts'
import { handlerOf } from './handlers.ts'
import { GAVE_UP, idOf, type Ledgers, numberOf } from './ledgers.ts'
import type { Network } from './network.ts'
import type { Plan, SlotPlan } from './plan.ts'
import type { Wire } from './wire.ts'
import { Actor, type World } from './world.ts'

/** What workers work in. */
export interface FleetParts {
  readonly world: World
  readonly plan: Plan
  readonly network: Network
  readonly ledgers: Ledgers
  readonly wire: Wire
  readonly codec: Codec
  /** Settings of the workers that are not the plan's. */
  readonly settings?: WorkerOptions
}

interface Process {
  readonly actor: Actor
  readonly handle: WorkerHandle
  isStopping: boolean
}

const DAY_MS = 86_400_000
const RETENTION = { completedMs: DAY_MS, failedMs: DAY_MS, cancelledMs: DAY_MS }

/** The workers of a run, one process in each slot at a time. */
export class Fleet {
  readonly #parts: FleetParts
  readonly #jobs
  readonly #starts = new Map<number, number>()
  readonly #processes: (Process | undefined)[] = []
  readonly #lives: number[] = []
  readonly #rescues: Rescue[] = []
  readonly #init = new Actor('init')
  #isClosing = false

  constructor(parts: FleetParts) {
    this.#parts = parts
    this.#jobs = new Map(parts.plan.jobs.map((job) => [job.n, job]))
  }

  start(): void {
    for (const slot of this.#parts.plan.slots.keys()) this.#begin(slot)
  }

  /** The process is gone at once, and its successor comes later. */
  crash(slot: number): void {
    const process = this.#processes[slot]
    if (process === undefined) return
    const { world, ledgers, wire, plan } = this.#parts
    if (process.handle.running > 0) wire.count('crashed with jobs running')
    world.tell(() => `${process.actor.name} crashes`)
    ledgers.faults.push({ kind: 'crash', slot, from: world.now, to: world.now + plan.restartMs })
    world.kill(process.actor)
    this.#gone(slot, process)
    if (plan.isSupervised) this.#recover(slot, process.actor)
  }

  /** Its supervisor takes back what it held; what it had begun counts as a crash. */
  #recover(slot: number, dead: Actor): void {
    const begun = this.#parts.ledgers.effects.flatMap(({ worker, end, n, fence }) => {
      return worker === dead && end === 'open' ? [{ id: idOf(n), epoch: fence }] : []
    })
    this.#rescues[slot] ??= this.#rescue(slot)
    void this.#rescues[slot].recover(dead.name, begun)
  }

  #rescue(slot: number): Rescue {
    const { world, network } = this.#parts
    const supervisor = new Actor(`s${slot}`, slot)
    const store = network.storeOf(supervisor)
    const clock = world.clockOf(supervisor, { skewMs: 0, pace: 1 })
    return new Rescue({ store: async () => store, clock, telemetry: new Telemetry() })
  }

  /** The process stands still for a while. */
  pause(slot: number, ms: number): void {
    const process = this.#processes[slot]
    if (process === undefined || process.actor.isPaused) return
    const { world, ledgers, wire, plan } = this.#parts
    if (ms > plan.leaseMs && process.handle.running > 0) wire.count('paused past the lease with jobs running')
    world.tell(() => `${process.actor.name} stands still for ${Math.round(ms)} ms`)
    ledgers.faults.push({ kind: 'pause', slot, from: world.now, to: world.now + ms })
    world.pause(process.actor)
    world.after(this.#init, ms, () => world.resume(process.actor))
  }

  /** The process is told to stop, as SIGTERM does. */
  stop(slot: number): void {
    const process = this.#processes[slot]
    if (process === undefined || process.isStopping) return
    process.isStopping = true
    this.#parts.world.tell(() => `${process.actor.name} is told to stop`)
    // Not before it has been started.
    this.#parts.world.after(process.actor, 1, () => void process.handle.stop())
  }

  /** Every process goes on, and when the last has stopped there is none any more. */
  close(): void {
    this.#isClosing = true
    for (const [slot, process] of this.#processes.entries()) {
      if (process !== undefined) this.#parts.world.resume(process.actor)
      this.stop(slot)
    }
  }

  resumeAll(): void {
    for (const process of this.#processes) if (process !== undefined) this.#parts.world.resume(process.actor)
  }

  /** The processes that there are. */
  get alive(): readonly Actor[] {
    return this.#processes.flatMap((process) => (process === undefined ? [] : [process.actor]))
  }

  #begin(slot: number): void {
    const { world, plan } = this.#parts
    const settings = plan.slots[slot]
    if (settings === undefined || this.#isClosing) return
    const life = this.#lives[slot] ?? 0
    this.#lives[slot] = life + 1
    const actor = new Actor(`w${slot}.${life}`, slot)
    const process: Process = { actor, handle: this.#worker(slot, actor, settings), isStopping: false }
    this.#processes[slot] = process
    world.after(actor, 0, () => process.handle.start())
    const ended = (how: string) => {
      world.tell(() => `${actor.name} has ${how}`)
      this.#gone(slot, process)
    }
    const gaveUp = () => {
      const { wire, ledgers } = this.#parts
      wire.count('a worker gave up its store')
      // What a claim under way brings it now is lost.
      ledgers.faults.push({ kind: GAVE_UP, slot, from: world.now, to: world.now + plan.deadlineMs })
      ended('given up')
    }
    process.handle.done.then(() => ended('stopped'), gaveUp)
  }

  #gone(slot: number, process: Process): void {
    if (this.#processes[slot] !== process) return
    this.#processes[slot] = undefined
    this.#parts.world.after(this.#init, this.#parts.plan.restartMs, () => this.#begin(slot))
  }

  #worker(slot: number, actor: Actor, settings: SlotPlan): WorkerHandle {
    const { world, plan, network, ledgers, wire, codec } = this.#parts
    const { concurrency, maxPrefetch, queues, skewMs, pace } = settings
    const clock = world.clockOf(actor, { skewMs, pace })
    const store = network.storeOf(actor)
    const telemetry = new Telemetry()
    telemetry.on('job.settled', (event) => {
      ledgers.told.push({ n: numberOf(event.jobId), at: world.now, worker: actor, event })
    })
    telemetry.on('lease.lost', () => wire.count('a worker noticed that a lease was lost'))
    telemetry.on('job.abandoned', ({ why }) => wire.count(`abandoned: ${why}`))
    const handler = handlerOf({
      world,
      actor,
      jobs: this.#jobs,
      ledgers,
      starts: this.#starts,
      onKill: () => this.crash(slot),
    })
    return new WorkerHandle({
      id: actor.name,
      store,
      codec,
      clock,
      telemetry,
      registry: new Registry([handler]),
      settings: workerSettings(
        {
          concurrency,
          maxPrefetch,
          lease: plan.leaseMs,
          poll: plan.pollMs,
          grace: plan.graceMs,
          stopWithin: plan.stopWithinMs,
          ...(queues !== null && { queues }),
          ...this.#parts.settings,
        },
        store.capabilities,
      ),
      random: new Chance(plan.seed, 9, actor.key).next,
      retention: RETENTION,
      keyIds: () => [],
      health: { read: async () => null, stop: () => undefined },
    })
  }
}
