/**
 * Folder index: reads every file of a folder, one durable job each, and writes a report of them.
 *
 * Two worker processes do the work, on two cores; this one starts them, watches over them and shows how far they are. Stop it with
 * Ctrl-C or `kill -9` and start it again: it goes on where it was, and each file is in the report once. The store is opened in
 * store.ts, the plan made in plan.ts and kept by run.ts; the kinds of jobs are in jobs.ts, what each does in index-file.ts, fold.ts
 * and report.ts, which the worker processes find by handlers.ts.
 */
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { Millrace, type NodeHandle } from 'millrace'
import { type Args, HELP, readArgs, USAGE } from './args.ts'
import { EXIT, tellFailure } from './failure.ts'
import type { Summary } from './jobs.ts'
import { size } from './page.ts'
import { clearRest, enqueueAll, planRun } from './plan.ts'
import { startProgress } from './progress.ts'
import { endRun, type Run, unfinishedRun } from './run.ts'
import { hidePassword, type NamedStore, nameStore, openStore, RETENTION, shortPath, tellStore } from './store.ts'

const PROJECT = resolve(import.meta.dirname, '../..')
const PROCESSES = 2
/** Files at a time in each of them. */
const CONCURRENCY = 8
const LOOK_MS = 200

hidePassword(process.argv.slice(2))
const args = readArgs(process.argv.slice(2), PROJECT)
if (args === HELP) console.log(USAGE)
else if (typeof args === 'string') {
  console.error(`${args}\n\n${USAGE}`)
  process.exitCode = EXIT.usage
} else await main(args)

async function main(args: Args): Promise<void> {
  const { root, out, json } = args
  const startedAt = performance.now()
  const store = nameStore(args.store, out)
  let isInterrupted = false
  let node: NodeHandle | undefined
  let mill: Millrace | undefined
  process.once('SIGINT', async () => {
    isInterrupted = true
    await node?.stop({ now: true })
    await mill?.close()
    const hasBegun = unfinishedRun(out) !== null
    console.error(hasBegun ? '\nStopped. The same command goes on where it was.' : '\nStopped before it began.')
    process.exit(EXIT.interrupted)
  })
  try {
    mkdirSync(out, { recursive: true })
    mill = await openStore(store.url)
    const run = await planRun(mill, root, out)
    tellStore(store.url)
    node = await Millrace.supervise({
      entry: new URL('./handlers.ts', import.meta.url),
      store: store.url,
      processes: PROCESSES,
      retention: RETENTION,
      // A short lease: what a killed run held is taken up again a few seconds after the next one starts.
      worker: { concurrency: CONCURRENCY, lease: '3s', queues: [run.queue] },
    })
    const { summary, ran } = await index(mill, node, run, out)
    endRun(out)
    await node.stop()
    await clearRest(mill, run)
    await mill.close()
    if (json) console.log(JSON.stringify({ ...summary, store: run.store }))
    else tell(summary, run, store, ran, (performance.now() - startedAt) / 1000)
  } catch (error) {
    // What was under way when Ctrl-C closed the store fails with it.
    if (isInterrupted) return
    process.exitCode = tellFailure(error)
    if (node !== undefined) console.error('  What is done is kept: the same command goes on where it was.')
    await node?.stop({ now: true })
    await mill?.close()
  }
}

/** Runs what is not done of a run. */
async function index(
  mill: Millrace,
  node: NodeHandle,
  run: Run,
  out: string,
): Promise<{ readonly summary: Summary; readonly ran: number }> {
  const { job, done } = await enqueueAll(mill, run, out)
  const progress = startProgress(run.paths.length, done)
  const looks = setInterval(() => progress.update(Math.min(done + node.jobsDone, run.paths.length)), LOOK_MS)
  // A node that none of its workers could start for rejects; one that was stopped says nothing, as Ctrl-C says it.
  const lost = node.done.then(() => new Promise<never>(() => {}))
  try {
    const summary = await Promise.race([job.result(), lost])
    return { summary, ran: run.paths.length - done }
  } finally {
    clearInterval(looks)
    progress.end(run.paths.length)
  }
}

function tell(summary: Summary, run: Run, { flag, isSecret }: NamedStore, ran: number, seconds: number): void {
  const count = (value: number) => value.toLocaleString('en')
  const { files, text, binary, failed } = summary
  console.log(`
${count(files)} files (${count(text)} text, ${count(binary)} binary, ${count(failed)} not read), ${size(summary.bytes)}, ${count(summary.lines)} lines
${count(ran)} jobs in ${seconds.toFixed(1)} s in ${run.store}

  ${shortPath(summary.reportHtml)}   to read
  ${shortPath(summary.reportJson)}   for programs

Next${isSecret ? ', with MILLRACE_STORE set to the URL of the store' : ''}
  npx millrace queue stats ${run.queue}${flag}
  npx millrace dead list --queue ${run.queue}${flag}
  npm start -- ~/some/folder        and press Ctrl-C half-way, then run it again`)
}
