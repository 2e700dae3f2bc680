/**
 * Somebody who cancels, retries, moves and deletes jobs while all this goes on, by the real client. Its process may die: its successor
 * does once more what was under way, or leaves it, as after a call that failed.
 */
import type { Client } from '../../../src/client/client.ts'
import type { WhereOptions, WhereResult } from '../../../src/client/control-where.ts'
import { MillraceError } from '../../../src/index.ts'
import { wrappedStore } from '../../support/wrapped-store.ts'
import { type ClientParts, ClientProcess } from './client-process.ts'
import { idOf, type Ledgers } from './ledgers.ts'
import type { ActPlan } from './plan.ts'
import type { Wire } from './wire.ts'
import { BEGINNING } from './world.ts'

/** What an operator works in. */
export interface OperatorParts extends ClientParts {
  readonly ledgers: Ledgers
  readonly wire: Wire
  /** Whether a successor takes what was under way for done; never, where nothing is planted. */
  readonly isTakenForDone: boolean
}

/** Something that is to be done. */
interface Task {
  readonly act: ActPlan
  tries: number
  /** `sent` and not answered yet; `resting` until it is tried again. */
  state: 'given' | 'sent' | 'resting'
  /** When it was begun, from its beginning. */
  sentAt: number
  /** Where a change of all jobs of a filter goes on. */
  from: WhereOptions
}

/** So many jobs are changed in one step of a change of all of them: there are not enough for 500. */
const STEP = 3
const AGAIN_MS = 60

/** Does what is planned, each at its time. */
export class Operator {
  readonly process: ClientProcess
  readonly #open = new Set<Task>()
  readonly #parts: OperatorParts

  constructor(parts: OperatorParts) {
    this.#parts = parts
    const { storeOf } = parts
    const inSteps = (actor: Parameters<typeof storeOf>[0]) =>
      wrappedStore(storeOf(actor), (jobs) => ({
        changeWhere: (request) => jobs.changeWhere({ ...request, limit: STEP }),
      }))
    this.process = new ClientProcess('operator', 'operator', { ...parts, storeOf: inSteps }, () => this.#died())
  }

  /** How many acts are not answered, or will be done again. */
  get open(): number {
    return this.#open.size
  }

  plan(acts: readonly ActPlan[]): void {
    for (const act of acts) this.#give({ act, tries: 0, state: 'given', sentAt: 0, from: {} }, act.at)
  }

  /** Lets every queue be claimed from again, however often that has to be said. */
  resumeAll(queues: readonly string[]): void {
    this.plan(queues.map((queue) => ({ at: 1, tries: 0, kind: 'resumeQueue', queue })))
  }

  #give(task: Task, ms: number): void {
    task.state = 'given'
    // Whoever does it anew begins at its beginning.
    task.from = {}
    this.#open.add(task)
    this.process.give(ms, () => void this.#do(task))
  }

  async #do(task: Task): Promise<void> {
    task.state = 'sent'
    if (task.from.createdBefore === undefined) task.sentAt = this.#parts.world.now
    try {
      const outcome = await this.#done(task)
      this.#open.delete(task)
      this.#told(task, outcome)
    } catch (error) {
      // The call failed, as calls do here: whether it was done is not known.
      this.#told(task, null)
      if (error instanceof MillraceError && error.code === 'BULK_PARTIAL') {
        this.#parts.wire.count('a change of many stopped half-way')
        // As `control-where.ts` says.
        task.from = error.fields as WhereOptions
      }
      if (!this.#mayTryAgain(task)) return
      if (task.from.createdBefore !== undefined) this.#parts.wire.count('a change of many went on')
      task.state = 'resting'
      this.process.later(AGAIN_MS, () => void this.#do(task))
    }
  }

  /** What was under way is not known to have been done. */
  #died(): void {
    for (const task of [...this.#open]) {
      if (task.state === 'given') continue
      if (task.state === 'sent' && this.#parts.isTakenForDone) {
        this.#open.delete(task)
        this.#told(task, 'taken for done')
        continue
      }
      if (task.state === 'sent') this.#told(task, null)
      if (!this.#mayTryAgain(task)) continue
      this.#parts.wire.count("an operator's successor did it again")
      this.#give(task, 0)
    }
  }

  #mayTryAgain(task: Task): boolean {
    const mayTry = task.tries++ < task.act.tries
    if (!mayTry) this.#open.delete(task)
    return mayTry
  }

  #told({ act, sentAt }: Task, outcome: string | null): void {
    const { world, ledgers } = this.#parts
    const n = 'n' in act ? act.n : null
    const queue = 'queue' in act ? act.queue : null
    world.tell(() => `${this.process.name} ${act.kind} ${n ?? queue ?? ''}: ${outcome ?? 'failed'}`)
    ledgers.acts.push({ kind: act.kind, n, queue, sentAt, answeredAt: world.now, outcome })
  }

  async #done({ act, from }: Task): Promise<string> {
    const { client } = this.process
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
      default:
        return JSON.stringify((await changedWhere(client, act, from)).outcomes)
    }
  }
}

/** One change of all jobs of a filter, from where it is said. */
function changedWhere(
  client: Client,
  act: Extract<ActPlan, { kind: `${string}Where` }>,
  from: WhereOptions,
): Promise<WhereResult> {
  const { cursor, createdBefore } = from
  const at = { ...(cursor !== undefined && { cursor }), ...(createdBefore !== undefined && { createdBefore }) }
  switch (act.kind) {
    case 'cancelWhere':
      return client.cancelWhere({ queue: act.queue }, at)
    case 'removeWhere':
      return client.removeWhere({ queue: act.queue, state: 'failed' }, at)
    case 'retryWhere':
      return client.retryWhere({ state: ['failed', 'cancelled'] }, at)
    default:
      return act satisfies never
  }
}
