/**
 * What a run is going to do, written down before its first job: `run.json` in the output folder, gone when the report is
 * written. A run that finds one goes on with it. The ids of the jobs come from the run and the path, so enqueueing them all
 * again adds only those that are not there yet.
 */
import { createHash, randomUUID } from 'node:crypto'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { walk } from './walk.ts'

export interface Run {
  readonly id: string
  readonly startedAt: number
  readonly root: string
  readonly paths: readonly string[]
}

const planOf = (out: string) => join(out, 'run.json')

/** The unfinished run of this output folder, or null. */
export function unfinishedRun(out: string): Run | null {
  if (!existsSync(planOf(out))) return null
  // Only `beginRun` writes the file, whole or not at all.
  return JSON.parse(readFileSync(planOf(out), 'utf8')) as Run
}

/** Walks the folder and writes the plan down. What an earlier, finished run left behind is deleted. */
export async function beginRun(root: string, out: string): Promise<Run> {
  for (const name of ['index.db', 'index.db-wal', 'index.db-shm']) rmSync(join(out, name), { force: true })
  const run: Run = { id: randomUUID(), startedAt: Date.now(), root, paths: await walk(root, out) }
  writeWhole(planOf(out), JSON.stringify(run))
  return run
}

export function endRun(out: string): void {
  rmSync(planOf(out), { force: true })
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
