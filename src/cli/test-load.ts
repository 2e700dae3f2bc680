/**
 * `millrace test --count N`: makes test jobs, waits until they have ended, and tells how it went. The jobs of a run carry its
 * tag, and what became of them is read from the store: so it does not matter whose workers ran them.
 */
import { newId } from '../base/id.ts'
import { ALIVE_WITHIN_MS } from '../core/alive.ts'
import { MillraceError } from '../core/errors.ts'
import type { Priority } from '../core/job/priority.ts'
import type { Millrace } from '../runtime/millrace.ts'
import type { Context } from './context.ts'
import { EXIT, type ExitCode } from './failure.ts'
import { clean, paint, printJson, say } from './output.ts'
import { load } from './probe.ts'
import { progressBar } from './progress.ts'

/** What a run is made of. */
export interface LoadOptions {
  readonly count: number
  readonly queue: string
  readonly priority: Priority
  readonly delayMs: number
  /** 0 to 1. */
  readonly failRate: number
  readonly runMs: number
  readonly payloadBytes: number
  readonly timeoutMs: number
  /** With false, workers that are there already have to do it. */
  readonly worker: boolean
}

/** One run: its jobs are those with its tag, made after it began. */
interface LoadRun {
  readonly tag: string
  readonly createdAfter: Date
}

interface Times {
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** Jobs whose times are looked at: enough for a p99, and read in a second. */
const SAMPLE = 10_000

/** Ends with 0 when every job ended as it should, 1 when not, 4 when not in time. */
export async function runMany(context: Context, options: LoadOptions): Promise<ExitCode> {
  const { output } = context
  return await context.withMill(async (mill) => {
    const run = { tag: `test-${newId().slice(-12)}`, createdAfter: new Date(Date.now() - 60_000) }
    const failing = Math.round(options.count * options.failRate)
    const enqueueMs = await timed(() => enqueue(context, mill, options, run))
    const helper = await startHelper(mill, options)
    if (!output.json)
      say(
        output,
        helper === undefined
          ? 'Workers that are alive run them.'
          : 'No worker is alive for them: this process runs them.',
      )
    const workMs = await timed(() => waitForAll(context, mill, options, run))
    await helper?.stop()
    const [completed, failed] = [await ended(mill, run, ['completed']), await ended(mill, run, ['failed'])]
    const cancelled = completed + failed < options.count ? await cancelRest(mill, run) : 0
    const stats = {
      count: options.count,
      completed,
      failed,
      cancelled,
      enqueuedPerSecond: perSecond(options.count, enqueueMs),
      processedPerSecond: perSecond(completed + failed, workMs),
      ...(await timesOf(mill, run)),
      failures: await failuresOf(mill, run),
    }
    if (output.json) printJson(stats)
    else tell(context, stats, failing)
    if (completed + failed < options.count) {
      throw new MillraceError(
        'WAIT_TIMEOUT',
        `${options.count - completed - failed} of ${options.count} test jobs did not end in time; they are cancelled`,
        {
          fields: { ended: completed + failed, count: options.count },
          hint: 'Start a worker with: millrace work   or give it more time with --timeout.',
        },
      )
    }
    return failed === failing ? EXIT.ok : EXIT.failed
  })
}

async function enqueue(context: Context, mill: Millrace, options: LoadOptions, run: LoadRun): Promise<void> {
  const failing = Math.round(options.count * options.failRate)
  const filling = 'x'.repeat(options.payloadBytes)
  const chunk = Math.max(1, Math.min(1000, Math.floor(4_000_000 / (options.payloadBytes + 100))))
  const bar = await progressBar(context.output, 'Enqueueing', options.count)
  try {
    for (let from = 0; from < options.count; from += chunk) {
      const inputs = Array.from({ length: Math.min(chunk, options.count - from) }, (_, i) => ({
        fails: from + i < failing,
        runMs: options.runMs,
        filling,
      }))
      const { queue, priority, delayMs } = options
      await mill.enqueueMany(load, inputs, { queue, priority, delay: delayMs, tags: [run.tag] })
      bar.update(from + inputs.length)
    }
  } finally {
    bar.stop()
  }
}

/** A worker of this process, when none is alive that would run the jobs. */
async function startHelper(mill: Millrace, options: LoadOptions) {
  if (!options.worker) return undefined
  const isServed = (await mill.store.cluster.nodes(ALIVE_WITHIN_MS)).some(
    ({ names, queues }) => names.includes(load.name) && (queues === null || queues.includes(options.queue)),
  )
  return isServed ? undefined : mill.work([load], { concurrency: 100, queues: [options.queue] })
}

async function waitForAll(context: Context, mill: Millrace, options: LoadOptions, run: LoadRun): Promise<void> {
  const bar = await progressBar(context.output, 'Running', options.count)
  const deadline = performance.now() + options.timeoutMs
  try {
    for (;;) {
      const startedAt = performance.now()
      const done = await ended(mill, run, ['completed', 'failed', 'cancelled'], options.count)
      bar.update(done)
      if (done >= options.count || performance.now() > deadline) return
      // Counting must not take the store from those who work.
      const restMs = Math.max(50, 10 * (performance.now() - startedAt))
      await new Promise((resolve) => setTimeout(resolve, restMs))
    }
  } finally {
    bar.stop()
  }
}

type Ended = 'completed' | 'failed' | 'cancelled'

async function ended(mill: Millrace, run: LoadRun, states: readonly Ended[], cap = 1_000_000_000): Promise<number> {
  return (await mill.count({ ...run, state: states }, cap)).count
}

async function cancelRest(mill: Millrace, run: LoadRun): Promise<number> {
  let cancelled = 0
  for (let cursor: string | undefined; ; ) {
    const page = await mill.list({
      ...run,
      state: ['pending', 'scheduled', 'blocked'],
      limit: 200,
      ...(cursor !== undefined && { cursor }),
    })
    cancelled += (await mill.cancel(page.jobs.map(({ id }) => id))).length
    cursor = page.next
    if (cursor === undefined) return cancelled
  }
}

async function timesOf(mill: Millrace, run: LoadRun): Promise<{ readonly waitMs: Times; readonly runMs: Times }> {
  const [wait, runs]: [number[], number[]] = [[], []]
  for (let cursor: string | undefined; wait.length < SAMPLE; ) {
    const page = await mill.list({
      ...run,
      state: ['completed', 'failed'],
      limit: 200,
      ...(cursor !== undefined && { cursor }),
    })
    for (const { history, createdAt, runAt } of page.jobs) {
      const last = history.at(-1)
      if (last === undefined) continue
      wait.push(Math.max(0, last.startedAt.getTime() - Math.max(createdAt.getTime(), runAt.getTime())))
      runs.push(last.endedAt.getTime() - last.startedAt.getTime())
    }
    cursor = page.next
    if (cursor === undefined) break
  }
  return { waitMs: percentiles(wait), runMs: percentiles(runs) }
}

async function failuresOf(mill: Millrace, run: LoadRun): Promise<Readonly<Record<string, number>>> {
  const failures = new Map<string, number>()
  for (let cursor: string | undefined, seen = 0; seen < SAMPLE; ) {
    const page = await mill.list({ ...run, state: 'failed', limit: 200, ...(cursor !== undefined && { cursor }) })
    for (const { error, reason } of page.jobs) {
      const text = error === null ? String(reason) : `${error.name}: ${error.message}`
      failures.set(text, (failures.get(text) ?? 0) + 1)
    }
    seen += page.jobs.length
    cursor = page.next
    if (cursor === undefined) break
  }
  return Object.fromEntries(failures)
}

interface Stats {
  readonly count: number
  readonly completed: number
  readonly failed: number
  readonly cancelled: number
  readonly enqueuedPerSecond: number
  readonly processedPerSecond: number
  readonly waitMs: Times
  readonly runMs: Times
  readonly failures: Readonly<Record<string, number>>
}

function tell({ output }: Context, stats: Stats, failing: number): void {
  const line = (name: string, text: string) => console.log(`  ${paint(output, 'dim', name.padEnd(10))} ${text}`)
  const number = (value: number) => value.toLocaleString('en')
  const times = ({ p50, p95, p99 }: Times) => `p50 ${number(p50)} ms   p95 ${number(p95)} ms   p99 ${number(p99)} ms`
  line('enqueued', `${number(stats.count)}   ${number(stats.enqueuedPerSecond)}/s`)
  line('processed', `${number(stats.completed + stats.failed)}   ${number(stats.processedPerSecond)}/s`)
  line('completed', number(stats.completed))
  line('failed', `${number(stats.failed)}${failing > 0 ? `   ${number(failing)} were made to fail` : ''}`)
  if (stats.cancelled > 0) line('cancelled', number(stats.cancelled))
  line('waited', times(stats.waitMs))
  line('ran', times(stats.runMs))
  for (const [error, count] of Object.entries(stats.failures))
    console.log(`${paint(output, 'red', '✕')} ${number(count)} × ${clean(error)}`)
}

function percentiles(values: number[]): Times {
  values.sort((a, b) => a - b)
  const at = (part: number) => values[Math.min(values.length - 1, Math.floor(part * values.length))] ?? 0
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

function perSecond(count: number, ms: number): number {
  return Math.round((count / Math.max(1, ms)) * 1000)
}
