/**
 * The workers: real ones, each in a process of its own that may be stopped, paused and killed, and is started again whenever it
 * has ended, as a supervisor would. In half of the runs each slot has one: see supervisor.ts. When that dies alone, its worker is an
 * orphan: it notices, gives back what it runs and ends, while a new node is at work in the slot already.
 */
import type { WorkerHandle } from '../../../src/runtime/worker-handle.ts'
import { DEAF_KILL, GAVE_UP, ORPHANED, STALL_KILL, STOP } from './ledgers.ts'
import type { Hit } from './plan.ts'
import type { Standstills } from './standstills.ts'
import { HOP_MS, type Supervised, Supervisor } from './supervisor.ts'
import { type WorkerParts, workerOf } from './workers.ts'
import { Actor } from './world.ts'

/** What workers work in. */
export interface FleetParts extends Omit<WorkerParts, 'jobs' | 'starts'> {
  readonly standstills: Standstills
  /** Whether a worker goes on when its supervisor is gone; never, where nothing is planted. */
  readonly isOrphanDeaf: boolean
}

interface Process {
  readonly slot: number
  readonly actor: Actor
  readonly handle: WorkerHandle
  /** By its supervisor, where it has one. */
  readonly supervised: Supervised | undefined
  isStopping: boolean
}

/** See node-handle.ts: an orphan that is still there then is killed. */
const ORPHANS_END_WITHIN_MS = 8_000

/** The workers of a run, one process in each slot at a time. */
export class Fleet {
  readonly #parts: FleetParts & WorkerParts
  /** Those that there are, with orphans. */
  readonly #processes = new Set<Process>()
  /** The one in each slot. */
  readonly #current: (Process | undefined)[] = []
  readonly #lives: number[] = []
  /** The supervisor that lives in each slot. */
  readonly #nodes: (Supervisor | undefined)[] = []
  /** Every one that there was. */
  readonly #supervisors: Supervisor[] = []
  /** Whose worker each was. */
  readonly supervisorOf = new Map<Actor, Actor>()
  readonly #init = new Actor('init')
  #isClosing = false

  constructor(parts: FleetParts) {
    this.#parts = { ...parts, jobs: new Map(parts.plan.jobs.map((job) => [job.n, job])), starts: new Map() }
  }

  start(): void {
    for (const slot of this.#parts.plan.slots.keys()) this.#begin(slot)
  }

  /** The worker in a slot, its supervisor, or the machine of both is gone at once. */
  crash(slot: number, whom: Hit): void {
    const node = this.#nodes[slot]
    const process = this.#current[slot]
    if (whom !== 'worker' && node !== undefined) this.#crashNode(slot, node, whom === 'machine')
    else if (whom !== 'supervisor' && process !== undefined) this.#crash(process)
  }

  /** The same of a worker or a supervisor by itself. Whether it was there. */
  crashActor(actor: Actor, isWhole: boolean): boolean {
    const node = this.#nodes[actor.slot]
    const process = this.#processOf(actor)
    if (node?.actor === actor) this.#crashNode(actor.slot, node, isWhole)
    else if (process !== undefined) this.#crash(process)
    return node?.actor === actor || process !== undefined
  }

  /** Its successor comes later. */
  #crash(process: Process): void {
    if (process.handle.running > 0) this.#parts.wire.count('crashed with jobs running')
    this.#kill(process, 'crash')
  }

  #kill(process: Process, kind: string): void {
    const { world, ledgers, plan } = this.#parts
    const { slot, actor, supervised } = process
    world.tell(() => `${actor.name} is gone: ${kind}`)
    ledgers.faults.push({ kind, slot, actor, from: world.now, to: world.now + plan.restartMs })
    world.kill(actor)
    this.#gone(process)
    supervised?.ended()
  }

  /** A new node comes later, and knows nothing of this one. */
  #crashNode(slot: number, node: Supervisor, isWhole: boolean): void {
    const { world, wire } = this.#parts
    world.tell(() => `${node.actor.name} is gone: ${isWhole ? 'its machine crashed' : 'crash'}`)
    wire.count(isWhole ? 'a supervisor died with its machine' : 'a supervisor died alone')
    world.kill(node.actor)
    this.#nodes[slot] = undefined
    const process = this.#current[slot]
    if (!isWhole) {
      if (process !== undefined) this.#orphan(process)
      return
    }
    for (const each of [...this.#processes]) if (each.slot === slot) this.#crash(each)
  }

  /** Its channel has closed. See worker-program.ts: it stops at once; and isolate/guard.ts: if it does not, it is killed. */
  #orphan(process: Process): void {
    const { world, ledgers, wire, isOrphanDeaf } = this.#parts
    const { slot, actor, handle } = process
    ledgers.faults.push({ kind: ORPHANED, slot, actor, from: world.now, to: Number.POSITIVE_INFINITY })
    if (handle.running > 0) wire.count('orphaned with jobs running')
    this.#leave(process)
    if (!isOrphanDeaf) {
      world.after(actor, HOP_MS, () => {
        void handle.stop()
        void handle.stop({ now: true })
      })
    }
    world.after(this.#init, ORPHANS_END_WITHIN_MS, () => {
      if (!this.#processes.has(process)) return
      wire.count('an orphan was killed')
      this.#kill(process, 'crash')
    })
  }

  /** The worker, its supervisor, or the whole machine with both stands still for a while. */
  pause(slot: number, ms: number, whom: Hit): void {
    const process = this.#current[slot]
    const node = this.#nodes[slot]
    if (process !== undefined && whom !== 'supervisor') this.pauseActor(process.actor, ms)
    if (node !== undefined && whom !== 'worker') this.pauseActor(node.actor, ms)
  }

  /** One worker or supervisor stands still, unless it is gone or does already. Whether it did not. */
  pauseActor(actor: Actor, ms: number): boolean {
    const { standstills, plan, wire } = this.#parts
    const process = this.#processOf(actor)
    if (process === undefined && this.#nodes[actor.slot]?.actor !== actor) return false
    const isLong = ms > plan.leaseMs && process !== undefined && process.handle.running > 0
    const hasBegun = standstills.begin(actor, ms)
    if (hasBegun && isLong) wire.count('paused past the lease with jobs running')
    return hasBegun
  }

  /** The process is told to stop, as SIGTERM does. */
  stop(slot: number): void {
    const process = this.#current[slot]
    if (process !== undefined) this.#stop(process)
  }

  #stop(process: Process): void {
    if (process.isStopping) return
    process.isStopping = true
    const { world, ledgers } = this.#parts
    const { slot, actor, handle } = process
    world.tell(() => `${actor.name} is told to stop`)
    ledgers.faults.push({ kind: STOP, slot, actor, from: world.now, to: Number.POSITIVE_INFINITY })
    // Not before it has been started.
    world.after(actor, 1, () => void handle.stop())
  }

  /** Every process is told to stop, and when the last has there is none any more. */
  close(): void {
    this.#isClosing = true
    for (const process of this.#processes) this.#stop(process)
    for (const node of this.#nodes) node?.close()
  }

  /** Nothing happens any more. */
  dispose(): void {
    for (const supervisor of this.#supervisors) supervisor.dispose()
  }

  /** The processes that there are. */
  get alive(): readonly Actor[] {
    return [...this.#processes].map(({ actor }) => actor)
  }

  #begin(slot: number): void {
    const { world, plan, ledgers } = this.#parts
    const settings = plan.slots[slot]
    if (settings === undefined || this.#isClosing) return
    const life = this.#lives[slot] ?? 0
    this.#lives[slot] = life + 1
    const actor = new Actor(`w${slot}.${life}`, 'worker', slot)
    const kill = (why: string) => {
      // It has ended, and its supervisor has not heard of it yet.
      if (!this.#processes.has(process)) return
      const kind = why.includes('cancelled') ? DEAF_KILL : STALL_KILL
      this.#parts.wire.count(kind)
      this.#kill(process, kind)
    }
    const node = this.#nodeOf(slot)
    if (node !== undefined) this.supervisorOf.set(actor, node.actor)
    const supervised = node?.watchOver(actor, kill)
    const handle = workerOf(actor, settings, this.#parts, {
      supervision: supervised?.supervision,
      onKill: () => void this.crashActor(actor, false),
    })
    const process: Process = { slot, actor, handle, supervised, isStopping: false }
    this.#processes.add(process)
    this.#current[slot] = process
    ledgers.begins.set(actor, world.now)
    world.after(actor, 0, () => {
      handle.start()
      supervised?.ready()
    })
    const ended = (how: string) => {
      world.tell(() => `${actor.name} has ${how}`)
      this.#gone(process)
    }
    const failed = { kind: 'failed', code: 'STORE_UNREACHABLE', message: '', isFinal: false } as const
    const stopped = () => {
      ended('stopped')
      supervised?.ended(handle.mayHoldLeases ? failed : { kind: 'drained' })
    }
    const gaveUp = () => {
      const { wire } = this.#parts
      wire.count('a worker gave up its store')
      // What a claim under way brings it now is lost.
      ledgers.faults.push({ kind: GAVE_UP, slot, actor, from: world.now, to: world.now + plan.deadlineMs })
      ended('given up')
      supervised?.ended(failed)
    }
    handle.done.then(stopped, gaveUp)
  }

  /** The supervisor in a slot, where there are any: a new one when the last has died. */
  #nodeOf(slot: number): Supervisor | undefined {
    const { world, plan, wire, storeOf } = this.#parts
    if (!plan.isSupervised) return undefined
    const life = this.#supervisors.filter(({ actor }) => actor.slot === slot).length
    const node = this.#nodes[slot] ?? new Supervisor({ world, plan, wire, slot, life, storeOf })
    if (node !== this.#nodes[slot]) this.#supervisors.push(node)
    this.#nodes[slot] = node
    return node
  }

  #processOf(actor: Actor): Process | undefined {
    for (const process of this.#processes) if (process.actor === actor) return process
    return undefined
  }

  #gone(process: Process): void {
    if (!this.#processes.delete(process)) return
    this.#parts.ledgers.ends.set(process.actor, this.#parts.world.now)
    this.#leave(process)
  }

  /** Its slot is empty until the next one comes. */
  #leave(process: Process): void {
    const { slot } = process
    if (this.#current[slot] !== process) return
    this.#current[slot] = undefined
    this.#parts.world.after(this.#init, this.#parts.plan.restartMs, () => this.#begin(slot))
  }
}
