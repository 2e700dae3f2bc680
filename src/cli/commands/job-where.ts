/** Changes of all jobs of a filter: what they would meet is shown and asked about, then done with a bar. */
import type { WhereOptions, WhereResult } from '../../client/control-where.ts'
import type { JobQuery } from '../../client/query.ts'
import { MillraceError } from '../../core/errors.ts'
import type { Millrace } from '../../runtime/millrace.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { clean, paint, printJson, say, timeText } from '../output.ts'
import { progressBar } from '../progress.ts'

/** The flag that all of them take. */
export const WHERE = [
  '--where <filter>',
  "which jobs, for example 'state:failed age>10m'; see docs/filters.md",
] as const

/** A change of all jobs of a filter. */
export interface WhereChange {
  /** As it is asked about: "Delete 3 jobs?" */
  readonly verb: string
  readonly callWhere: (mill: Millrace, query: JobQuery, options: WhereOptions) => Promise<WhereResult>
  /** The outcomes that are what was asked for. */
  readonly good: readonly string[]
  readonly isFinal?: boolean
}

/** Samples that are shown before asking. */
const SAMPLES = 3

/**
 * Shows how many jobs match and some of them, asks, and changes them. Ends with 0 when nothing matches, with 1 when some that
 * matched could not be changed.
 */
export async function changeWhere(
  context: Context,
  query: JobQuery,
  { verb, callWhere, good, isFinal }: WhereChange,
  noun: readonly [one: string, many: string] = ['job', 'jobs'],
): Promise<ExitCode> {
  const { output } = context
  // A shell's variable that is empty by mistake shall not name every job.
  if (query.where?.trim() === '') {
    throw new MillraceError('USAGE', 'the filter is empty, which names every job', {
      hint: "Say which jobs, for example --where 'state:failed'",
    })
  }
  const some = (count: number, capped = false) =>
    `${count.toLocaleString('en')}${capped ? '+' : ''} ${count === 1 ? noun[0] : noun[1]}`
  return await context.withMill(async (mill) => {
    const { count, capped, jobs } = await mill.preview(query)
    if (count === 0) {
      if (output.json) printJson({ done: 0, matched: 0, outcomes: {} })
      else say(output, `No ${noun[0]} matches.`)
      return EXIT.ok
    }
    if (context.isAsking) {
      say(output, `${some(count, capped)} ${count === 1 ? 'matches' : 'match'}:`)
      const shown = jobs.slice(0, SAMPLES)
      const widest = (texts: readonly string[]) => Math.max(...texts.map((text) => text.length))
      const [names, queues] = [shown.map((job) => clean(job.name)), shown.map((job) => clean(job.queue))]
      for (const [i, job] of shown.entries()) {
        const error = job.error === null ? '' : `  ${clean(`${job.error.name}: ${job.error.message}`)}`
        const start = `  ${job.id}  ${(names[i] ?? '').padEnd(widest(names))}  ${(queues[i] ?? '').padEnd(widest(queues))}`
        const line = `${start}  ${job.state}  ${timeText({ ...output, isTerminal: true }, job.createdAt)}${error}`
        say(output, paint(output, 'dim', cut(line, process.stderr.columns ?? 120)))
      }
      if (count > shown.length) say(output, paint(output, 'dim', `  … and ${some(count - shown.length, capped)} more`))
    }
    const warning = isFinal === true ? 'This cannot be undone.' : ''
    if (!(await context.confirm(`${verb} ${some(count, capped)}`, warning))) return EXIT.refused
    const bar = await progressBar(output, verb, capped ? undefined : count)
    const result = await callWhere(mill, query, { onProgress: ({ matched }) => bar.update(matched) }).finally(() =>
      bar.stop(),
    )
    return tell(context, result, good, some)
  })
}

/** Prints what became of them: how many had each outcome, those first that were asked for. */
function tell(
  context: Context,
  result: WhereResult,
  good: readonly string[],
  some: (count: number) => string,
): ExitCode {
  const { output } = context
  const entries = Object.entries(result.outcomes)
  const done = entries.filter(([outcome]) => good.includes(outcome))
  const left = entries.filter(([outcome]) => !good.includes(outcome))
  const count = (list: typeof entries) => list.reduce((sum, [, one]) => sum + one, 0)
  if (output.json) printJson({ done: count(done), ...result })
  else {
    for (const [outcome, count] of done) say(output, `${paint(output, 'green', '✓')} ${some(count)} ${outcome}.`)
    for (const [outcome, count] of left) say(output, `! ${some(count)} left: ${LEFT[outcome] ?? outcome}`)
    if (entries.length === 0) say(output, 'None of them matched any more.')
  }
  return left.length === 0 ? EXIT.ok : EXIT.failed
}

/** Why jobs were left as they are, and what to do. */
const LEFT: Readonly<Record<string, string>> = {
  final: 'already ended. Put them back with: millrace job retry',
  processing: 'running. Stop them first with: millrace job cancel',
  live: 'running, or waiting to run as soon as they can.',
  missing: 'gone meanwhile.',
}

function cut(line: string, width: number): string {
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`
}
