/**
 * What lies between the processes and their store: each call is a message there and a message back, and each of them may meet a
 * fate. The store itself is the real one in memory, or one with a bug planted in it.
 */
import { StoreError } from '../../../src/core/errors.ts'
import type { ExchangeResult, Lease, Store } from '../../../src/store/contract/index.ts'
import { nameOf, subjectOf } from './calls.ts'
import { Chance } from './chance.ts'
import { type FatedCall, Fates } from './fates.ts'
import { noteHeard } from './heard.ts'
import type { Failure, Ledgers } from './ledgers.ts'
import type { Fate, Plan } from './plan.ts'
import type { Wire } from './wire.ts'
import { Actor, EVERY_SLOT, keyOf, type World } from './world.ts'

/** Why nothing gets through. */
export interface Cut {
  readonly isSilent: boolean
}

interface Call extends FatedCall {
  readonly sentAt: number
  readonly fail: (error: unknown) => void
  /** What an exchange has claimed, once it was done. */
  readonly brought: Lease[]
}

/** The ways to the store. */
export class Network {
  readonly fates: Fates
  /** Messages that are on their way to the store far too long. */
  late = 0
  /** The slots that are cut off. */
  readonly cuts = new Map<number, Cut>()
  readonly #world: World
  readonly #plan: Plan
  readonly #wire: Wire
  readonly #ledgers: Ledgers
  readonly #storeFor: (actor: Actor) => Store
  readonly #server: Actor
  readonly #hears = new Map<() => void, Actor>()
  readonly #hints: Chance
  readonly #calls = new Map<string, number>()
  /** Failures after which the same was not sent again yet. */
  #unrepeated: Failure[] = []
  /** The store said that something happened. */
  #isHinted = false

  constructor(world: World, plan: Plan, wire: Wire, ledgers: Ledgers, inner: Store, storeFor: (actor: Actor) => Store) {
    this.#world = world
    this.#plan = plan
    this.#wire = wire
    this.#ledgers = ledgers
    this.#storeFor = storeFor
    this.fates = new Fates(world, plan, wire)
    this.#server = new Actor('store')
    this.#hints = new Chance(plan.seed, 8)
    inner.wake.subscribe(() => {
      this.#isHinted = true
    })
  }

  /** The store as an actor reaches it: every operation is a call over the network. */
  storeOf(actor: Actor): Store {
    const store = this.#storeFor(actor)
    const facet = <F extends object>(name: string, inner: F): F => {
      const calls = Object.entries(inner).map(
        ([operation, run]: [string, (...args: unknown[]) => Promise<unknown>]) => [
          operation,
          (...args: unknown[]) => this.#call(actor, `${name}.${operation}`, args, () => run(...args)),
        ],
      )
      // The same operations, each behind a call.
      return Object.fromEntries(calls) as F
    }
    return {
      description: 'a simulated store',
      file: null,
      capabilities: { ...store.capabilities, remote: this.#plan.isRemote },
      open: () => store.open(),
      close: () => Promise.resolve(),
      time: () => this.#call(actor, 'time', [], () => store.time()),
      ping: () => this.#call(actor, 'ping', [], () => store.ping()),
      migrate: () => store.migrate(),
      plan: (from) => store.plan(from),
      schemaVersion: () => store.schemaVersion(),
      diagnose: () => store.diagnose(),
      jobs: facet('jobs', store.jobs),
      queues: facet('queues', store.queues),
      state: facet('state', store.state),
      cluster: facet('cluster', store.cluster),
      copy: store.copy,
      wake: {
        subscribe: (onWake) => {
          const hear = () => onWake()
          this.#hears.set(hear, actor)
          return () => this.#hears.delete(hear)
        },
      },
    }
  }

  #call<T>(actor: Actor, operation: string, args: readonly unknown[], run: () => Promise<T>): Promise<T> {
    const world = this.#world
    const caller = `${actor.name} ${operation}${subjectOf(args)}`
    const number = this.#calls.get(caller) ?? 0
    this.#calls.set(caller, number + 1)
    const chance = new Chance(this.#plan.seed, 7, keyOf(caller), number)
    const there = this.#latency(chance)
    const back = this.#latency(chance)
    const fate = this.fates.of(`${caller} #${number}`, { actor, operation, args, chance })
    const { deadlineMs, leaseMs } = this.#plan
    if (this.#unrepeated.length > 0) this.#repeated(actor, operation, args[0])
    return new Promise<T>((resolve, reject) => {
      const call: Call = { actor, operation, args, sentAt: world.now, chance, fail: reject, brought: [] }
      const cut = this.#cutOf(actor)
      if (cut !== undefined || fate === 'refused' || fate === 'vanished') {
        this.#fail(call, cut?.isSilent ?? fate === 'vanished')
        return
      }
      const late = fate === 'delayed' ? leaseMs * chance.between(1, 2) : 0
      if (there + late + back > deadlineMs) this.#fail(call, true)
      else if (late > 0) this.#failed(call, there + late + back)
      if (late > 0) this.late++
      let isHeldUp = false
      const land = (): void => {
        if (late > 0) this.late--
        const end = this.#cutOf(actor)
        if (end !== undefined) this.#fail(call, end.isSilent)
        else if (fate === 'crash-before' && this.fates.befall(call, fate)) return
        // It leaves its caller when that goes on.
        else if (fate === 'pause-before' && !isHeldUp && this.fates.befall(call, fate)) {
          isHeldUp = true
          world.after(actor, 0, land)
        }
        // What a dead process had sent arrives, or does not.
        else if (!actor.isDead || chance.flip(0.5)) this.#land(call, run, back, fate, resolve)
      }
      world.after(this.#server, there + late, land)
    })
  }

  #land<T>(
    call: Call,
    run: () => Promise<T>,
    back: number,
    fate: Fate | undefined,
    resolve: (answer: T) => void,
  ): void {
    const { actor, operation, args } = call
    const world = this.#world
    world.tell(
      () => `${actor.name} ${operation}${fate === undefined ? '' : ` (${fate})`}${actor.isDead ? ' (dead)' : ''}`,
    )
    if (actor.isDead)
      this.#wire.count(
        actor.role === 'worker' ? 'a call of a dead worker arrived' : `a call of a dead ${actor.role} arrived`,
      )
    run().then((answer) => {
      this.#wire.done(actor, call.sentAt, operation, args, answer)
      // The answer is that of the operation.
      if (operation === 'jobs.exchange') call.brought.push(...(answer as ExchangeResult).claimed)
      // The store in memory hints at a sweep that found nothing too, which would be a poll that no server has.
      if (this.#isHinted && answer !== 0 && !(Array.isArray(answer) && answer.length === 0)) this.#hint()
      this.#isHinted = false
      if (fate === 'crash-after' || fate === 'pause-after') this.fates.befall(call, fate)
      if (fate === 'unheard' || fate === 'swallowed') {
        this.#wire.count(`answer lost: ${nameOf(actor, operation, args)}`)
        this.#fail(call, fate === 'swallowed')
        return
      }
      world.after(actor, back, () => {
        const cut = this.#cutOf(actor)
        if (cut === undefined) {
          noteHeard(call, answer, { world, wire: this.#wire, ledgers: this.#ledgers })
          resolve(answer)
        } else this.#fail(call, cut.isSilent)
      })
    }, call.fail)
  }

  /** The call fails: soon, or (silently) when its caller has waited for as long as it does. */
  #fail(call: Call, isSilent: boolean): void {
    const { actor, operation, sentAt, chance, fail } = call
    const { deadlineMs } = this.#plan
    const ms = isSilent ? sentAt + deadlineMs - this.#world.now : this.#latency(chance)
    this.#failed(call, ms)
    this.#world.after(actor, ms, () => {
      fail(new StoreError('transient', 'STORE_UNREACHABLE', `${operation} failed in the simulation`))
    })
  }

  /** Its caller will learn of it in `ms`. */
  #failed({ actor, operation, args, sentAt, brought }: Call, ms: number): void {
    const start = operation === 'jobs.start' ? (args[1] as Lease) : null
    const failedAt = this.#world.now + ms
    const workerId = typeof args[0] === 'string' ? args[0] : null
    const failure = {
      actor,
      operation,
      workerId,
      sentAt,
      failedAt,
      retriedAt: Number.POSITIVE_INFINITY,
      start,
      brought,
    }
    this.#ledgers.failures.push(failure)
    this.#unrepeated.push(failure)
  }

  /** The same operation is sent again. Beside an exchange that is still under way, another does not do what that does. */
  #repeated(actor: Actor, operation: string, first: unknown): void {
    const { now } = this.#world
    this.#unrepeated = this.#unrepeated.filter((failure) => {
      if (failure.actor !== actor || failure.operation !== operation) return true
      // A supervisor's in the name of another worker.
      if (failure.workerId !== null && failure.workerId !== first) return true
      if (operation === 'jobs.exchange' && now < failure.failedAt) return true
      failure.retriedAt = now
      return false
    })
  }

  #cutOf(actor: Actor): Cut | undefined {
    return this.cuts.get(EVERY_SLOT) ?? this.cuts.get(actor.slot)
  }

  #latency(chance: Chance): number {
    return chance.between(...this.#plan.latencyMs)
  }

  /** The store tells everybody that something happened; some do not hear it, some hear it twice. */
  #hint(): void {
    const { lost, doubled } = this.#plan.hints
    for (const [hear, actor] of this.#hears) {
      if (actor.isDead) {
        this.#hears.delete(hear)
        continue
      }
      if (this.#cutOf(actor) !== undefined || (this.fates.isFaulty && this.#hints.flip(lost))) {
        this.#wire.count('hint lost')
        continue
      }
      const again = this.fates.isFaulty && this.#hints.flip(doubled)
      if (again) this.#wire.count('hint doubled')
      for (let times = again ? 2 : 1; times > 0; times--) {
        this.#world.after(actor, this.#latency(this.#hints), () => {
          if (this.#hears.has(hear)) hear()
        })
      }
    }
  }
}
