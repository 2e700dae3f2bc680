/** Settling on the slow road: whatever does not complete plainly. */
import {
  type Completion,
  type CrashedSettlement,
  isCrashed,
  type JobReport,
  type Lease,
  type Settlement,
  type SettleResult,
} from '../contract/index.ts'
import { finish } from './finish.ts'
import { report } from './lease.ts'
import { Ledger } from './ledger.ts'
import { dropLease, type LiveJob, waitUntil } from './live-job.ts'
import { STATE } from './rows.ts'
import type { Transaction } from './session.ts'
import { writeLedger } from './write.ts'

/** Settles attempts in order, inside the caller's transaction. */
export async function settleAll(
  tx: Transaction,
  workerId: string,
  settlements: readonly Settlement[],
): Promise<readonly SettleResult[]> {
  const ledger = new Ledger(tx)
  const toEnd = new Set(settlements.filter((s) => s.to !== 'completed').map((s) => s.id))
  await ledger.lock(
    settlements.map((s) => s.id),
    (job) => (toEnd.has(job.id) ? 'end' : 'complete'),
  )
  const results = settlements.map((s) => settleOne(ledger, workerId, s))
  await writeLedger(ledger)
  return results
}

/** Settles as failed what was just claimed and cannot be read, inside the caller's transaction. */
export async function failUnreadable(tx: Transaction, workerId: string, leases: readonly Lease[]): Promise<void> {
  const settle = leases.map(
    ({ id, epoch }): Settlement => ({ id, epoch, runMs: 0, to: 'failed', reason: 'unreadable', error: null }),
  )
  await settleAll(tx, workerId, settle)
}

/** Completes one attempt inside somebody's transaction, which stays as it was when that fails. See `JobsFacet.settleWithin`. */
export async function settleInside(
  tx: Transaction,
  workerId: string,
  completion: Completion,
  news: JobReport | undefined,
): Promise<SettleResult> {
  await tx.query('SAVEPOINT row_guard')
  try {
    if (news !== undefined) await report(tx, workerId, [news])
    const [result = 'lost'] = await settleAll(tx, workerId, [completion])
    await tx.query('RELEASE SAVEPOINT row_guard')
    return result
  } catch (error) {
    // After a deadlock there may be no savepoint any more: what went wrong first is what is told.
    await tx.query('ROLLBACK TO SAVEPOINT row_guard').catch(() => undefined)
    throw error
  }
}

function settleOne(ledger: Ledger, workerId: string, s: Settlement): SettleResult {
  const job = ledger.live(s.id)
  if (job === undefined || job.state !== STATE.processing || job.epoch !== s.epoch || job.workerId !== workerId) {
    return 'lost'
  }
  if (isCrashed(s)) return settleCrashed(ledger, job, s)
  const startedAt = Math.floor(ledger.now - s.runMs)
  const record = (outcome: 'retrying' | 'cancelled' | 'scheduled' | 'pending' | 'blocked', error: Uint8Array | null) =>
    ledger.record(s.id, {
      attempt: job.attempts + 1,
      epoch: s.epoch,
      workerId,
      startedAt,
      endedAt: ledger.now,
      outcome,
      error,
    })
  switch (s.to) {
    case 'completed':
      finish(ledger, job, { state: 'completed', reason: null, last: { startedAt, result: s.result, error: null } })
      return 'settled'
    case 'failed':
    case 'cancelled':
      finish(ledger, job, { state: s.to, reason: s.reason, last: { startedAt, result: null, error: s.error } })
      return 'settled'
    case 'retrying':
      if (job.cancelling) {
        const last = { startedAt, result: null, error: s.error }
        finish(ledger, job, { state: 'cancelled', reason: 'requested', last })
        return 'cancelled'
      }
      record('retrying', s.error)
      job.attempts++
      waitAfterError(ledger, job, s)
      return 'settled'
    case 'scheduled':
    case 'pending':
    case 'blocked':
      record(job.cancelling ? 'cancelled' : s.to, null)
      if (job.cancelling) {
        finish(ledger, job, { state: 'cancelled', reason: 'requested' })
        return 'cancelled'
      }
      giveBack(job, s, ledger.now)
      return 'settled'
    default:
      return s satisfies never
  }
}

/** Counts a crash, not an attempt; its record is a row of its own. */
function settleCrashed(ledger: Ledger, job: LiveJob, s: CrashedSettlement): SettleResult {
  const outcome = s.to === 'retrying' && job.cancelling ? 'cancelled' : s.to
  ledger.record(s.id, {
    attempt: job.attempts + 1,
    epoch: s.epoch,
    workerId: job.workerId ?? '',
    startedAt: Math.floor(ledger.now - s.runMs),
    endedAt: ledger.now,
    outcome,
    error: s.error,
  })
  job.crashes++
  if (outcome === 'retrying' && s.to === 'retrying') {
    waitAfterError(ledger, job, s)
    return 'settled'
  }
  const last = { startedAt: null, isUncounted: true, result: null, error: s.error } as const
  if (s.to === 'failed') finish(ledger, job, { state: 'failed', reason: s.reason, last })
  else finish(ledger, job, { state: 'cancelled', reason: 'requested', last })
  return s.to === 'failed' ? 'settled' : 'cancelled'
}

function waitAfterError(ledger: Ledger, job: LiveJob, s: Extract<Settlement, { readonly to: 'retrying' }>): void {
  ledger.errors.push({ id: s.id, error: s.error })
  dropLease(job)
  job.state = STATE.retrying
  job.runAt = Math.floor(ledger.now + s.delayMs)
}

type GivenBack = Extract<Settlement, { readonly to: 'scheduled' | 'pending' | 'blocked' }>

function giveBack(job: LiveJob, s: GivenBack, now: number): void {
  dropLease(job)
  if (s.to === 'scheduled') waitUntil(job, Math.floor(now + s.delayMs), now)
  else if (s.to === 'pending') job.state = STATE.pending
  else {
    job.state = STATE.blocked
    job.reason = s.reason
    job.blockedOn = s.on
  }
}
