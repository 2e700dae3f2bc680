/** What the handlers of killed workers wrote down, and what of it the store cannot explain. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { JobInfo } from '../../src/index.ts'

/** Fences of the starts and ends of each job, in any order. */
export interface Runs {
  readonly starts: ReadonlyMap<string, readonly number[]>
  readonly ends: ReadonlyMap<string, readonly number[]>
}

/** How many bytes all logs have: it grows with every line. */
export function logBytes(folder: string): number {
  return logsOf(folder).reduce((sum, path) => sum + statSync(path).size, 0)
}

/** How many handlers a worker has begun and not ended, by its own log. */
export function underWay(folder: string, pid: number): number {
  const path = join(folder, `${pid}.log`)
  // A worker that has begun nothing has no log.
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
  return lines.reduce((sum, line) => sum + (line.startsWith('start ') ? 1 : -1), 0)
}

export function readRuns(folder: string): Runs {
  const starts = new Map<string, number[]>()
  const ends = new Map<string, number[]>()
  for (const path of logsOf(folder)) {
    for (const line of readFileSync(path, 'utf8').trim().split('\n')) {
      const [word, id = '', fence] = line.split(' ')
      const runs = word === 'start' ? starts : ends
      runs.set(id, [...(runs.get(id) ?? []), Number(fence)])
    }
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

function logsOf(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.log'))
    .map((name) => join(folder, name))
}
