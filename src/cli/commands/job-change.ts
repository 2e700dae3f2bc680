/** `millrace job retry | cancel | delete | move | priority`: changes jobs by id and says for each what became of it. */
import type { Outcomes } from '../../client/control.ts'
import { MillraceError } from '../../core/errors.ts'
import type { Millrace } from '../../runtime/millrace.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { printJson, say } from '../output.ts'
import type { CommandSpec } from '../program.ts'
import { printRows } from '../table.ts'
import { priorityOf } from '../values.ts'

/** The commands of this file. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    path: 'job retry',
    aliases: ['job:retry', 'queue:retry'],
    args: '<id...>',
    summary: 'put ended jobs back with a fresh retry budget; make waiting ones due now',
    run: (context, ids) => change(context, ids, RETRY),
  },
  {
    path: 'job cancel',
    aliases: ['job:cancel'],
    args: '<id...>',
    summary: 'cancel waiting jobs; ask running ones to stop, wherever they run',
    run: (context, ids) =>
      change(context, ids, { verb: 'Cancel', call: (mill) => mill.cancel(ids), good: ['cancelled', 'cancelling'] }),
  },
  {
    path: 'job delete',
    aliases: ['job:delete', 'queue:forget'],
    args: '<id...>',
    summary: 'delete jobs that are not running; this cannot be undone',
    run: (context, ids) => change(context, ids, DELETE),
  },
  {
    path: 'job move',
    aliases: ['job:move'],
    args: '<queue> <id...>',
    summary: 'move waiting jobs to another queue',
    examples: ['millrace job move bulk 0199f2a0-…'],
    run: (context, [queue = '', ...ids]) =>
      change(context, ids, { verb: 'Move', call: (mill) => mill.move(ids, queue), good: ['updated'] }),
  },
  {
    path: 'job priority',
    aliases: ['job:priority'],
    args: '<priority> <id...>',
    summary: 'change the priority of waiting jobs: low, normal, high, urgent or 0–100',
    examples: ['millrace job priority urgent 0199f2a0-…'],
    run: (context, [priority = '', ...ids]) => {
      const parsed = priorityOf(priority)
      const call = (mill: Millrace) => mill.reprioritise(ids, parsed)
      return change(context, ids, { verb: 'Reprioritise', call, good: ['updated'] })
    },
  },
]

/** A change of some jobs. */
export interface Change {
  /** As it is asked about: "Delete 3 jobs?" */
  readonly verb: string
  readonly call: (mill: Millrace, ids: readonly string[]) => Promise<Outcomes<string>>
  /** The outcomes that are what was asked for. */
  readonly good: readonly string[]
  /** It cannot be undone, so it is asked about for a single job too. */
  readonly isFinal?: boolean
}

/** Puts ended jobs back. */
export const RETRY: Change = { verb: 'Retry', call: (mill, ids) => mill.retry(ids), good: ['retried'] }
/** Deletes jobs for good. */
export const DELETE: Change = {
  verb: 'Delete',
  call: (mill, ids) => mill.remove(ids),
  good: ['removed'],
  isFinal: true,
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
