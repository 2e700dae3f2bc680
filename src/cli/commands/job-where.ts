/** Changes of all jobs of a filter: what they would meet is shown and asked about, then done with a bar. */
import type { WhereOptions, WhereResult } from '../../client/control-where.ts'
import type { JobQuery } from '../../client/query.ts'
import { MillraceError } from '../../core/errors.ts'
import type { Millrace } from '../../runtime/millrace.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { paint, printJson, say } from '../output.ts'
import { NOTHING_CHANGED, type Noun, previewJson, someOf, tellPreview } from '../preview.ts'
import { progressBar } from '../progress.ts'

/** The flag that all of them take. */
export const WHERE = [
  '--where <filter>',
  "which jobs, for example 'state:failed age>10m'; see docs/filters.md",
] as const

/** The flag of what changes jobs. */
export const DRY_RUN = ['--dry-run', 'only show how many jobs it would meet, and some of them'] as const

/** A change of all jobs of a filter. */
export interface WhereChange {
  /** As it is asked about: "Delete 3 jobs?" */
  readonly verb: string
  readonly callWhere: (mill: Millrace, query: JobQuery, options: WhereOptions) => Promise<WhereResult>
  /** The outcomes that are what was asked for. */
  readonly good: readonly string[]
  readonly isFinal?: boolean
}

/**
 * Shows how many jobs match and some of them, asks, and changes them. Ends with 0 when nothing matches, with 1 when some that
 * matched could not be changed, with 130 when Ctrl-C stopped it between two transactions.
 */
export async function changeWhere(
  context: Context,
  query: JobQuery,
  how: WhereChange,
  isDry = false,
  noun: Noun = ['job', 'jobs'],
): Promise<ExitCode> {
  const { output } = context
  // A shell's variable that is empty by mistake shall not name every job.
  if (query.where?.trim() === '') {
    throw new MillraceError('USAGE', 'the filter is empty, which names every job', {
      hint: "Say which jobs, for example --where 'state:failed'",
    })
  }
  return await context.withMill(async (mill) => {
    const preview = await mill.preview(query)
    const { count, capped } = preview
    if (count > 0) tellPreview(output, preview, noun)
    else say(output, `No ${noun[0]} matches.`)
    if (isDry) {
      if (output.json) printJson(previewJson(preview))
      else say(output, NOTHING_CHANGED)
      return EXIT.ok
    }
    if (count === 0) {
      if (output.json) printJson({ done: 0, matched: 0, outcomes: {} })
      return EXIT.ok
    }
    const warning = how.isFinal === true ? 'This cannot be undone.' : ''
    if (!(await context.confirm(`${how.verb} ${someOf(noun, count, capped)}`, { warning, count }))) return EXIT.refused
    return await run(context, mill, query, how, noun, capped ? undefined : count)
  })
}

/** Changes them with a bar; Ctrl-C stops after the transaction under way. What was done is told however it ends. */
async function run(
  context: Context,
  mill: Millrace,
  query: JobQuery,
  { verb, callWhere, good }: WhereChange,
  noun: Noun,
  total: number | undefined,
): Promise<ExitCode> {
  const stop = new AbortController()
  const onInterrupt = () => stop.abort()
  process.once('SIGINT', onInterrupt)
  const bar = await progressBar(context.output, verb, total)
  try {
    const onProgress = ({ matched }: WhereResult) => bar.update(matched)
    const result = await callWhere(mill, query, { signal: stop.signal, onProgress }).finally(() => bar.stop())
    return tell(context, result, good, noun)
  } catch (error) {
    const done = doneBefore(error)
    if (done === undefined || !(error instanceof MillraceError)) throw error
    if (context.output.json ? stop.signal.aborted : done.matched > 0) tell(context, done, good, noun)
    if (stop.signal.aborted) {
      say(context.output, 'Stopped. Run it again to go on with the rest.')
      return EXIT.interrupted
    }
    throw new MillraceError(error.code, error.message, {
      fields: error.fields,
      hint: 'What was done is committed. Run it again to go on with the rest.',
      cause: error,
    })
  } finally {
    process.removeListener('SIGINT', onInterrupt)
  }
}

/** What a call that stopped half-way has behind it. */
function doneBefore(error: unknown): WhereResult | undefined {
  if (!(error instanceof MillraceError) || error.code !== 'BULK_PARTIAL') return undefined
  const { matched, outcomes } = error.fields
  // As `changeAllWhere` of the client makes them.
  return typeof matched === 'number' ? { matched, outcomes: outcomes as WhereResult['outcomes'] } : undefined
}

/** Prints what became of them: how many had each outcome, those first that were asked for. */
function tell(context: Context, result: WhereResult, good: readonly string[], noun: Noun): ExitCode {
  const { output } = context
  const entries = Object.entries(result.outcomes)
  const done = entries.filter(([outcome]) => good.includes(outcome))
  const left = entries.filter(([outcome]) => !good.includes(outcome))
  const count = (list: typeof entries) => list.reduce((sum, [, one]) => sum + one, 0)
  if (output.json) printJson({ done: count(done), ...result })
  else {
    for (const [outcome, one] of done) say(output, `${paint(output, 'green', '✓')} ${someOf(noun, one)} ${outcome}.`)
    for (const [outcome, one] of left) say(output, `! ${someOf(noun, one)} left: ${LEFT[outcome] ?? outcome}`)
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
