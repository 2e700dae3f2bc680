/**
 * A process of somebody who asks things of the store, with a client of its own: a producer's or an operator's. It may die, and then
 * knows nothing any more; a while later another takes its place, and what came in meanwhile.
 */
import { Telemetry } from '../../../src/base/telemetry.ts'
import { Client } from '../../../src/client/client.ts'
import type { Codec } from '../../../src/codec/codec.ts'
import type { Store } from '../../../src/store/contract/index.ts'
import { Actor, type World } from './world.ts'

/** What such a process works in. */
export interface ClientParts {
  readonly world: World
  readonly codec: Codec
  /** The store as a process reaches it. */
  readonly storeOf: (actor: Actor) => Store
  /** How long one that died is missed. */
  readonly restartMs: number
}

/** One such process after the other. */
export class ClientProcess {
  /** How many have died before this one. */
  life = 0
  client: Client
  #actor: Actor
  /** What it was given to do, and has not begun. */
  readonly #given = new Set<() => void>()
  readonly #parts: ClientParts
  readonly #name: string
  readonly #role: 'producer' | 'operator'
  readonly #onDeath: () => void
  readonly #outside = new Actor('outside')

  /** `onDeath`: what was under way is nobody's any more. */
  constructor(name: string, role: 'producer' | 'operator', parts: ClientParts, onDeath: () => void) {
    this.#name = name
    this.#role = role
    this.#parts = parts
    this.#onDeath = onDeath
    this.#actor = this.#newActor()
    this.client = this.#newClient()
  }

  get name(): string {
    return this.#actor.name
  }

  /** In `ms` somebody comes with something to do: the process does it, or the next one when there is none now. */
  give(ms: number, run: () => void): void {
    this.#parts.world.after(this.#outside, ms, () => {
      this.#given.add(run)
      if (!this.#actor.isDead) this.#begin(run)
    })
  }

  /** The process does something later, if it is still there. */
  later(ms: number, run: () => void): void {
    this.#parts.world.after(this.#actor, ms, run)
  }

  /** Whether this is the process. */
  is(actor: Actor): boolean {
    return this.#actor === actor
  }

  /** The process is gone at once, and its successor comes later. Whether it was there. */
  crash(): boolean {
    const { world, restartMs } = this.#parts
    if (this.#actor.isDead) return false
    world.tell(() => `${this.#actor.name} is gone: crash`)
    world.kill(this.#actor)
    this.#onDeath()
    world.after(this.#outside, restartMs, () => {
      this.life++
      this.#actor = this.#newActor()
      this.client = this.#newClient()
      for (const run of this.#given) this.#begin(run)
    })
    return true
  }

  #begin(run: () => void): void {
    this.#parts.world.after(this.#actor, 0, () => {
      this.#given.delete(run)
      run()
    })
  }

  #newActor(): Actor {
    return new Actor(`${this.#name}.${this.life}`, this.#role)
  }

  #newClient(): Client {
    const { world, codec, storeOf } = this.#parts
    return new Client({
      store: storeOf(this.#actor),
      codec,
      telemetry: new Telemetry(),
      clock: world.clockOf(this.#actor, { skewMs: 0, pace: 1 }),
      wake: () => {},
    })
  }
}
