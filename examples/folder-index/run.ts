/**
 * What a run is going to do, written down before its first job: `run.json` in the output folder, gone when the report is
 * written. A run that finds one goes on with it. The ids of the jobs come from the run and the path, so enqueueing them all
 * again adds only those that are not there yet.
 *
 * The queue belongs to the output folder: runs that write elsewhere have others, on the same store too, and what an earlier run
 * of this folder left is found by it.
 */
import { createHash, randomUUID } from 'node:crypto'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

export interface Run {
  readonly id: string
  readonly startedAt: number
  readonly root: string
  /** The store that has its jobs, without user and password. */
  readonly store: string
  readonly queue: string
  readonly paths: readonly string[]
}

const planOf = (out: string) => join(out, 'run.json')

/** The unfinished run of this output folder, or null. */
export function unfinishedRun(out: string): Run | null {
  if (!existsSync(planOf(out))) return null
  // Only `beginRun` writes the file, whole or not at all.
  return JSON.parse(readFileSync(planOf(out), 'utf8')) as Run
}

/** Writes the plan down. */
export function beginRun(out: string, plan: Omit<Run, 'id' | 'startedAt'>): Run {
  const run: Run = { id: randomUUID(), startedAt: Date.now(), ...plan }
  writeWhole(planOf(out), JSON.stringify(run))
  return run
}

export function endRun(out: string): void {
  rmSync(planOf(out), { force: true })
}

/** The queue of an output folder of this machine. */
export function queueOf(out: string): string {
  return `folder-index.${createHash('sha256').update(`${hostname()} ${out}`).digest('hex').slice(0, 8)}`
}

/** The id of a run's job: a UUID whose time is the run's and whose rest is a hash of what the job is about. */
export function jobId(run: Run, about: string): string {
  const time = run.startedAt.toString(16).padStart(12, '0')
  const hash = createHash('sha256').update(`${run.id} ${about}`).digest('hex')
  const part = (from: number, to: number) => hash.slice(from, to)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${part(0, 3)}-8${part(3, 6)}-${part(6, 18)}`
}

/** Writes a file so that it is there whole or not at all. */
export function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.part`, text)
  renameSync(`${path}.part`, path)
}
