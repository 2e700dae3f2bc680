/**
 * One run: a fleet of real workers on the real store in memory, in virtual time, through faults, then healed, then at rest; then it
 * is judged.
 *
 * Real are the worker with its heartbeats, leases, exchanges and maintenance, a supervisor's watch and rescue over workers, the
 * client with its batches, the codec, and the store. Simulated are time, chance, the network between processes and store, and the
 * processes themselves. The oracle knows what was seen from outside: `evidence.ts`.
 */
import { createCodec } from '../../../src/codec/codec.ts'
import { JOB_STATES } from '../../../src/core/job/state.ts'
import type { Store } from '../../../src/store/contract/index.ts'
import { createMemoryStore } from '../../../src/store/memory/store.ts'
import type { WorkerOptions } from '../../../src/worker/options.ts'
import { LIVE } from '../../support/live.ts'
import type { EndRow } from './evidence.ts'
import { Fleet } from './fleet.ts'
import type { Checkpoint, WorkInput, WorkResult } from './handlers.ts'
import { DRAIN_MS } from './laws-of-progress.ts'
import { idOf, newLedgers } from './ledgers.ts'
import { withoutMachineTime } from './machine-time.ts'
import { Network } from './network.ts'
import { Operator } from './operator.ts'
import { breachesOf } from './oracle.ts'
import { type Fate, type FaultPlan, type Plan, QUEUES } from './plan.ts'
import { PRODUCERS } from './plan-jobs.ts'
import { Producer } from './producer.ts'
import { Standstills } from './standstills.ts'
import { Wire } from './wire.ts'
import { Actor, EVERY_SLOT, World } from './world.ts'

/** A bug that is put into a run to see whether it is found. */
export interface Plant {
  /** The store as each process meets it, in the place of the real one. */
  readonly store?: (inner: Store, world: World, plan: Plan) => (actor: Actor) => Store
  /** The store as a worker or a supervisor uses it, in the place of the way to the store: what it asks for is not what it should. */
  readonly client?: (store: Store, actor: Actor, world: World, plan: Plan) => Store
  /** Settings of the workers that are not the plan's. */
  readonly settings?: WorkerOptions
  /** The id of a job that is enqueued for the `tries`-th time, by a producer before whom so many have died. */
  readonly idFor?: (n: number, tries: number, life: number) => string
  /** An operator's successor takes what its predecessor had begun for done. */
  readonly isTakenForDone?: true
  /** A worker goes on when its supervisor is gone. */
  readonly isOrphanDeaf?: true
  /** What is tried, changed. */
  readonly plan?: (plan: Plan) => Plan
}

/** What came of a run. */
export interface Outcome {
  readonly plan: Plan
  /** Breaches of invariants, as sentences. */
  readonly breaches: readonly string[]
  /** A hash of all that happened. */
  readonly hash: number
  readonly turns: number
  /** How often each thing worth knowing of happened. */
  readonly seen: Readonly<Record<string, number>>
  /** The fates that calls met. */
  readonly met: Readonly<Record<string, Fate>>
  readonly trace: readonly string[]
}

/** The invariants that a run broke: `I5`, or the first word of what is no invariant of the plan. */
export function breachKinds({ breaches }: Pick<Outcome, 'breaches'>): readonly string[] {
  return [...new Set(breaches.map((breach) => breach.split(/[: ]/, 1)[0] ?? ''))]
}

/** How often it is looked whether everything is done. */
const LOOK_MS = 100

/** Carries a plan out and judges it. */
export function simulate(planned: Plan, plant: Plant = {}, isTraced = false): Promise<Outcome> {
  const world = new World(planned.seed, planned.salt, isTraced)
  const plan = plant.plan?.(planned) ?? planned
  return withoutMachineTime(world, () => carryOut(world, plan, plant))
}

async function carryOut(world: World, plan: Plan, plant: Plant): Promise<Outcome> {
  const time = { ahead: 0 }
  const own = world.clockOf(new Actor('store'), { skewMs: 0, pace: 1 })
  const store = createMemoryStore({ clock: { ...own, now: () => own.now() + time.ahead } })
  await store.open()
  const wire = new Wire(world)
  const ledgers = newLedgers()
  const codec = createCodec({})
  const storeFor = plant.store?.(store, world, plan) ?? (() => store)
  const network = new Network(world, plan, wire, ledgers, store, storeFor)
  const { settings, client, isTakenForDone = false, isOrphanDeaf = false } = plant
  const standstills = new Standstills(world, ledgers)
  const storeOf = (actor: Actor) => {
    const way = network.storeOf(actor)
    return client?.(way, actor, world, plan) ?? way
  }
  const fleet = new Fleet({
    ...{ world, plan, storeOf, ledgers, standstills, wire, codec, isOrphanDeaf },
    ...(settings !== undefined && { settings }),
  })
  const { restartMs } = plan
  const outside = { world, wire, ledgers, codec, restartMs, storeOf: (actor: Actor) => network.storeOf(actor) }
  const idFor = plant.idFor ?? idOf
  const producers = Array.from({ length: PRODUCERS }, (_, i) => new Producer(`producer${i}`, { ...outside, idFor }))
  const operator = new Operator({ ...outside, isTakenForDone })
  const people = [operator, ...producers].map(({ process }) => process)
  network.fates.callers = {
    crash(caller, isWhole) {
      const one = people.find((process) => process.is(caller))
      if (one === undefined) return fleet.crashActor(caller, isWhole)
      return one.crash()
    },
    pause: (caller, ms) => {
      return people.some((process) => process.is(caller)) ? standstills.begin(caller, ms) : fleet.pauseActor(caller, ms)
    },
  }
  const chaos = new Actor('chaos')

  fleet.start()
  for (const [i, producer] of producers.entries()) producer.plan(plan.jobs.filter((job) => job.producer === i))
  operator.plan(plan.acts)
  for (const fault of plan.faults) world.after(chaos, fault.at, () => befall(fault))
  await world.run(() => world.now >= plan.chaosMs)

  world.tell(() => 'the faults are over')
  network.fates.isFaulty = false
  network.cuts.clear()
  for (const fault of ledgers.faults) if (fault.kind === 'cut') fault.to = Math.min(fault.to, world.now)
  standstills.endAll()
  const patience = world.now + DRAIN_MS
  await world.run(() => network.late + operator.open === 0 || world.now > patience)
  // Told to everybody, that is a hint to look again: where no queue was paused, there is none.
  if (plan.acts.some(({ kind }) => kind === 'pauseQueue')) operator.resumeAll(QUEUES)
  const healedAt = world.now
  const hadWork = (await store.jobs.count({ states: ['pending'] }, 1)).count > 0
  let drainedAt: number | null = null
  const look = async () => {
    const { count } = await store.jobs.count({ states: LIVE }, 1)
    if (count + operator.open + producers.reduce((sum, { open }) => sum + open, 0) === 0) drainedAt = world.now
    else world.after(chaos, LOOK_MS, look)
  }
  await look()
  await world.run(() => drainedAt !== null || world.now > healedAt + DRAIN_MS)

  // At rest: whatever is still on its way arrives.
  const rest = world.now + plan.leaseMs * 2
  await world.run(() => world.now >= rest)
  const last = fleet.alive
  fleet.close()
  const end = world.now + 30_000
  await world.run(() => fleet.alive.length === 0 || world.now > end)
  const settled = world.now + 20_000
  await world.run(() => world.now >= settled)

  fleet.dispose()

  const { rows } = await store.jobs.list({ filter: {}, limit: 10_000, oldestFirst: true })
  const counts: Record<string, number> = {}
  for (const state of JOB_STATES) counts[state] = (await store.jobs.count({ states: [state] }, 10_000)).count
  const read = async (row: EndRow['row']): Promise<EndRow> => {
    const { id: jobId, name: jobName, epoch } = row
    // What handlers of `work` take, give and keep.
    const input = (await codec.decode({ jobId, jobName, field: 'payload' }, row.payload)) as WorkInput
    const field = { jobId, jobName, field: 'result', epoch } as const
    const result = row.result === null ? null : ((await codec.decode(field, row.result)) as WorkResult)
    const kept = await store.jobs.checkpoint(jobId)
    const told = kept === null ? null : await codec.decode({ jobId, jobName, field: 'checkpoint' }, kept)
    return { row, n: input.n, result, checkpoint: (told as Checkpoint | null)?.fence ?? null }
  }
  const breaches = breachesOf({
    plan,
    ledgers,
    wire,
    rows: await Promise.all(rows.map(read)),
    counts,
    healedAt,
    hadWork,
    drainedAt,
    supervisorOf: fleet.supervisorOf,
    unstopped: fleet.alive,
    leftTimers: last.filter((actor) => !fleet.alive.includes(actor)).reduce((sum, { timers }) => sum + timers, 0),
  })
  return {
    plan,
    breaches,
    hash: world.hash,
    turns: world.turns,
    seen: wire.seen,
    met: network.fates.met,
    trace: world.trace ?? [],
  }

  function befall(fault: FaultPlan): void {
    switch (fault.kind) {
      case 'crash':
        fleet.crash(fault.slot, fault.whom)
        return
      case 'stop':
        fleet.stop(fault.slot)
        return
      case 'pause':
        fleet.pause(fault.slot, fault.ms, fault.whom)
        return
      case 'cut':
        wire.count(fault.isSilent ? 'cut off in silence' : 'cut off')
        world.tell(() => `slot ${fault.slot} is cut off for ${Math.round(fault.ms)} ms`)
        ledgers.faults.push({
          kind: 'cut',
          slot: fault.slot,
          actor: null,
          from: world.now,
          to: world.now + fault.ms,
        })
        network.cuts.set(fault.slot, fault)
        world.after(chaos, fault.ms, () => {
          if (network.cuts.get(fault.slot) === fault) network.cuts.delete(fault.slot)
        })
        return
      case 'step':
        wire.count(fault.ms > 0 ? "the store's clock went forward" : "the store's clock went back")
        world.tell(() => `the store's clock is set by ${fault.ms} ms`)
        time.ahead += fault.ms
        wire.forwardMs += Math.max(0, fault.ms)
        ledgers.faults.push({
          ...{ kind: 'step', slot: EVERY_SLOT, actor: null },
          ...{ from: world.now, to: world.now + Math.abs(fault.ms) * 2 },
        })
        return
      default:
        fault satisfies never
    }
  }
}
