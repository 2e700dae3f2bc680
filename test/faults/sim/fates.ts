/** Which fate a call to the store meets, and what that does to its caller. */
import { drawn, kindOf } from './calls.ts'
import type { Chance } from './chance.ts'
import { FATES, type Fate, type Plan } from './plan.ts'
import type { Wire } from './wire.ts'
import type { Actor, World } from './world.ts'

/** Calls that are seldom made meet their fates so many times as often. */
const RARE: Readonly<Record<string, number>> = {
  ...{ 'jobs.start': 5, 'cluster.remove': 5, 'jobs.exchange that settles': 10 },
  ...ofRole("a supervisor's", { keep: 3, 'jobs.recover': 5, 'cluster.remove': 5 }),
  ...ofRole("a producer's", { 'jobs.insert of many': 3 }),
  ...ofRole("an operator's", { 'jobs.cancel': 3, 'jobs.retry': 3, 'jobs.remove': 5, 'jobs.update': 5, time: 5 }),
  ...ofRole("an operator's", { 'queues.pause': 8, 'queues.resume': 8, 'jobs.changeWhere to cancel': 10 }),
  ...ofRole("an operator's", { 'jobs.changeWhere to remove': 20, 'jobs.changeWhere to retry': 20 }),
}
const RAREST = Math.max(...Object.values(RARE))

/** What may befall the process that calls. Each says whether it came about: it may be gone already, or stand still. */
export interface Callers {
  /** `isWhole`: with its whole machine, where it is one of several there. */
  crash(caller: Actor, isWhole: boolean): boolean
  pause(caller: Actor, ms: number): boolean
}

/** A call, as far as its fate goes. */
export interface FatedCall {
  readonly actor: Actor
  readonly operation: string
  readonly args: readonly unknown[]
  readonly chance: Chance
}

/** The fates of all calls. */
export class Fates {
  /** While faults are allowed. */
  isFaulty = true
  /** How callers die or stand still; null: there is none yet. */
  callers: Callers | null = null
  /** The fates that calls met, by caller, operation, subject and number: what `Plan.calls` takes. */
  readonly met: Record<string, Fate> = {}
  readonly #world: World
  readonly #plan: Plan
  readonly #wire: Wire
  /** From this draw on no call meets any. */
  readonly #end: number

  constructor(world: World, plan: Plan, wire: Wire) {
    this.#end = RAREST * Object.values(plan.rates).reduce((sum, rate) => sum + rate, 0)
    this.#world = world
    this.#plan = plan
    this.#wire = wire
  }

  /** The fate of the call with this key; undefined: it goes well. */
  of(key: string, { actor, operation, args, chance }: FatedCall): Fate | undefined {
    const draw = chance.next()
    if (!this.isFaulty) return undefined
    const { calls } = this.#plan
    const fate = calls === null ? this.#drawn(draw, actor, operation, args) : calls[key]
    if (fate === undefined) return undefined
    this.met[key] = fate
    this.#world.note(FATES.indexOf(fate))
    this.#wire.count(`fate: ${fate}`)
    return fate
  }

  #drawn(draw: number, actor: Actor, operation: string, args: readonly unknown[]): Fate | undefined {
    if (draw >= this.#end) return undefined
    return drawn(this.#plan.rates, draw / (RARE[kindOf(actor, operation, args)] ?? 1))
  }

  /** The caller dies or stands still at this call. False: it did not, and the call goes on as any other. */
  befall({ actor, operation, args, chance }: FatedCall, fate: `${'crash' | 'pause'}-${string}`): boolean {
    // A call may be under way when the faults end.
    if (!this.isFaulty || this.callers === null) return false
    const { leaseMs } = this.#plan
    const ms = leaseMs * chance.between(0.1, 2.5)
    const isCrash = fate.startsWith('crash')
    const hasCome = isCrash ? this.callers.crash(actor, chance.flip(0.5)) : this.callers.pause(actor, ms)
    if (hasCome) this.#wire.count(`${fate}: ${kindOf(actor, operation, args)}`)
    if (hasCome && !isCrash && ms > leaseMs) this.#wire.count(`${fate} for longer than a lease`)
    return hasCome
  }
}

function ofRole(whose: string, rare: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(rare).map(([call, times]) => [`${whose} ${call}`, times]))
}
