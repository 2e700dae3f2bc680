/** Many runs one after the other, and what all of them together have to have seen. */

import { FATES, planOf } from './plan.ts'
import type { Outcome, Plant } from './simulation.ts'
import { simulate } from './simulation.ts'

/** What many runs came to. */
export interface BatchResult {
  readonly runs: number
  /** Runs that broke an invariant; the batch ends at the first few. */
  readonly failed: readonly Outcome[]
  /** How often each thing happened, over all runs. */
  readonly seen: Readonly<Record<string, number>>
}

/** So many failures tell enough. */
const MOST_FAILURES = 3

/** What each process asks of the store. */
const CALLS: readonly string[] = [
  'jobs.exchange that claims',
  'jobs.exchange that settles',
  'jobs.exchange that settles and claims',
  'jobs.extend',
  'jobs.report',
  'jobs.saveCheckpoint',
  'jobs.start',
  'jobs.reclaim',
  'jobs.promote',
  'jobs.expire',
  'jobs.prune',
  'jobs.nextDue',
  'cluster.beat',
  'cluster.take',
  'cluster.remove',
  'time',
  ...['keep', 'jobs.recover', 'cluster.remove', 'cluster.take'].map((call) => `a supervisor's ${call}`),
  ...['jobs.insert', 'jobs.insert of many'].map((call) => `a producer's ${call}`),
  ...[
    ...['jobs.cancel', 'jobs.retry', 'jobs.remove', 'jobs.update', 'queues.pause', 'queues.resume', 'time'],
    ...['cancel', 'remove', 'retry'].map((change) => `jobs.changeWhere to ${change}`),
  ].map((call) => `an operator's ${call}`),
]

/** How a process is hit at a call: each has to have happened at each of them. */
export const HITS = ['crash-before', 'crash-after', 'pause-before', 'pause-after'] as const

/**
 * What has to have happened somewhere in a few thousand runs. One that did not happen would make a green batch worth nothing:
 * these are the *sometimes* of Antithesis.
 */
export const SOMETIMES: readonly string[] = [
  // Calls, answers and hints.
  ...FATES.map((fate) => `fate: ${fate}`),
  ...[
    'insert',
    'exchange',
    'extend',
    'report',
    'start',
    'reclaim',
    'promote',
    'cancel',
    'retry',
    'remove',
    'recover',
    'saveCheckpoint',
  ].map((operation) => `answer lost: jobs.${operation}`),
  'answer lost: keep',
  'hint lost',
  'hint doubled',
  'cut off',
  'cut off in silence',
  "the store's clock went forward",
  "the store's clock went back",
  // Processes, at each of their calls and at any time.
  ...HITS.flatMap((hit) => CALLS.map((call) => `${hit}: ${call}`)),
  ...['pause-before', 'pause-after'].map((fate) => `${fate} for longer than a lease`),
  'crashed with jobs running',
  'paused past the lease with jobs running',
  ...['worker', 'supervisor', 'producer', 'operator'].map((role) => `a call of a dead ${role} arrived`),
  'a supervisor died alone',
  'a supervisor died with its machine',
  'orphaned with jobs running',
  'a worker gave up its store',
  'a worker stalled',
  'a stalled worker was heard again',
  'killed at the stall limit',
  'killed, deaf to a cancel',
  'running job given back',
  'prefetch given back',
  // Leases and fences.
  'reclaimed to pending',
  'reclaimed to cancelled',
  'recovered to pending',
  'recovered to cancelled',
  'a crash that only its supervisor knew of',
  'a supervisor kept a lease',
  'a keep told of a cancel',
  'stale keep refused',
  'stale settlement refused',
  'stale settlement refused while another attempt ran',
  'stale extend refused',
  'stale report refused',
  'stale saveCheckpoint refused',
  'a reclaim raced a completion',
  'a settlement was repeated after a lost answer',
  'a worker noticed that a lease was lost',
  'a suspect was claimed',
  'quarantined',
  // Attempts.
  ...['completed', 'retrying', 'scheduled', 'exhausted', 'discarded', 'requested'].map((to) => `settled as ${to}`),
  ...['timeout', 'cancelled', 'lease-lost', 'stopping'].map((why) => `abandoned: ${why}`),
  'several outcomes in one exchange',
  // Cancels and other acts.
  ...['cancelled', 'cancelling', 'retried', 'removed', 'final', 'live', 'processing', 'updated'].map(
    (outcome) => `operator: ${outcome}`,
  ),
  'an exchange told of a cancel',
  'a heartbeat told of a cancel',
  'a cancel raced a completion',
  'a cancel turned another attempt into an end',
  'a queue was paused',
  'a change of many stopped half-way',
  'a change of many went on',
  "an operator's successor did it again",
  // Enqueues.
  ...['created', 'existing', 'replaced', 'rejected', 'refused'].map((status) => `enqueue ${status}`),
  'repeated enqueue found its job',
  'repeated enqueue of many found its job',
  "a producer's successor enqueued again",
  'several enqueues in one insert',
  'promote',
  'expire',
]

/** Runs the seeds from `first` on, with a turn of the event loop after each, so that whoever waits beside it has one too. */
export async function runBatch(first: number, runs: number, plant: Plant = {}): Promise<BatchResult> {
  const seen: Record<string, number> = {}
  const failed: Outcome[] = []
  let done = 0
  for (let seed = first; seed < first + runs && failed.length < MOST_FAILURES; seed++) {
    const outcome = await simulate(planOf(seed), plant)
    done++
    for (const [what, times] of Object.entries(outcome.seen)) seen[what] = (seen[what] ?? 0) + times
    if (outcome.breaches.length > 0) failed.push(outcome)
    await new Promise(setImmediate)
  }
  return { runs: done, failed, seen }
}
