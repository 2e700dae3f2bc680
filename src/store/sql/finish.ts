/**
 * How a live job ends: its unique key let go, its dependents released or ended with it. Everything that ends a job on the
 * slow road (settle, cancel, expire, reclaim, remove, a parent's end) comes through `finish`, so no road can forget a child.
 * The cascade is a loop over a list, not a recursion: a chain may be as long as it likes. All jobs it meets are locked.
 */
import type { EdgePolicy } from '../contract/index.ts'
import type { Ledger } from './ledger.ts'
import type { Ending, FinalState, LiveJob } from './live-job.ts'
import { STATE } from './rows.ts'

/** Ends a live job and carries its end on. Nothing happens when it has ended already. */
export function finish(ledger: Ledger, first: LiveJob, how: Ending): void {
  const todo: { readonly job: LiveJob; readonly how: Ending }[] = [{ job: first, how }]
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { job, how } = next
    if (job.ending !== null) continue
    end(ledger, job, how)
    ledger.keys.free(job.uniqueScope, job.uniqueKey, job.id, ledger.now)
    letParentsGo(ledger, job)
    for (const [childId, policy] of ledger.edges.childrenOf(job.id)) {
      ledger.edges.drop(job.id, childId)
      const child = ledger.live(childId)
      if (child === undefined) continue
      const fate = fateOf(how.state, policy)
      if (fate === null) release(child, ledger.now)
      else todo.push({ job: child, how: { state: fate, reason: 'parent' } })
    }
  }
}

/** What the end of a parent makes of a child: null when the child goes on. */
export function fateOf(parent: FinalState, policy: EdgePolicy): 'failed' | 'cancelled' | null {
  if (parent === 'completed' || policy === 'proceed') return null
  return policy === 'fail' ? 'failed' : 'cancelled'
}

/**
 * The last attempt of a job is read from its archive row, whose error is the last that any attempt had. An attempt that
 * ended badly without one, after others that had, gets a row of its own.
 */
function end(ledger: Ledger, job: LiveJob, how: Ending): void {
  const { last } = how
  if (
    job.hasError &&
    last !== undefined &&
    last.error === null &&
    last.startedAt !== null &&
    how.state !== 'completed'
  ) {
    ledger.record(job.id, {
      attempt: job.attempts + 1,
      epoch: job.epoch,
      workerId: job.workerId ?? '',
      startedAt: last.startedAt,
      endedAt: ledger.now,
      outcome: how.state,
      error: null,
    })
    job.ending = { ...how, last: { ...last, startedAt: null } }
  } else job.ending = how
  ledger.ended.push(job)
}

function letParentsGo(ledger: Ledger, job: LiveJob): void {
  for (const parentId of ledger.edges.parentsOf(job.id)) {
    ledger.edges.drop(parentId, job.id)
    const parent = ledger.live(parentId)
    if (parent === undefined) continue
    parent.dependents--
    parent.isDirty = true
  }
}

function release(child: LiveJob, now: number): void {
  if (child.waitingOn === 0) return
  child.waitingOn--
  child.isDirty = true
  if (child.waitingOn > 0 || child.state !== STATE.blocked || child.reason !== 'parents') return
  child.state = child.runAt > now ? STATE.scheduled : STATE.pending
  child.reason = null
}
