/**
 * Folder index: reads every file of a folder, one durable job each, and writes a report of them.
 *
 * Stop it with Ctrl-C or `kill -9` and start it again: it goes on where it was, and each file is in the report once. The plan
 * is in run.ts, the kinds of jobs in jobs.ts, what each does in index-file.ts, fold.ts and report.ts.
 */
import { mkdirSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { type JobHandle, Millrace } from 'millrace'
import { HELP, readArgs, USAGE } from './args.ts'
import { foldHandler } from './fold.ts'
import indexFileHandler from './index-file.ts'
import { FOLD_SIZE, fold, indexFile, report, type Summary } from './jobs.ts'
import { size } from './page.ts'
import { startProgress } from './progress.ts'
import { reportHandler } from './report.ts'
import { beginRun, endRun, jobId, type Run, unfinishedRun } from './run.ts'

const PROJECT = resolve(import.meta.dirname, '../..')
const CONCURRENCY = 16
const INTERRUPTED = 130

let isInterrupted = false
const args = readArgs(process.argv.slice(2), PROJECT)
if (args === HELP) console.log(USAGE)
else if (typeof args === 'string') {
  console.error(`${args}\n\n${USAGE}`)
  process.exitCode = 2
} else {
  await main(args.root, args.out, args.json).catch((error) => {
    // What was under way when Ctrl-C closed the store fails with it.
    if (!isInterrupted) throw error
  })
}

async function main(root: string, out: string, json: boolean): Promise<void> {
  const startedAt = performance.now()
  let stop = async () => {}
  process.once('SIGINT', () => {
    isInterrupted = true
    void stop().then(sayHowToGoOn)
  })
  mkdirSync(out, { recursive: true })
  const run = await planRun(root, out)
  const store = `sqlite:${join(out, 'index.db')}`
  const mill = await Millrace.open({ store })
  const handlers = [indexFileHandler, foldHandler(mill), reportHandler(mill)]
  // A short lease: what a killed run held is taken up again a few seconds after the next one starts.
  const worker = mill.work(handlers, { concurrency: CONCURRENCY, lease: '3s' })
  stop = async () => {
    await worker.stop({ now: true })
    await mill.close()
  }

  const { job, done } = await enqueueAll(mill, run, out)
  const progress = startProgress(run.paths.length, done)
  let finished = done
  mill.on('job.settled', ({ name, outcome }) => {
    if (name === indexFile.name && (outcome === 'completed' || outcome === 'failed')) progress.update(++finished)
  })
  const summary = await job.result()
  progress.end()
  endRun(out)
  await mill.close()
  if (json) console.log(JSON.stringify(summary))
  else tell(summary, (performance.now() - startedAt) / 1000, run.paths.length - done, join(out, 'index.db'))
}

/** The run to go on with, or a new one. */
async function planRun(root: string, out: string): Promise<Run> {
  const before = unfinishedRun(out)
  if (before?.root === root) {
    console.error(`Going on with the run of ${new Date(before.startedAt).toISOString()} over ${root}`)
    return before
  }
  if (before !== null) console.error(`The unfinished run over ${before.root} is dropped.`)
  return await beginRun(root, out)
}

/** Enqueues what is not there yet, and tells how many files were done before. */
async function enqueueAll(mill: Millrace, run: Run, out: string): Promise<{ job: JobHandle<Summary>; done: number }> {
  const folds: JobHandle[] = []
  let done = 0
  for (let i = 0; i < run.paths.length; i += FOLD_SIZE) {
    const paths = run.paths.slice(i, i + FOLD_SIZE)
    // Calls that are in flight together travel in one statement.
    const files = await Promise.all(
      paths.map((path) => mill.enqueue(indexFile, { root: run.root, path }, { id: jobId(run, path) })),
    )
    done += files.filter(({ state }) => state === 'completed' || state === 'failed').length
    const ids = files.map(({ id }) => id)
    const dependsOn = ids.map((id) => ({ job: id, onFailure: 'proceed' as const }))
    folds.push(await mill.enqueue(fold, { jobs: ids }, { id: jobId(run, `/fold ${i}`), dependsOn }))
  }
  const input = { root: run.root, out, folds: folds.map(({ id }) => id) }
  const job = await mill.enqueue(report, input, { id: jobId(run, '/report'), dependsOn: folds })
  return { job, done }
}

function sayHowToGoOn(): void {
  console.error('\nStopped. The same command goes on where it was.')
  process.exit(INTERRUPTED)
}

function tell(summary: Summary, seconds: number, ran: number, db: string): void {
  const here = (path: string) => relative(process.cwd(), path) || path
  const store = `sqlite:${here(db)}`
  const { files, text, binary, failed } = summary
  console.log(`
${files.toLocaleString('en')} files (${text.toLocaleString('en')} text, ${binary.toLocaleString('en')} binary, ${failed.toLocaleString('en')} not read), ${size(summary.bytes)}, ${summary.lines.toLocaleString('en')} lines
${ran.toLocaleString('en')} jobs in ${seconds.toFixed(1)} s

  ${here(summary.reportHtml)}   to read
  ${here(summary.reportJson)}   for programs

Next
  npx millrace queue stats files --store ${store}
  npx millrace dead list --store ${store}
  npm start -- ~/some/folder        and press Ctrl-C half-way, then run it again`)
}
