/**
 * The workers: real ones, each in a process of its own that may be stopped, paused and killed, and is started again whenever it
 * has ended, as a supervisor would. In half of the runs each slot has one: see supervisor.ts.
 */
import { Telemetry } from '../../../src/base/telemetry.ts'
import type { Codec } from '../../../src/codec/codec.ts'
import { Registry } from '../../../src/job/registry.ts'
import { WorkerHandle } from '../../../src/runtime/worker-handle.ts'
import type { Store } from '../../../src/store/contract/index.ts'
import { type WorkerOptions, workerSettings } from '../../../src/worker/options.ts'
import { Chance } from './chance.ts'
import { handlerOf } from './handlers.ts'
import { DEAF_KILL, type Fault, GAVE_UP, type Ledgers, numberOf, STALL_KILL, STOP } from './ledgers.ts'
import type { Paused, Plan, SlotPlan } from './plan.ts'
import { type Supervised, Supervisor } from './supervisor.ts'
import type { Wire } from './wire.ts'
import { Actor, type World } from './world.ts'

/** What workers work in. */
export interface FleetParts {
  readonly world: World
  readonly plan: Plan
  /** The store as a process reaches it. */
  readonly storeOf: (actor: Actor) => Store
  readonly ledgers: Ledgers
  readonly wire: Wire
  readonly codec: Codec
  /** Settings of the workers that are not the plan's. */
  readonly settings?: WorkerOptions
}

interface Process {
  readonly actor: Actor
  readonly handle: WorkerHandle
  /** By its supervisor, where it has one. */
  readonly supervised: Supervised | undefined
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
  readonly #supervisors: readonly Supervisor[]
  /** Who stands still now, and since when. */
  readonly #paused = new Map<Actor, Fault>()
  readonly #init = new Actor('init')
  #isClosing = false

  constructor(parts: FleetParts) {
    this.#parts = parts
    const { world, plan, wire, storeOf } = parts
    this.#jobs = new Map(plan.jobs.map((job) => [job.n, job]))
    const slots = plan.isSupervised ? [...plan.slots.keys()] : []
    this.#supervisors = slots.map((slot) => new Supervisor({ world, plan, wire, slot, storeOf }))
  }

  start(): void {
    for (const slot of this.#parts.plan.slots.keys()) this.#begin(slot)
  }

  /** The process is gone at once, and its successor comes later. `caller`: if it is this one. Whether it was there. */
  crash(slot: number, caller?: Actor): boolean {
    const process = this.#processes[slot]
    if (process === undefined || (caller !== undefined && process.actor !== caller)) return false
    if (process.handle.running > 0) this.#parts.wire.count('crashed with jobs running')
    this.#kill(slot, process, 'crash')
    return true
  }

  #kill(slot: number, process: Process, kind: string): void {
    const { world, ledgers, plan } = this.#parts
    const { actor, supervised } = process
    world.tell(() => `${actor.name} is gone: ${kind}`)
    ledgers.faults.push({ kind, slot, actor, from: world.now, to: world.now + plan.restartMs })
    world.kill(actor)
    this.#gone(slot, process)
    supervised?.ended()
  }

  /** The worker, its supervisor, or the whole machine with both stands still for a while. */
  pause(slot: number, ms: number, whom: Paused): void {
    const process = this.#processes[slot]
    const supervisor = this.#supervisors[slot]
    if (process !== undefined && whom !== 'supervisor') this.pauseActor(process.actor, ms)
    if (supervisor !== undefined && whom !== 'worker') this.pauseActor(supervisor.actor, ms)
  }

  /** One worker or supervisor stands still, unless it is gone or does already. Whether it did not. */
  pauseActor(actor: Actor, ms: number): boolean {
    const { world, ledgers, plan, wire } = this.#parts
    const process = this.#processes[actor.slot]
    if (actor.isPaused || (process?.actor !== actor && !this.supervisors.includes(actor))) return false
    if (ms > plan.leaseMs && process?.actor === actor && process.handle.running > 0)
      wire.count('paused past the lease with jobs running')
    world.tell(() => `${actor.name} stands still for ${Math.round(ms)} ms`)
    const fault = { kind: 'pause', slot: actor.slot, actor, from: world.now, to: world.now + ms }
    ledgers.faults.push(fault)
    this.#paused.set(actor, fault)
    world.pause(actor)
    world.after(this.#init, ms, () => this.#resume(actor))
    return true
  }

  #resume(actor: Actor): void {
    const fault = this.#paused.get(actor)
    if (fault !== undefined) fault.to = this.#parts.world.now
    this.#paused.delete(actor)
    this.#parts.world.resume(actor)
  }

  /** The process is told to stop, as SIGTERM does. */
  stop(slot: number): void {
    const process = this.#processes[slot]
    if (process === undefined || process.isStopping) return
    process.isStopping = true
    const { world, ledgers } = this.#parts
    world.tell(() => `${process.actor.name} is told to stop`)
    ledgers.faults.push({ kind: STOP, slot, actor: process.actor, from: world.now, to: Number.POSITIVE_INFINITY })
    // Not before it has been started.
    world.after(process.actor, 1, () => void process.handle.stop())
  }

  /** Every process goes on, and when the last has stopped there is none any more. */
  close(): void {
    this.#isClosing = true
    this.resumeAll()
    for (const slot of this.#processes.keys()) this.stop(slot)
    for (const supervisor of this.#supervisors) supervisor.close()
  }

  resumeAll(): void {
    for (const actor of [...this.#paused.keys()]) this.#resume(actor)
  }

  /** Nothing happens any more. */
  dispose(): void {
    for (const supervisor of this.#supervisors) supervisor.dispose()
  }

  /** The processes that there are. */
  get alive(): readonly Actor[] {
    return this.#processes.flatMap((process) => (process === undefined ? [] : [process.actor]))
  }

  /** The supervisor of each slot, where there are any. */
  get supervisors(): readonly Actor[] {
    return this.#supervisors.map(({ actor }) => actor)
  }

  #begin(slot: number): void {
    const { world, plan } = this.#parts
    const settings = plan.slots[slot]
    if (settings === undefined || this.#isClosing) return
    const life = this.#lives[slot] ?? 0
    this.#lives[slot] = life + 1
    const actor = new Actor(`w${slot}.${life}`, slot)
    const kill = (why: string) => {
      // It has ended, and its supervisor has not heard of it yet.
      if (this.#processes[slot] !== process) return
      const kind = why.includes('cancelled') ? DEAF_KILL : STALL_KILL
      this.#parts.wire.count(kind)
      this.#kill(slot, process, kind)
    }
    const supervised = this.#supervisors[slot]?.watchOver(actor, kill)
    const handle = this.#worker(slot, actor, settings, supervised)
    const process: Process = { actor, handle, supervised, isStopping: false }
    this.#processes[slot] = process
    world.after(actor, 0, () => {
      handle.start()
      supervised?.ready()
    })
    const ended = (how: string) => {
      world.tell(() => `${actor.name} has ${how}`)
      this.#gone(slot, process)
    }
    const failed = { kind: 'failed', code: 'STORE_UNREACHABLE', message: '', isFinal: false } as const
    const stopped = () => {
      ended('stopped')
      supervised?.ended(handle.mayHoldLeases ? failed : { kind: 'drained' })
    }
    const gaveUp = () => {
      const { wire, ledgers } = this.#parts
      wire.count('a worker gave up its store')
      // What a claim under way brings it now is lost.
      ledgers.faults.push({ kind: GAVE_UP, slot, actor, from: world.now, to: world.now + plan.deadlineMs })
      ended('given up')
      supervised?.ended(failed)
    }
    handle.done.then(stopped, gaveUp)
  }

  #gone(slot: number, process: Process): void {
    if (this.#processes[slot] !== process) return
    this.#processes[slot] = undefined
    this.#parts.ledgers.ends.set(process.actor, this.#parts.world.now)
    this.#parts.world.after(this.#init, this.#parts.plan.restartMs, () => this.#begin(slot))
  }

  #worker(slot: number, actor: Actor, settings: SlotPlan, supervised: Supervised | undefined): WorkerHandle {
    const { world, plan, storeOf, ledgers, wire, codec } = this.#parts
    const { concurrency, maxPrefetch, queues, skewMs, pace } = settings
    const clock = world.clockOf(actor, { skewMs, pace })
    const store = storeOf(actor)
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
      onKill: () => void this.crash(slot),
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
      ...(supervised !== undefined && { supervision: supervised.supervision }),
    })
  }
}
