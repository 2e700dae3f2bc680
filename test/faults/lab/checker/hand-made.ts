/** A history made by hand, good in every way, for tests to break. */
import type { EffectLine, FaultLine } from '../ledgers.ts'
import type { AttemptRecord, History, JobRecord } from './history.ts'

const LEASE_MS = 1_000
/** A worker's process. */
export const W1 = 101
/** A worker's process. */
export const W2 = 102

/** A job by its attempts, with counts that fit them. */
export function job(id: string, history: readonly AttemptRecord[], more: Partial<JobRecord> = {}): JobRecord {
  const count = (...outcomes: readonly string[]) => history.filter(({ outcome }) => outcomes.includes(outcome)).length
  return {
    id,
    name: 'work',
    queue: 'default',
    state: 'completed',
    reason: null,
    attempts: count('completed', 'retrying', 'failed'),
    losses: count('lost'),
    crashes: 0,
    waitingOn: 0,
    isUnreadable: false,
    resultEpoch: history.at(-1)?.epoch ?? null,
    toldEpochs: [],
    history,
    ...more,
  }
}

/** An attempt that ended. */
export const ended = (epoch: number, outcome: string): AttemptRecord => ({
  epoch,
  outcome,
  workerId: `w${epoch}`,
  endedAt: 0,
})
/** What every line of a handler has. */
export const line = (id: string, epoch: number, pid: number, at: number) => ({ id, epoch, attempt: 1, pid, at })

/** What a handler wrote: its start, an effect and its end, or only its start. */
export function ran(
  id: string,
  epoch: number,
  pid: number,
  from: number,
  to: number | null,
  end: 'returned' | 'threw' = 'returned',
): EffectLine[] {
  const start: EffectLine = { ...line(id, epoch, pid, from), phase: 'start' }
  if (to === null) return [start]
  const effect: EffectLine[] = end === 'returned' ? [{ ...line(id, epoch, pid, to), phase: 'effect' }] : []
  return [start, ...effect, { ...line(id, epoch, pid, to), phase: 'end', end }]
}

/** SIGKILL. */
export const killed = (pid: number, from: number): FaultLine => ({ kind: 'kill', pid, from, to: null })

/**
 * A job that was done at once; one that was lost with its worker and done by another; one that failed once; one that was given
 * back by a worker that stopped; a child of the first; one whose enqueue nobody knows the end of, and that is not there.
 */
export const GOOD: History = {
  producer: [
    ...['once', 'lost', 'retried', 'released'].map((id) => ({ id, status: 'acked' as const, at: 0 })),
    { id: 'child', status: 'acked', parents: ['once'], at: 0 },
    { id: 'nobody-knows', status: 'unknown', at: 0 },
  ],
  effects: [
    ...ran('once', 1, W1, 10, 20),
    ...ran('child', 1, W1, 30, 40),
    ...ran('lost', 1, W1, 50, null),
    ...ran('retried', 1, W2, 50, 60, 'threw'),
    ...ran('retried', 2, W2, 70, 80),
    ...ran('released', 1, W2, 90, 95, 'threw'),
    ...ran('lost', 2, W2, 1_200, 1_210),
    ...ran('released', 2, W2, 1_220, 1_230),
  ],
  faults: [killed(W1, 100), { kind: 'term', pid: W2, from: 92, to: null }],
  jobs: [
    job('once', [ended(1, 'completed')]),
    job('child', [ended(1, 'completed')]),
    job('lost', [ended(1, 'lost'), ended(2, 'completed')]),
    job('retried', [ended(1, 'retrying'), ended(2, 'completed')]),
    job('released', [ended(1, 'pending'), ended(2, 'completed')]),
  ],
  counted: { completed: 5 },
  tableFaults: [],
  holdings: { before: [], after: [] },
  uncaught: [],
  quiet: { from: 2_000, to: 5_000, leastMs: 3_000 },
  terms: {
    leaseMs: LEASE_MS,
    marginMs: 250,
    attempts: { work: 5 },
    recoverWithinMs: 6_000,
    pauseWithinMs: 20,
    sharesLock: false,
    keptAttempts: 25,
  },
}

/** The same, but the handler of the lost lease ended by itself when its signal aborted. */
export const LET_GO: History = {
  ...GOOD,
  effects: [
    ...GOOD.effects.filter(({ id, epoch }) => id !== 'lost' || epoch !== 1),
    ...ran('lost', 1, W1, 50, 90, 'threw'),
  ],
}

/** The good history with other jobs in place of those of the same id. */
export function withJobs(...jobs: readonly JobRecord[]): History {
  const ids = new Set(jobs.map(({ id }) => id))
  return { ...GOOD, jobs: [...GOOD.jobs.filter(({ id }) => !ids.has(id)), ...jobs] }
}
