/** Processes that stand still for a while: who does now, since when, and how it goes on. */
import type { Fault, Ledgers } from './ledgers.ts'
import { Actor, type World } from './world.ts'

/** The standstills of a run. */
export class Standstills {
  readonly #world: World
  readonly #ledgers: Ledgers
  readonly #now = new Map<Actor, Fault>()
  readonly #init = new Actor('standstills')

  constructor(world: World, ledgers: Ledgers) {
    this.#world = world
    this.#ledgers = ledgers
  }

  /** The process stands still for so long, unless it is dead or does already. Whether it did not. */
  begin(actor: Actor, ms: number): boolean {
    const world = this.#world
    if (actor.isPaused || actor.isDead) return false
    world.tell(() => `${actor.name} stands still for ${Math.round(ms)} ms`)
    const fault = { kind: 'pause', slot: actor.slot, actor, from: world.now, to: world.now + ms }
    this.#ledgers.faults.push(fault)
    this.#now.set(actor, fault)
    world.pause(actor)
    world.after(this.#init, ms, () => this.#end(actor))
    return true
  }

  /** Every process goes on. */
  endAll(): void {
    for (const actor of [...this.#now.keys()]) this.#end(actor)
  }

  #end(actor: Actor): void {
    const fault = this.#now.get(actor)
    if (fault !== undefined) fault.to = this.#world.now
    this.#now.delete(actor)
    this.#world.resume(actor)
  }
}
