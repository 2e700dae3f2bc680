/**
 * What kept a process from its store, and for how long: it stood still, it was cut off, or a call of its had failed and the same
 * was not tried again yet. A call that failed hinders only what that call does, and a process only by what befell itself.
 */
import type { Evidence } from './evidence.ts'
import type { Span } from './spans.ts'
import type { Actor } from './world.ts'
import { EVERY_SLOT } from './world.ts'

/** After a failed call a process backs off for so long at most: see contact.ts. */
const MOST_BACK_OFF_MS = 5_100

/** When a process stood still. */
export function pausesOf({ ledgers }: Evidence, actor: Actor): readonly Span[] {
  return ledgers.faults.filter((fault) => fault.kind === 'pause' && fault.actor === actor)
}

/** When a process did nothing: it stood still, or was dead. */
export function absencesOf(evidence: Evidence, actor: Actor): readonly Span[] {
  const death = { from: actor.diedAt, to: Number.POSITIVE_INFINITY }
  return actor.isDead ? [...pausesOf(evidence, actor), death] : pausesOf(evidence, actor)
}

/** When those in a slot were cut off from the store. */
export function cutsOf({ ledgers }: Evidence, slot: number): readonly Span[] {
  return ledgers.faults.filter((fault) => fault.kind === 'cut' && (fault.slot === slot || fault.slot === EVERY_SLOT))
}

/** When a process could not do what one of these operations does, since calls of its had failed or were late. */
export function failuresOf({ ledgers }: Evidence, actor: Actor, operations: readonly string[]): readonly Span[] {
  return ledgers.failures.flatMap((failure) => {
    if (failure.actor !== actor || !operations.includes(failure.operation)) return []
    return [{ from: failure.sentAt, to: Math.min(failure.retriedAt, failure.failedAt + MOST_BACK_OFF_MS) }]
  })
}

/** When the store's clock was set forward: leases ended sooner then. */
export function stepsOf({ ledgers }: Evidence): readonly Span[] {
  return ledgers.faults.filter(({ kind }) => kind === 'step')
}
