/** What callers heard of the store's answers, which may be later than these were given, or never. */
import type { Lease } from '../../../src/store/contract/index.ts'
import { nameOf } from './calls.ts'
import type { Ledgers } from './ledgers.ts'
import type { Wire } from './wire.ts'
import type { Actor, World } from './world.ts'

/** A call that was answered. */
interface AnsweredCall {
  readonly actor: Actor
  readonly sentAt: number
  readonly operation: string
  readonly args: readonly unknown[]
}

/**
 * Writes down that a caller heard an answer now: whose heartbeat was answered may trust its leases, since it sent that, from now on; and
 * a supervisor learns of a cancel by a keep.
 */
export function noteHeard(
  { actor, sentAt, operation, args }: AnsweredCall,
  result: unknown,
  { world, wire, ledgers }: { readonly world: World; readonly wire: Wire; readonly ledgers: Ledgers },
): void {
  if (operation !== 'jobs.extend' && operation !== 'jobs.extendWaiting') return
  // As they are in the contract.
  const [workerId, leases] = args as readonly [string, readonly Lease[]]
  const answers = result as readonly string[]
  const heardAt = world.now
  if (nameOf(actor, operation, args) === 'keep') {
    ledgers.kept.push({ workerId, sentAt, heardAt, isCancelling: answers.includes('cancelling') })
    return
  }
  for (const [i, { id, epoch }] of leases.entries()) {
    const attempt = wire.life(id).attempts.find((each) => each.epoch === epoch && each.worker === actor)
    if (attempt !== undefined && answers[i] !== 'lost') attempt.trusted.push({ sentAt, heardAt })
  }
}
