/**
 * The wire: what the store was asked and what it answered, in the order in which it did so, also when the answer got lost. From
 * these answers alone it follows who may speak for a job, so each answer is held against all that came before it: the fence
 * (I5), one owner at a time, one end.
 */
import { isFinal } from '../../../src/core/job/state.ts'
import type {
  ClaimedJob,
  ExchangeRequest,
  ExchangeResult,
  InsertResult,
  Lease,
  NewJob,
  ReclaimedJob,
  Settlement,
  SettleResult,
} from '../../../src/store/contract/index.ts'
import { isOfMany } from './calls.ts'
import { numberOf } from './ledgers.ts'
import { type Attempt, type Life, newAttempt, newLife, refusalsOf, settlementsOf } from './lives.ts'
import type { Actor, World } from './world.ts'

type Held = { readonly life: Life; readonly attempt: Attempt }

/** Everything that went over the wire. */
export class Wire {
  readonly lives = new Map<string, Life>()
  /** What no store may answer, in words. */
  readonly faults: string[] = []
  /** How often each thing worth knowing of went by. */
  readonly seen: Record<string, number> = {}
  readonly #world: World
  /** By how much the store's clock was set forward, in all. */
  forwardMs = 0
  readonly #paused = new Set<string>()

  constructor(world: World) {
    this.#world = world
  }

  life(id: string): Life {
    let life = this.lives.get(id)
    if (life === undefined) {
      life = newLife(numberOf(id))
      this.lives.set(id, life)
    }
    return life
  }

  /** An operation was done. `sentAt`: when it was asked for. */
  done(actor: Actor, sentAt: number, operation: string, args: readonly unknown[], result: unknown): void {
    // The arguments and the result are those of the operation that is named.
    switch (operation) {
      case 'jobs.insert':
        this.#inserted(args[0] as readonly NewJob[], result as readonly InsertResult[])
        break
      case 'jobs.exchange':
        this.#exchanged(actor, sentAt, args[0] as ExchangeRequest, result as ExchangeResult)
        break
      case 'jobs.extend':
      case 'jobs.extendWaiting':
        this.#extended(actor, operation, args, result as readonly string[])
        break
      case 'jobs.report':
        this.#spoken(actor.name, operation, args[1] as readonly Lease[], result as readonly string[])
        break
      case 'jobs.start':
      case 'jobs.saveCheckpoint':
        this.#spoken(actor.name, operation, [args[1] as Lease], [result as string])
        break
      case 'jobs.reclaim':
        for (const job of result as readonly ReclaimedJob[]) this.#takenBack(job)
        break
      case 'jobs.recover':
        for (const job of result as readonly ReclaimedJob[])
          this.#takenBack(job, { dead: args[0] as string, begun: (args[1] ?? []) as readonly Lease[] })
        break
      case 'jobs.cancel':
      case 'jobs.retry':
      case 'jobs.remove':
      case 'jobs.update':
        for (const [i, id] of (args[0] as readonly string[]).entries())
          this.#acted(id, (result as readonly string[])[i] ?? '')
        break
      case 'jobs.changeWhere':
        for (const { id, outcome } of (result as { results: readonly { id: string; outcome: string }[] }).results)
          this.#acted(id, outcome)
        break
      case 'jobs.promote':
      case 'jobs.expire':
        this.#world.note(result as number)
        if ((result as number) > 0) this.count(operation.slice(5))
        break
      case 'queues.pause':
        this.#paused.add(args[0] as string)
        this.count('a queue was paused')
        break
      case 'queues.resume':
        this.#paused.delete(args[0] as string)
    }
  }

  count(what: string): void {
    this.seen[what] = (this.seen[what] ?? 0) + 1
  }

  #inserted(jobs: readonly NewJob[], results: readonly InsertResult[]): void {
    if (jobs.length > 1) this.count('several enqueues in one insert')
    for (const [i, result] of results.entries()) {
      const { id = result.id } = jobs[i] ?? {}
      this.#world.note(numberOf(id), result.status.length)
      this.count(`enqueue ${result.status}`)
      if (result.status === 'existing' && result.id === id)
        this.count(`repeated enqueue${isOfMany(jobs[i]) ? ' of many' : ''} found its job`)
      if (result.status === 'replaced') this.#displaced(this.life(result.replacedId))
      if (result.status !== 'created' && result.status !== 'replaced') continue
      const life = this.life(id)
      if (life.state !== 'unseen' && life.state !== 'removed') this.#fault('I2', life, 'was inserted a second time')
      if (life.state === 'removed') {
        life.isReborn = true
        life.checkpoint = null
        life.attempts.splice(0)
      }
      life.state = isFinal(result.state) ? 'ended' : 'waiting'
      life.isCancelling = false
      life.createdAt = this.#world.now
    }
  }

  #displaced(life: Life): void {
    life.isDisplaced = true
    if (life.state === 'running') this.#askedToStop(life)
    else if (life.state === 'waiting') this.#ended(life)
  }

  #askedToStop(life: Life): void {
    life.isCancelling = true
    const attempt = life.attempts.at(-1)
    if (attempt !== undefined) attempt.cancelledAt = Math.min(attempt.cancelledAt, this.#world.now)
  }

  #exchanged(actor: Actor, sentAt: number, request: ExchangeRequest, result: ExchangeResult): void {
    if (request.settle.length > 1) this.count('several outcomes in one exchange')
    for (const [i, settlement] of request.settle.entries())
      this.#settled(actor, settlement, result.settled[i] ?? 'lost')
    for (const job of result.claimed) this.#claimed(actor, sentAt, job, request.claim?.leaseMs ?? 0)
    if (result.cancelling.length > 0) this.count('an exchange told of a cancel')
  }

  #settled(actor: Actor, settlement: Settlement, answer: SettleResult): void {
    const life = this.life(settlement.id)
    this.#world.note(life.n, settlement.epoch, answer.length, settlement.to.length)
    this.#world.tell(
      () => `  ${actor.name} settles job ${life.n} epoch ${settlement.epoch} ${settlement.to}: ${answer}`,
    )
    const attempt = this.#holder(life, actor.name, settlement.epoch)
    if (answer === 'lost') {
      if (attempt !== null)
        this.#fault('I5', life, `its holder ${actor.name} was told that it had lost epoch ${attempt.epoch}`)
      else for (const what of refusalsOf(life, settlement)) this.count(what)
      return
    }
    if (attempt === null) {
      this.#fault('I5', life, `a stale ${settlement.to} of epoch ${settlement.epoch} by ${actor.name} was accepted`)
      return
    }
    for (const what of settlementsOf(settlement, answer, life.isCancelling)) this.count(what)
    attempt.end = settlement.to
    attempt.isCancelled = answer === 'cancelled'
    attempt.closedAt = this.#world.now
    if (answer === 'cancelled' || isFinal(settlement.to)) this.#ended(life)
    else life.state = 'waiting'
    if (life.state === 'waiting' && life.isCancelling)
      this.#fault('I5', life, 'a cancel that was asked for is forgotten')
  }

  #claimed(actor: Actor, sentAt: number, job: ClaimedJob, leaseMs: number): void {
    const life = this.life(job.id)
    this.#world.note(life.n, job.epoch, actor.key)
    this.#world.tell(() => `  ${actor.name} is given job ${life.n} epoch ${job.epoch} attempt ${job.attempt}`)
    const last = life.attempts.at(-1)
    if (last !== undefined && job.epoch <= last.epoch) this.#fault('I5', life, `epoch ${job.epoch} was given out twice`)
    if (last?.end === 'open') this.#fault('I6', life, `was given to ${actor.name} while ${last.worker.name} held it`)
    if (life.state === 'ended') this.#fault('I1', life, `was given out after its end`)
    if (life.state === 'removed') this.#fault('I1', life, 'was given out after it was removed')
    if (this.#paused.has(job.queue)) this.#fault('I9', life, `was given out of the paused queue ${job.queue}`)
    if (job.losses >= 2) this.count('a suspect was claimed')
    life.attempts.push(newAttempt(job, actor, sentAt, { now: this.#world.now, leaseMs, forwardMs: this.forwardMs }))
    life.state = 'running'
  }

  /** A worker's heartbeat, or its supervisor's in its name. */
  #extended(actor: Actor, operation: string, args: readonly unknown[], answers: readonly string[]): void {
    // As they are in the contract.
    const [workerId, leases, leaseMs] = args as readonly [string, readonly Lease[], number]
    const isKeep = workerId !== actor.name
    const held = this.#spoken(workerId, isKeep ? 'jobs.keep' : operation, leases, answers)
    for (const { life, attempt } of held) {
      if (isKeep) {
        this.count('a supervisor kept a lease')
        if (attempt.worker.slot !== actor.slot)
          this.#fault('I5', life, `was kept by ${actor.name}, and ${workerId} is none of its workers`)
        attempt.keptAt = this.#world.now
      }
      attempt.extendedAt = this.#world.now
      attempt.leaseUntil = this.#world.now + leaseMs + this.forwardMs
    }
  }

  /** A heartbeat, news or a start of attempts: the store said of each whether its lease is still held. Returns those that are. */
  #spoken(worker: string, operation: string, leases: readonly Lease[], answers: readonly string[]): readonly Held[] {
    const what = operation.slice(5)
    const held: Held[] = []
    for (const [i, { id, epoch }] of leases.entries()) {
      const life = this.life(id)
      const answer = answers[i] ?? 'lost'
      this.#world.note(life.n, epoch, answer.length)
      const attempt = this.#holder(life, worker, epoch)
      if (answer === 'lost') {
        if (attempt !== null) this.#fault('I5', life, `its holder ${worker} was told by ${what} that it had lost`)
        else this.count(`stale ${what} refused`)
        continue
      }
      if (attempt === null) this.#fault('I5', life, `a stale ${what} of epoch ${epoch} by ${worker} was accepted`)
      else if (what === 'start') attempt.startWritten = true
      else if (what === 'saveCheckpoint') life.checkpoint = epoch
      else held.push({ life, attempt })
      if (answer === 'cancelling') this.count(`${what === 'keep' ? 'a keep' : 'a heartbeat'} told of a cancel`)
    }
    return held
  }

  /** A lease was taken back: since it had ended, or from a process that is `dead`, whose leases need not have. */
  #takenBack({ id, to }: ReclaimedJob, from?: { readonly dead: string; readonly begun: readonly Lease[] }): void {
    const life = this.life(id)
    const how = from === undefined ? 'reclaimed' : 'recovered'
    this.#world.note(life.n, to.length)
    this.#world.tell(() => `  job ${life.n} is ${how}: ${to}`)
    this.count(to === 'failed' ? 'quarantined' : `${how} to ${to}`)
    const attempt = life.attempts.at(-1)
    if (attempt === undefined || attempt.end !== 'open') {
      this.#fault('I5', life, `was ${how} while nobody held it`)
      return
    }
    const { epoch, worker, leaseUntil, startWritten } = attempt
    if (from !== undefined) {
      if (worker.name !== from.dead)
        this.#fault('I5', life, `was recovered for ${from.dead}, and ${worker.name} held it`)
      const isAccused = from.begun.some((lease) => lease.id === id && lease.epoch === epoch)
      if (isAccused && !startWritten) this.count('a crash that only its supervisor knew of')
      attempt.startWritten ||= isAccused
    } // The store counts whole milliseconds.
    else if (this.#world.now + this.forwardMs + 2 < leaseUntil)
      this.#fault('I5', life, `was reclaimed ${Math.round(leaseUntil - this.#world.now)} ms before its lease ended`)
    attempt.end = 'lost'
    attempt.isRecovered = from !== undefined
    attempt.closedAt = this.#world.now
    if (to !== 'pending') this.#ended(life)
    else {
      life.state = 'waiting'
      if (life.isCancelling) this.#fault('I5', life, 'a cancel that was asked for is forgotten')
    }
  }

  #acted(id: string, outcome: string): void {
    const life = this.life(id)
    this.#world.note(life.n, outcome.length)
    this.#world.tell(() => `  job ${life.n} by an operator: ${outcome}`)
    this.count(`operator: ${outcome}`)
    if (outcome === 'cancelled') this.#ended(life)
    if (outcome === 'cancelling') this.#askedToStop(life)
    if (outcome === 'removed') {
      life.state = 'removed'
      life.removedAt.push(this.#world.now)
    }
    if (outcome === 'retried') {
      life.retriedAt.push(this.#world.now)
      life.state = 'waiting'
      life.isCancelling = false
    }
  }

  #ended(life: Life): void {
    life.state = 'ended'
    life.isCancelling = false
    life.endedAt.push(this.#world.now)
  }

  /** The open attempt, when it is this one. */
  #holder(life: Life, worker: string, epoch: number): Attempt | null {
    const last = life.attempts.at(-1)
    return last?.end === 'open' && last.epoch === epoch && last.worker.name === worker ? last : null
  }

  #fault(invariant: string, life: Life, what: string): void {
    this.faults.push(`${invariant}: job ${life.n} ${what}, at ${(this.#world.now / 1000).toFixed(4)}`)
  }
}
