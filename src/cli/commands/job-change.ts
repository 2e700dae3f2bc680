/** `millrace job retry | cancel | delete | move | priority`: changes jobs by id, saying for each what became of it, or by filter. */
import type { Outcomes } from '../../client/control.ts'
import { MillraceError } from '../../core/errors.ts'
import type { Millrace } from '../../runtime/millrace.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { printJson, say } from '../output.ts'
import type { CommandSpec } from '../program.ts'
import { printRows } from '../table.ts'
import { priorityOf } from '../values.ts'
import { changeWhere, WHERE, type WhereChange } from './job-where.ts'

/** The commands of this file. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    path: 'job retry',
    aliases: ['job:retry', 'queue:retry'],
    args: '[id...]',
    summary: 'put ended jobs back with a fresh retry budget; make waiting ones due now',
    options: [WHERE],
    examples: ["millrace job retry --where 'state:failed error:timeout created>1h'"],
    run: (context, ids, options) => changeEither(context, ids, options, RETRY),
  },
  {
    path: 'job cancel',
    aliases: ['job:cancel'],
    args: '[id...]',
    summary: 'cancel waiting jobs; ask running ones to stop, wherever they run',
    options: [WHERE],
    examples: ["millrace job cancel --where 'queue:reports state:pending,scheduled'"],
    run: (context, ids, options) => changeEither(context, ids, options, CANCEL),
  },
  {
    path: 'job delete',
    aliases: ['job:delete', 'queue:forget'],
    args: '[id...]',
    summary: 'delete jobs that are not running; this cannot be undone',
    options: [WHERE],
    examples: ["millrace job delete --where 'state:completed finished<7d'"],
    run: (context, ids, options) => changeEither(context, ids, options, DELETE),
  },
  {
    path: 'job move',
    aliases: ['job:move'],
    args: '<queue> [id...]',
    summary: 'move waiting jobs to another queue',
    options: [WHERE],
    examples: [
      'millrace job move bulk 0199f2a0-…',
      "millrace job move bulk --where 'queue:default name:report state:pending'",
    ],
    run: (context, [queue = '', ...ids], options) =>
      changeEither(context, ids, options, {
        verb: 'Move',
        call: (mill) => mill.move(ids, queue),
        callWhere: (mill, query, how) => mill.moveWhere(query, queue, how),
        good: ['updated'],
      }),
  },
  {
    path: 'job priority',
    aliases: ['job:priority'],
    args: '<priority> [id...]',
    summary: 'change the priority of waiting jobs: low, normal, high, urgent or 0–100',
    options: [WHERE],
    examples: [
      'millrace job priority urgent 0199f2a0-…',
      "millrace job priority low --where 'tag:nightly state:pending'",
    ],
    run: (context, [priority = '', ...ids], options) => {
      const parsed = priorityOf(priority)
      return changeEither(context, ids, options, {
        verb: 'Reprioritise',
        call: (mill) => mill.reprioritise(ids, parsed),
        callWhere: (mill, query, how) => mill.reprioritiseWhere(query, parsed, how),
        good: ['updated'],
      })
    },
  },
]

/** A change of some jobs, by ids or by filter. What cannot be undone is asked about for a single job too. */
export interface Change extends WhereChange {
  readonly call: (mill: Millrace, ids: readonly string[]) => Promise<Outcomes<string>>
}

/** Puts ended jobs back. */
export const RETRY: Change = {
  verb: 'Retry',
  call: (mill, ids) => mill.retry(ids),
  callWhere: (mill, query, how) => mill.retryWhere(query, how),
  good: ['retried'],
}
const CANCEL: Change = {
  verb: 'Cancel',
  call: (mill, ids) => mill.cancel(ids),
  callWhere: (mill, query, how) => mill.cancelWhere(query, how),
  good: ['cancelled', 'cancelling'],
}
/** Deletes jobs for good. */
export const DELETE: Change = {
  verb: 'Delete',
  call: (mill, ids) => mill.remove(ids),
  callWhere: (mill, query, how) => mill.removeWhere(query, how),
  good: ['removed'],
  isFinal: true,
}

/** By ids, or by `--where`; one of the two is needed. */
async function changeEither(
  context: Context,
  ids: readonly string[],
  { where }: Readonly<Record<string, unknown>>,
  how: Change,
): Promise<ExitCode> {
  if (typeof where !== 'string' && ids.length > 0) return await change(context, ids, how)
  if (typeof where === 'string' && ids.length === 0) return await changeWhere(context, { where }, how)
  const verb = how.verb.toLowerCase()
  const fault = ids.length === 0 ? `nothing says which jobs to ${verb}` : 'ids and --where do not go together'
  throw new MillraceError('USAGE', fault, { hint: "Name ids, or give a filter: --where 'state:failed age>1h'" })
}

/**
 * More than one job is asked about first. Ends with 5 when no job was found, with 1 when some could not be changed; when it
 * stops half-way, what was done is printed all the same.
 */
export async function change(
  context: Context,
  ids: readonly string[],
  { verb, call, good, isFinal }: Change,
): Promise<ExitCode> {
  const { output } = context
  if (ids.length > 1 || isFinal === true) {
    const what = ids.length === 1 ? `${verb} the job ${ids[0]}` : `${verb} ${ids.length} jobs (${sample(ids)})`
    if (!(await context.confirm(what, isFinal === true ? 'This cannot be undone.' : ''))) return EXIT.refused
  }
  const outcomes = await context
    .withMill((mill) => call(mill, ids))
    .catch(async (error: unknown) => {
      const done = doneBefore(error)
      if (done !== undefined && !output.json) await print(context, done)
      throw error
    })
  if (output.json) printJson({ data: outcomes })
  else await print(context, outcomes)
  const done = outcomes.filter(({ outcome }) => good.includes(outcome)).length
  if (done < outcomes.length && outcomes.length > 1) say(output, `${done} of ${outcomes.length} done.`)
  for (const outcome of new Set(outcomes.map((each) => each.outcome))) {
    if (!good.includes(outcome) && REASONS[outcome] !== undefined) say(output, `${outcome}: ${REASONS[outcome]}`)
  }
  if (outcomes.every(({ outcome }) => outcome === 'missing')) return EXIT.notFound
  return done === outcomes.length ? EXIT.ok : EXIT.failed
}

/** Why a job was left as it is, and what to do. */
const REASONS: Readonly<Record<string, string>> = {
  missing: 'no job has that id; it may be beyond its retention, or in another store.',
  final: 'the job has ended. Put it back with: millrace job retry',
  processing: 'the job is running. Stop it first with: millrace job cancel',
  live: 'the job is running or waits to run as soon as it can.',
}

async function print(context: Context, outcomes: Outcomes<string>): Promise<void> {
  await printRows(
    context.output,
    [{ head: 'id' }, { head: 'outcome' }],
    outcomes.map(({ id, outcome }) => [id, outcome]),
  )
}

/** The outcomes that a call which stopped half-way has behind it. */
function doneBefore(error: unknown): Outcomes<string> | undefined {
  if (!(error instanceof MillraceError) || error.code !== 'BULK_PARTIAL') return undefined
  // As `inChunks` of the client makes it.
  return Array.isArray(error.fields.done) ? (error.fields.done as Outcomes<string>) : undefined
}

function sample(ids: readonly string[]): string {
  return ids.length <= 3 ? ids.join(', ') : `${ids.slice(0, 3).join(', ')} and ${ids.length - 3} more`
}
