/** What the handlers of killed workers wrote down, and what of it the store cannot explain. */
import type { JobInfo } from '../../src/index.ts'
import { readLedger } from '../faults/lab/ledgers.ts'

/** Fences of the starts and ends of each job, in any order. */
export interface Runs {
  readonly starts: ReadonlyMap<string, readonly number[]>
  readonly ends: ReadonlyMap<string, readonly number[]>
}

/** Which handlers were under which leases, by the ledger of their effects. */
export function readRuns(folder: string): Runs {
  const [starts, ends] = [new Map<string, number[]>(), new Map<string, number[]>()]
  for (const { id, epoch, phase } of readLedger(folder, 'effects')) {
    const runs = phase === 'start' ? starts : ends
    runs.set(id, [...(runs.get(id) ?? []), epoch])
  }
  return { starts, ends }
}

/**
 * What is wrong with a job: not completed, never run to its end under the lease that completed it, or run under a lease
 * that neither completed it nor is on record as lost. Null: all is explained.
 */
export function faultOf(job: JobInfo | null, id: string, runs: Runs): string | null {
  if (job === null) return `${id} is lost`
  if (job.state !== 'completed') return `${id} is ${job.state}, reason ${job.reason}`
  const starts = runs.starts.get(id) ?? []
  const completed = job.history.filter(({ outcome }) => outcome === 'completed').map(({ epoch }) => epoch)
  const explained = new Set([...completed, ...job.history.filter(lostOrReturned).map(({ epoch }) => epoch)])
  if (completed.length !== 1) return `${id} completed ${completed.length} times`
  if (!runs.ends.get(id)?.includes(completed[0] ?? -1)) return `${id} was completed by a run that did not end`
  if (new Set(starts).size !== starts.length) return `${id} ran twice under one lease: ${starts.join()}`
  const unexplained = starts.filter((fence) => !explained.has(fence))
  return unexplained.length === 0 ? null : `${id} ran unexplained under ${unexplained.join()}`
}

function lostOrReturned({ outcome }: JobInfo['history'][number]): boolean {
  return outcome === 'lost'
}
