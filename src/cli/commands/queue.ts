/** `millrace queue list | show | stats | pause | resume | clear`. */

import { COUNTED_TO } from '../../core/job/limits.ts'
import { JOB_STATES, type JobState } from '../../core/job/state.ts'
import { nearest } from '../../core/suggest.ts'
import type { QueueInfo, QueueStats } from '../../store/contract/index.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { countText, type Output, paint, printJson, say, spanText, timeText } from '../output.ts'
import { NOTHING_CHANGED, previewJson, someOf, tellPreview } from '../preview.ts'
import type { CommandSpec } from '../program.ts'
import { progressBar } from '../progress.ts'
import { type Column, printRows } from '../table.ts'
import { DRY_RUN } from './job-where.ts'

/** The commands of this file. */
export const COMMANDS: readonly CommandSpec[] = [
  { path: 'queue list', aliases: ['queue:list'], summary: 'every queue with its depth', run: list },
  { path: 'queue show', aliases: ['queue:show'], args: '<queue>', summary: 'one queue', run: stats },
  {
    path: 'queue stats',
    aliases: ['queue:stats'],
    args: '[queue]',
    summary: 'depth, outcomes, waiting and run times',
    run: stats,
  },
  {
    path: 'queue pause',
    aliases: ['queue:pause'],
    args: '<queue>',
    summary: 'claim nothing more from a queue; what runs goes on',
    options: [['--reason <text>', 'shown wherever the queue is']],
    run: (context, [queue = ''], options) =>
      context.withMill(async (mill) => {
        const known = (await mill.queues.list()).map(({ name }) => name)
        await mill.queues.pause(queue, typeof options.reason === 'string' ? { reason: options.reason } : {})
        const near = known.includes(queue) ? undefined : nearest(queue, known)
        if (near !== undefined) say(context.output, `! No job is in ${queue}. Did you mean ${near}?`)
        return told(context, queue, 'paused')
      }),
  },
  {
    path: 'queue resume',
    aliases: ['queue:resume'],
    args: '<queue>',
    summary: 'claim from a paused queue again',
    run: (context, [queue = '']) =>
      context.withMill(async (mill) => {
        await mill.queues.resume(queue)
        return told(context, queue, 'resumed')
      }),
  },
  {
    path: 'queue clear',
    aliases: ['queue:clear', 'queue:purge'],
    args: '<queue>',
    summary: 'delete the waiting jobs of a queue; this cannot be undone',
    options: [DRY_RUN],
    run: (context, [queue = ''], options) => clear(context, queue, options.dryRun === true),
  },
]

const NONE = 'No queue has live jobs or settings. Where all jobs have ended: millrace queue stats QUEUE'

async function list(context: Context): Promise<ExitCode> {
  const { output } = context
  const queues = await context.withMill((mill) => mill.queues.list())
  if (output.json) {
    printJson({ data: queues })
    return EXIT.ok
  }
  if (queues.length === 0) say(output, NONE)
  else
    await printRows(
      output,
      COLUMNS,
      queues.map((queue) => rowOf(context, queue)),
    )
  return EXIT.ok
}

const COLUMNS: readonly Column[] = [
  { head: 'queue', shrinkTo: 10 },
  { head: 'pending', isNumber: true },
  { head: 'oldest', drop: 1, isNumber: true },
  { head: 'processing', isNumber: true },
  { head: 'scheduled', drop: 3, isNumber: true },
  { head: 'retrying', drop: 4, isNumber: true },
  { head: 'blocked', drop: 5, isNumber: true },
  { head: 'paused', shrinkTo: 12 },
]

function rowOf(context: Context, queue: QueueInfo): readonly string[] {
  const { output } = context
  const count = (state: JobState) => depthText(output, queue.counts[state] ?? 0)
  const oldest = queue.oldestPendingAt === null ? null : new Date(queue.oldestPendingAt)
  return [
    queue.name,
    count('pending'),
    oldest === null && output.isTerminal ? '' : timeText(output, oldest).replace(/ ago$/, ''),
    count('processing'),
    count('scheduled'),
    count('retrying'),
    count('blocked'),
    queue.pausedAt === null ? '' : pausedText(queue),
  ]
}

/** A count of the store's, which counts no further than its cap. */
function depthText(output: Output, count: number): string {
  return count >= COUNTED_TO ? `${COUNTED_TO.toLocaleString('en')}+` : countText(output, count)
}

function pausedText(queue: QueueInfo): string {
  const why = queue.pauseReason ? `: ${queue.pauseReason}` : ''
  return `by ${queue.pausedBy ?? 'somebody'}${why}`
}

async function stats(context: Context, [queue]: readonly string[]): Promise<ExitCode> {
  const { output } = context
  return await context.withMill(async (mill) => {
    const names = queue === undefined ? (await mill.queues.list()).map(({ name }) => name) : [queue]
    const all: QueueStats[] = []
    for (const name of names) all.push(await mill.queues.stats(name))
    if (output.json) printJson(queue === undefined ? { data: all } : all[0])
    else if (all.length === 0) say(output, NONE)
    else for (const one of all) printStats(context, one)
    return EXIT.ok
  })
}

function printStats(context: Context, queue: QueueStats): void {
  const { output } = context
  const line = (name: string, value: string) =>
    console.log(
      output.isTerminal ? `  ${paint(output, 'dim', name.padEnd(10))} ${value}` : `${queue.name}\t${name}\t${value}`,
    )
  if (output.isTerminal) console.log(paint(output, 'bold', queue.name))
  if (queue.pausedAt !== null) line('paused', pausedText(queue))
  for (const state of JOB_STATES) {
    const ended = state === 'completed' || state === 'failed' || state === 'cancelled'
    const count = ended ? queue.finished[state] : (queue.counts[state] ?? 0)
    line(state, depthText(output, count))
  }
  for (const [name, times] of [
    ['wait', queue.waitMs],
    ['run', queue.runMs],
  ] as const) {
    if (times === null) continue
    line(name, `p50 ${spanText(times.p50)}  p95 ${spanText(times.p95)}  p99 ${spanText(times.p99)}`)
  }
}

async function clear(context: Context, queue: string, isDry: boolean): Promise<ExitCode> {
  const { output } = context
  return await context.withMill(async (mill) => {
    await mill.queues.stats(queue)
    const preview = await mill.preview({ queue, state: ['pending', 'scheduled', 'retrying'] })
    const { count, capped } = preview
    if (count > 0) tellPreview(output, preview, ['waiting job', 'waiting jobs'])
    else say(output, `Nothing waits in ${queue}.`)
    if (isDry) {
      if (output.json) printJson({ queue, ...previewJson(preview) })
      else say(output, NOTHING_CHANGED)
      return EXIT.ok
    }
    if (count === 0) {
      if (output.json) printJson({ queue, removed: 0 })
      return EXIT.ok
    }
    const what = `Delete ${someOf(['waiting job', 'waiting jobs'], count, capped)} of ${queue}`
    if (!(await context.confirm(what, { warning: 'This cannot be undone.', count }))) return EXIT.refused
    const bar = await progressBar(output, 'Clearing', capped ? undefined : count)
    try {
      const removed = await mill.queues.clear(queue, { onProgress: (done) => bar.update(done) })
      bar.stop()
      if (output.json) printJson({ queue, removed })
      else say(output, `Deleted ${countText(output, removed)} jobs of ${queue}.`)
      return EXIT.ok
    } finally {
      bar.stop()
    }
  })
}

function told(context: Context, queue: string, done: string): ExitCode {
  if (context.output.json) printJson({ queue, done })
  else say(context.output, `${queue} is ${done}.`)
  return EXIT.ok
}
