/** `millrace job retry | cancel | delete | move | priority`: changes jobs by id and says for each what became of it. */
import type { Outcomes } from '../../client/control.ts'
import type { Millrace } from '../../runtime/millrace.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { printJson, printRows, say } from '../output.ts'
import type { CommandSpec } from '../program.ts'
import { priorityOf } from '../values.ts'

export const COMMANDS: readonly CommandSpec[] = [
  {
    path: 'job retry',
    aliases: ['job:retry', 'queue:retry'],
    args: '<id...>',
    summary: 'put ended jobs back with a fresh retry budget; make waiting ones due now',
    run: (context, ids) => change(context, ids, 'retry', (mill) => mill.retry(ids), ['retried']),
  },
  {
    path: 'job cancel',
    aliases: ['job:cancel'],
    args: '<id...>',
    summary: 'cancel waiting jobs; ask running ones to stop, wherever they run',
    run: (context, ids) => change(context, ids, 'cancel', (mill) => mill.cancel(ids), ['cancelled', 'cancelling']),
  },
  {
    path: 'job delete',
    aliases: ['job:delete', 'queue:forget'],
    args: '<id...>',
    summary: 'delete jobs that are not running; this cannot be undone',
    run: (context, ids) => change(context, ids, 'delete', (mill) => mill.remove(ids), ['removed']),
  },
  {
    path: 'job move',
    aliases: ['job:move'],
    args: '<queue> <id...>',
    summary: 'move waiting jobs to another queue',
    run: (context, [queue = '', ...ids]) => change(context, ids, 'move', (mill) => mill.move(ids, queue), ['updated']),
  },
  {
    path: 'job priority',
    aliases: ['job:priority'],
    args: '<priority> <id...>',
    summary: 'change the priority of waiting jobs: low, normal, high, urgent or 0–100',
    run: (context, [priority = '', ...ids]) => {
      const parsed = priorityOf(priority)
      return change(context, ids, 'reprioritise', (mill) => mill.reprioritise(ids, parsed), ['updated'])
    },
  },
]

/** More than one job is asked about first. Ends with 5 when no job was found, with 1 when some could not be changed. */
export async function change(
  context: Context,
  ids: readonly string[],
  verb: string,
  call: (mill: Millrace) => Promise<Outcomes<string>>,
  good: readonly string[],
): Promise<ExitCode> {
  const { output } = context
  if (ids.length > 1 && !(await context.confirm(`${verb} ${ids.length} jobs (${sample(ids)})?`))) return EXIT.refused
  const outcomes = await context.withMill(call)
  if (output.json) printJson({ data: outcomes })
  else
    await printRows(
      output,
      ['id', 'outcome'],
      outcomes.map(({ id, outcome }) => [id, outcome]),
    )
  const done = outcomes.filter(({ outcome }) => good.includes(outcome)).length
  if (done < outcomes.length) say(output, `${done} of ${outcomes.length} done.`)
  if (outcomes.every(({ outcome }) => outcome === 'missing')) return EXIT.notFound
  return done === outcomes.length ? EXIT.ok : EXIT.failed
}

function sample(ids: readonly string[]): string {
  return ids.length <= 3 ? ids.join(', ') : `${ids.slice(0, 3).join(', ')} …`
}
