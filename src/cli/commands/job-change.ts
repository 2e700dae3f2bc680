/** `millrace job retry | cancel | delete | move | priority`: changes jobs by id, saying for each what became of it, or by filter. */
import type { Outcomes } from '../../client/control.ts'
import { MillraceError } from '../../core/errors.ts'
import type { JobState } from '../../core/job/state.ts'
import type { Millrace } from '../../runtime/millrace.ts'
import { whenStopped } from '../cancel-wait.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { printJson, say, stateText } from '../output.ts'
import { NOTHING_CHANGED } from '../preview.ts'
import type { CommandSpec } from '../program.ts'
import { printRows } from '../table.ts'
import { durationOf, priorityOf, runAtOf } from '../values.ts'
import { changeWhere, DRY_RUN, WHERE, type WhereChange } from './job-where.ts'

/** The commands of this file. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    path: 'job retry',
    aliases: ['job:retry', 'queue:retry'],
    args: '[id...]',
    summary: 'put ended jobs back with a fresh retry budget; make waiting ones due now',
    options: [WHERE, DRY_RUN],
    examples: ["millrace job retry --where 'state:failed error:timeout created>1h'"],
    run: (context, ids, options) => changeEither(context, ids, options, RETRY),
  },
  {
    path: 'job cancel',
    aliases: ['job:cancel'],
    args: '[id...]',
    summary: 'cancel waiting jobs; stop running ones, wherever they run',
    options: [
      WHERE,
      DRY_RUN,
      ['--timeout <duration>', 'how long to wait until running ones have stopped (default 20s; not with --where)'],
      ['--no-wait', 'ask running ones to stop, and do not wait'],
    ],
    examples: ["millrace job cancel --where 'queue:reports state:pending,scheduled'"],
    run: (context, ids, options) => changeEither(context, ids, options, cancelBy(options)),
  },
  {
    path: 'job delete',
    aliases: ['job:delete', 'queue:forget'],
    args: '[id...]',
    summary: 'delete jobs that are not running; this cannot be undone',
    options: [WHERE, DRY_RUN],
    examples: ["millrace job delete --where 'state:completed finished<7d'"],
    run: (context, ids, options) => changeEither(context, ids, options, DELETE),
  },
  {
    path: 'job move',
    aliases: ['job:move'],
    args: '<queue> [id...]',
    summary: 'move waiting jobs to another queue',
    options: [WHERE, DRY_RUN],
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
    options: [WHERE, DRY_RUN],
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
  {
    path: 'job reschedule',
    aliases: ['job:reschedule'],
    args: '<when> [id...]',
    summary: 'change when waiting jobs may run: now, 1h from now, or an instant (UTC unless it says its zone)',
    options: [WHERE, DRY_RUN],
    examples: [
      'millrace job reschedule 2026-01-31T14:00 0199f2a0-…',
      "millrace job reschedule 1h --where 'queue:reports state:pending'",
    ],
    run: (context, [when = '', ...ids], options) => {
      runAtOf(when, 0)
      // By the store's clock, as everything that is due.
      const runAt = async (mill: Millrace) => runAtOf(when, await mill.store.time())
      return changeEither(context, ids, options, {
        verb: 'Reschedule',
        call: async (mill) => mill.reschedule(ids, await runAt(mill)),
        callWhere: async (mill, query, how) => mill.rescheduleWhere(query, await runAt(mill), how),
        good: ['updated'],
      })
    },
  },
]

/** A change of some jobs, by ids or by filter. What cannot be undone is asked about for a single job too. */
export interface Change extends WhereChange {
  readonly call: (mill: Millrace, ids: readonly string[]) => Promise<Outcomes<string>>
  /** The outcome of what was waited for in vain: the command ends with 4. */
  readonly late?: string
}

/** Puts ended jobs back. */
export const RETRY: Change = {
  verb: 'Retry',
  call: (mill, ids) => mill.retry(ids),
  callWhere: (mill, query, how) => mill.retryWhere(query, how),
  good: ['retried'],
}
/** Cancels, and waits for those that run unless told otherwise. */
function cancelBy(options: Readonly<Record<string, unknown>>): Change {
  const { wait } = options
  // Before anything is cancelled.
  const timeout = durationOf(options.timeout, '--timeout', '20s')
  const isWaiting = wait !== false
  return {
    verb: 'Cancel',
    call: async (mill, ids) => {
      const outcomes = await mill.cancel(ids)
      return isWaiting ? whenStopped(mill, outcomes, timeout) : outcomes
    },
    callWhere: (mill, query, how) => mill.cancelWhere(query, how),
    good: ['cancelled', 'cancelling'],
    ...(isWaiting && { late: 'cancelling' }),
  }
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
  { where, dryRun }: Readonly<Record<string, unknown>>,
  how: Change,
): Promise<ExitCode> {
  const isDry = dryRun === true
  if (typeof where !== 'string' && ids.length > 0) return await change(context, ids, how, isDry)
  if (typeof where === 'string' && ids.length === 0) return await changeWhere(context, { where }, how, isDry)
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
  { verb, call, good, isFinal, late }: Change,
  isDry = false,
): Promise<ExitCode> {
  const { output } = context
  if (isDry) return await tellStates(context, ids)
  if (ids.length > 1 || isFinal === true) {
    const what = ids.length === 1 ? `${verb} the job ${ids[0]}` : `${verb} ${ids.length} jobs (${sample(ids)})`
    const warning = isFinal === true ? 'This cannot be undone.' : ''
    if (!(await context.confirm(what, { warning, count: ids.length }))) return EXIT.refused
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
  const isGood = (outcome: string) => good.includes(outcome) && outcome !== late
  const done = outcomes.filter(({ outcome }) => isGood(outcome)).length
  if (done < outcomes.length && outcomes.length > 1) say(output, `${done} of ${outcomes.length} done.`)
  for (const outcome of new Set(outcomes.map((each) => each.outcome))) {
    if (!isGood(outcome) && REASONS[outcome] !== undefined) say(output, `${outcome}: ${REASONS[outcome]}`)
  }
  if (outcomes.every(({ outcome }) => outcome === 'missing')) return EXIT.notFound
  if (done === outcomes.length) return EXIT.ok
  return outcomes.some(({ outcome }) => outcome === late) ? EXIT.timeout : EXIT.failed
}

/** What a change of some jobs by id would meet: each as it stands. */
async function tellStates(context: Context, ids: readonly string[]): Promise<ExitCode> {
  const { output } = context
  const jobs = await context.withMill(async (mill) => {
    const found: { readonly id: string; readonly state: JobState | null; readonly name: string | null }[] = []
    for (const id of ids) {
      const job = await mill.get(id)
      found.push({ id, state: job?.state ?? null, name: job?.name ?? null })
    }
    return found
  })
  if (output.json) printJson({ dryRun: true, data: jobs })
  else {
    const cells = jobs.map(({ id, state, name }) => [
      id,
      state === null ? 'missing' : stateText(output, state),
      name ?? '',
    ])
    await printRows(output, [{ head: 'id' }, { head: 'state' }, { head: 'name', shrinkTo: 16 }], cells)
    say(output, NOTHING_CHANGED)
  }
  return jobs.every(({ state }) => state === null) ? EXIT.notFound : EXIT.ok
}

/** Why a job was left as it is, and what to do. */
const REASONS: Readonly<Record<string, string>> = {
  cancelling: 'it was asked to stop, and still runs. `millrace job show` tells on which worker.',
  completed: 'it had ended before it heard of it.',
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
