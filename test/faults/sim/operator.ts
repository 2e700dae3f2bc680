/** Somebody who cancels, retries, moves and deletes jobs while all this goes on, by the real client. */
import type { Client } from '../../../src/client/client.ts'
import { type Act, idOf, type Ledgers } from './ledgers.ts'
import type { ActPlan } from './plan.ts'
import { clientOf, type ProducerParts } from './producer.ts'
import { Actor, BEGINNING, type World } from './world.ts'

/** Does what is planned, each at its time. */
export class Operator {
  /** Acts that are not answered yet. */
  open = 0
  readonly #actor = new Actor('operator')
  readonly #client: Client
  readonly #world: World
  readonly #ledgers: Ledgers

  constructor(parts: ProducerParts) {
    this.#world = parts.world
    this.#ledgers = parts.ledgers
    this.#client = clientOf(this.#actor, parts)
  }

  plan(acts: readonly ActPlan[]): void {
    for (const act of acts) {
      this.open++
      this.#world.after(this.#actor, act.at, () => void this.#act(act))
    }
  }

  /** Lets every queue be claimed from again, however often that has to be said. */
  resumeAll(queues: readonly string[]): void {
    for (const queue of queues) {
      this.open++
      this.#world.after(this.#actor, 1, () => void this.#act({ at: 0, kind: 'resumeQueue', queue }))
    }
  }

  async #act(act: ActPlan): Promise<void> {
    const sentAt = this.#world.now
    const n = 'n' in act ? act.n : null
    const told = (outcome: string | null) => {
      const kind: Act['kind'] = act.kind
      this.#world.tell(() => `operator ${kind} ${n ?? ('queue' in act ? act.queue : '')}: ${outcome ?? 'failed'}`)
      this.#ledgers.acts.push({ kind, n, sentAt, answeredAt: this.#world.now, outcome })
    }
    try {
      told(await this.#done(act))
    } catch {
      // The call failed, as calls do here: whether it was done is not known.
      told(null)
    }
    this.open--
  }

  async #done(act: ActPlan): Promise<string> {
    const client = this.#client
    const one = async (outcomes: Promise<readonly { readonly outcome: string }[]>) => (await outcomes)[0]?.outcome ?? ''
    switch (act.kind) {
      case 'cancel':
        return one(client.cancel(idOf(act.n)))
      case 'retry':
        return one(client.retry(idOf(act.n)))
      case 'remove':
        return one(client.remove(idOf(act.n)))
      case 'hasten':
        return one(client.reschedule(idOf(act.n), new Date(BEGINNING)))
      case 'raise':
        return one(client.reprioritise(idOf(act.n), 'urgent'))
      case 'move':
        return one(client.move(idOf(act.n), act.queue))
      case 'pauseQueue':
        await client.queues.pause(act.queue, { by: 'operator' })
        return 'paused'
      case 'resumeQueue':
        // Without the look whether there is such a queue, which the client takes first.
        await client.store.queues.resume(act.queue)
        return 'resumed'
      case 'cancelWhere':
        return JSON.stringify((await client.cancelWhere({ queue: act.queue })).outcomes)
      case 'removeWhere':
        return JSON.stringify((await client.removeWhere({ queue: act.queue, state: 'failed' })).outcomes)
      case 'retryWhere':
        return JSON.stringify((await client.retryWhere({ state: ['failed', 'cancelled'] })).outcomes)
      default:
        return act satisfies never
    }
  }
}
