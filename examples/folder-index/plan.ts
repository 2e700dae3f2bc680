/** Which run to do: the unfinished one of the output folder, or a new one, with the store cleared of what was before it. */
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { JobHandle, Millrace } from 'millrace'
import { Refused } from './failure.ts'
import { FOLD_SIZE, fold, indexFile, report, type Summary } from './jobs.ts'
import { beginRun, jobId, queueOf, type Run, unfinishedRun } from './run.ts'
import { filesOf } from './store.ts'
import { walk } from './walk.ts'

const LOOK_MS = 250
const ENDING_MS = 3_000

/** The run to go on with, or a new one. Refuses what would lose an unfinished run, or disturb one that is at work. */
export async function planRun(mill: Millrace, root: string, out: string): Promise<Run> {
  const before = unfinishedRun(out)
  const store = mill.store.description
  if (before !== null && before.store !== store) throw elsewhere(before, store, out)
  const queue = before?.queue ?? queueOf(out)
  const other = await othersWorker(mill, queue, Date.now() + ENDING_MS)
  if (other !== undefined) {
    throw new Refused(
      `process ${other.pid} on ${other.host} is at work on a run in ${out}`,
      'Wait for it, or give another folder with --out.',
    )
  }
  if (before?.root === root) {
    console.error(`Going on with the run of ${new Date(before.startedAt).toISOString()} over ${root} in ${store}`)
    return before
  }
  if (before === null) console.error(`Indexing ${root}, with its jobs in ${store}`)
  else console.error(`The unfinished run over ${before.root} is dropped. Indexing ${root}, with its jobs in ${store}`)
  await clearQueue(mill, queue)
  return beginRun(out, { root, store, queue, paths: await walk(root, new Set([out, ...filesOf(mill)])) })
}

/** Enqueues what is not there yet, and tells how many files were done before. */
export async function enqueueAll(
  mill: Millrace,
  run: Run,
  out: string,
): Promise<{ readonly job: JobHandle<Summary>; readonly done: number }> {
  const { root, queue } = run
  const folds: JobHandle[] = []
  let done = 0
  for (let i = 0; i < run.paths.length; i += FOLD_SIZE) {
    const paths = run.paths.slice(i, i + FOLD_SIZE)
    // Calls that are in flight together travel in one statement.
    const files = await Promise.all(
      paths.map((path) => mill.enqueue(indexFile, { root, path }, { id: jobId(run, path), queue })),
    )
    done += files.filter(({ state }) => state === 'completed' || state === 'failed').length
    const ids = files.map(({ id }) => id)
    const dependsOn = ids.map((id) => ({ job: id, onFailure: 'proceed' as const }))
    folds.push(await mill.enqueue(fold, { jobs: ids }, { id: jobId(run, `/fold ${i}`), queue, dependsOn }))
  }
  const input = { root, out, folds: folds.map(({ id }) => id) }
  const job = await mill.enqueue(report, input, { id: jobId(run, '/report'), queue, dependsOn: folds })
  // Of an earlier try, or cancelled by somebody: without them there is no report.
  const ended = [...folds, job].filter(({ state }) => state === 'failed' || state === 'cancelled')
  if (ended.length > 0) await mill.retry(ended.map(({ id }) => id))
  return { job, done }
}

/** After a run: deletes what clearing had to leave, as soon as its leases are over. */
export async function clearRest(mill: Millrace, { queue }: Run): Promise<void> {
  const rest = { queue, state: ['processing', 'cancelled'] } as const
  while ((await mill.removeWhere(rest)).outcomes.processing) await setTimeout(LOOK_MS)
}

/** Deletes the jobs of earlier runs; what a killed worker still holds is asked to end as cancelled when its lease is over. */
async function clearQueue(mill: Millrace, queue: string): Promise<void> {
  await mill.removeWhere({ queue })
  await mill.cancelWhere({ queue, state: 'processing' })
}

/** Another process that works on the queue. One that was killed stays listed for a while: here its process is gone. */
async function othersWorker(mill: Millrace, queue: string, until: number) {
  const isOther = (host: string, pid: number) => host !== hostname() || (pid !== process.pid && isAlive(pid))
  const other = (await mill.workers()).find(({ queues, host, pid }) => queues?.includes(queue) && isOther(host, pid))
  // The workers of a run that was killed end by themselves, a moment after it.
  if (other === undefined || other.host !== hostname() || Date.now() > until) return other
  await setTimeout(LOOK_MS / 5)
  return othersWorker(mill, queue, until)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // It may not be asked: another user's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

function elsewhere(before: Run, store: string, out: string): Refused {
  const begun = new Date(before.startedAt).toISOString()
  return new Refused(
    `the run of ${begun} over ${before.root} is unfinished in ${before.store}, and this is ${store}`,
    `Go on with it by its --store; or begin anew with another --out, or after deleting ${join(out, 'run.json')}.`,
  )
}
