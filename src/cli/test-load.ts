/** `millrace test --count N`: makes test jobs, runs them with a worker of its own, and tells how it went. */

import { MillraceError } from '../core/errors.ts'
import type { Priority } from '../core/job/priority.ts'
import type { Millrace } from '../runtime/millrace.ts'
import type { Context } from './context.ts'
import { EXIT, type ExitCode } from './failure.ts'
import { paint, printJson } from './output.ts'
import { load } from './probe.ts'

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
}

interface Tally {
  completed: number
  failed: number
  readonly runMs: number[]
  readonly failures: Map<string, number>
}

/** Ends with 0 when every job ended as it should, 1 when not, 4 when not in time. */
export async function runMany(context: Context, options: LoadOptions): Promise<ExitCode> {
  const { output } = context
  return await context.withMill(async (mill) => {
    const tally: Tally = { completed: 0, failed: 0, runMs: [], failures: new Map() }
    const enqueueMs = await timed(() => enqueue(mill, options))
    const failing = Math.round(options.count * options.failRate)
    const workMs = await timed(() => runAll(mill, options, tally, output.quiet || output.json))
    tally.runMs.sort((a, b) => a - b)
    const at = (part: number) =>
      tally.runMs[Math.min(tally.runMs.length - 1, Math.floor(part * tally.runMs.length))] ?? 0
    const stats = {
      count: options.count,
      completed: tally.completed,
      failed: tally.failed,
      enqueuedPerSecond: perSecond(options.count, enqueueMs),
      processedPerSecond: perSecond(tally.completed + tally.failed, workMs),
      runMs: { p50: at(0.5), p95: at(0.95), p99: at(0.99) },
      failures: Object.fromEntries(tally.failures),
    }
    if (output.json) printJson(stats)
    else tell(context, stats)
    if (tally.completed + tally.failed < options.count) {
      throw new MillraceError(
        'WAIT_TIMEOUT',
        `${options.count - tally.completed - tally.failed} of ${options.count} test jobs did not end in time`,
      )
    }
    return tally.failed === failing ? EXIT.ok : EXIT.failed
  })
}

async function enqueue(mill: Millrace, options: LoadOptions): Promise<void> {
  const failing = Math.round(options.count * options.failRate)
  const filling = 'x'.repeat(options.payloadBytes)
  const chunk = Math.max(1, Math.min(1000, Math.floor(4_000_000 / (options.payloadBytes + 100))))
  for (let from = 0; from < options.count; from += chunk) {
    const inputs = Array.from({ length: Math.min(chunk, options.count - from) }, (_, i) => ({
      fails: from + i < failing,
      runMs: options.runMs,
      filling,
    }))
    await mill.enqueueMany(load, inputs, { queue: options.queue, priority: options.priority, delay: options.delayMs })
  }
}

/** Works until as many ended as were made, or the time is over. */
async function runAll(mill: Millrace, options: LoadOptions, tally: Tally, isQuiet: boolean): Promise<void> {
  const bar = await progress(options.count, isQuiet)
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, Math.min(options.timeoutMs, 2 ** 31 - 1))
  const off = mill.on('job.settled', ({ name, outcome, durationMs, error }) => {
    if (name !== load.name) return
    if (outcome === 'completed') tally.completed++
    else if (outcome === 'failed') tally.failed++
    else return
    tally.runMs.push(durationMs)
    if (error !== undefined) tally.failures.set(error, (tally.failures.get(error) ?? 0) + 1)
    const done = tally.completed + tally.failed
    if (done % 100 === 0) bar?.update(done)
    if (done === options.count) resolve()
  })
  const worker = mill.work([load], { concurrency: 100, queues: [options.queue] })
  await promise
  clearTimeout(timer)
  off()
  bar?.stop()
  await worker.stop()
}

async function progress(total: number, isQuiet: boolean) {
  if (isQuiet || !process.stderr.isTTY) return undefined
  const { SingleBar } = await import('cli-progress')
  const bar = new SingleBar({
    format: 'Running  {bar}  {percentage} %  {value}/{total}  ETA {eta_formatted}',
    hideCursor: true,
  })
  bar.start(total, 0)
  return bar
}

function tell(
  context: Context,
  stats: Readonly<Record<string, unknown>> & { readonly failures: Readonly<Record<string, number>> },
): void {
  for (const [name, value] of Object.entries(stats)) {
    if (name === 'failures') continue
    const text =
      typeof value === 'object'
        ? Object.entries(value ?? {})
            .map(([key, ms]) => `${key} ${Number(ms).toFixed(1)} ms`)
            .join('  ')
        : Number(value).toLocaleString('en')
    console.log(`${paint(context.output, 'dim', name.padEnd(20))} ${text}`)
  }
  for (const [error, count] of Object.entries(stats.failures))
    console.log(`${paint(context.output, 'red', '✕')} ${count} × ${error}`)
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

function perSecond(count: number, ms: number): number {
  return Math.round((count / Math.max(1, ms)) * 1000)
}
