/** `millrace job show | add | wait`. */

import type { JobInfo } from '../../client/job-view.ts'
import { formatDuration } from '../../core/duration.ts'
import { MillraceError } from '../../core/errors.ts'
import { nearest } from '../../core/suggest.ts'
import { defineJob, type JobDefinition } from '../../job/define-job.ts'
import { bind } from '../../job/handle.ts'
import type { Millrace } from '../../runtime/millrace.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { clean, hanging, paint, printJson, say, stateText, timeText } from '../output.ts'
import type { CommandSpec } from '../program.ts'
import { jsonOf, priorityOf, wordsOf } from '../values.ts'

/** The commands of this file. */
export const COMMANDS: readonly CommandSpec[] = [
  { path: 'job show', aliases: ['job:show'], args: '<id>', summary: 'everything about one job', run: show },
  {
    path: 'job add',
    aliases: ['job:add'],
    args: '<name>',
    summary: 'enqueue a job',
    options: [
      ['--data <json>', 'its input as JSON'],
      ['--queue <queue>', "instead of the definition's"],
      ['--priority <priority>', 'low, normal, high, urgent or 0–100'],
      ['--delay <duration>', 'run no sooner than this from now'],
      ['--timeout <duration>', 'how long an attempt may run'],
      ['--unique <key>', 'one job at a time for this key'],
      ['--tag <tags>', 'tags, separated by commas'],
    ],
    examples: ['millrace job add resize --data \'{ "file": "a.png" }\' --priority high'],
    run: add,
  },
  {
    path: 'job wait',
    aliases: ['job:wait'],
    args: '<id>',
    summary: 'wait for a job and end by how it ended: 0 completed, 1 failed or cancelled, 4 not in time',
    options: [['--timeout <duration>', 'how long (default: for ever)']],
    run: wait,
  },
]

async function show(context: Context, [id = '']: readonly string[]): Promise<ExitCode> {
  return await context.withMill(async (mill) => {
    const job = await mill.get(id)
    if (job === null) throw notFound(id)
    const [why, logs] = [await mill.why(id), await mill.logs(id)]
    if (context.output.json) printJson({ ...job, why, logs })
    else printJob(context, job, why, logs)
    return EXIT.ok
  })
}

function printJob(
  context: Context,
  job: JobInfo,
  why: Awaited<ReturnType<Millrace['why']>>,
  logs: Awaited<ReturnType<Millrace['logs']>>,
): void {
  const { output } = context
  const line = (name: string, value: string) =>
    console.log(`${paint(output, 'dim', name.padEnd(10))} ${hanging(output, value, 11)}`)
  console.log(paint(output, 'bold', hanging(output, clean(job.name), 0)))
  line('id', job.id)
  line('state', `${stateText(output, job.state)}${job.reason === null ? '' : ` (${job.reason})`}`)
  line('queue', `${clean(job.queue)}, priority ${job.priorityName}`)
  line(
    'created',
    output.isTerminal
      ? `${job.createdAt.toISOString()} (${timeText(output, job.createdAt)})`
      : job.createdAt.toISOString(),
  )
  if (job.finishedAt !== null) line('finished', job.finishedAt.toISOString())
  else line('runs', job.runAt.toISOString())
  line(
    'attempts',
    `${job.attempts}${job.losses > 0 ? `, ${job.losses} lost` : ''}${job.crashes > 0 ? `, ${job.crashes} crashed` : ''}`,
  )
  if (job.tags.length > 0) line('tags', job.tags.map(clean).join(', '))
  if (job.uniqueKey !== null) line('unique', clean(job.uniqueKey))
  if (job.progress !== null) line('progress', `${Math.round(job.progress * 100)} %  ${clean(job.progressNote ?? '')}`)
  const hidden = job.isWithheld ? 'kept from this user of the database' : 'cannot be opened with the keys that are here'
  line('input', job.isUnreadable || job.isWithheld ? hidden : clean(JSON.stringify(job.input) ?? '–'))
  if (job.state === 'completed' && !job.isWithheld) line('result', clean(JSON.stringify(job.result) ?? '–'))
  if (job.error !== null)
    line('error', clean(job.error.stack ?? `${job.error.name}: ${job.error.message}`).replaceAll('\\u000a', '\n'))
  for (const { text } of job.finishedAt === null ? why : []) line('why', text)
  for (const past of job.history) {
    const took = formatDuration(past.endedAt.getTime() - past.startedAt.getTime(), 2)
    const error = past.error === null ? '' : `  ${past.error.name}: ${past.error.message}`
    line(`attempt ${past.attempt}`, `${past.outcome} after ${took} on worker ${past.workerId}${clean(error)}`)
  }
  for (const { at, level, message } of logs) line(level, `${at.toISOString()}  ${clean(message)}`)
}

async function add(
  context: Context,
  [name = '']: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<ExitCode> {
  const input = jsonOf(options.data)
  const definitions = (await context.handlers()).map((each) => bind(each).definition)
  const known = definitions.find((each) => each.name === name || each.aliases.includes(name))
  const definition = known ?? defineJob({ name })
  if (known === undefined && definitions.length > 0) {
    const near = nearest(
      name,
      definitions.map((each) => each.name),
    )
    say(
      context.output,
      `! No configured handler runs ${clean(name)}.${near === undefined ? '' : ` Did you mean ${near}?`}`,
    )
  }
  const job = await context.withMill((mill) =>
    // A wrong value was typed here, not written in the configuration.
    asUsage(() =>
      // The input's type is known to the definition alone; its schema checks it.
      mill.enqueue(definition as JobDefinition<unknown>, input, {
        ...(typeof options.queue === 'string' && { queue: options.queue }),
        ...(typeof options.priority === 'string' && { priority: priorityOf(options.priority) }),
        ...(typeof options.delay === 'string' && { delay: options.delay }),
        ...(typeof options.timeout === 'string' && { timeout: options.timeout }),
        ...(typeof options.unique === 'string' && { unique: options.unique }),
        ...(typeof options.tag === 'string' && { tags: wordsOf(options.tag) }),
      }),
    ),
  )
  if (context.output.json) printJson({ id: job.id, status: job.status, state: job.state })
  else console.log(job.id)
  if (job.status !== 'created') say(context.output, `${job.status}: the key is held by this job.`)
  return job.status === 'rejected' ? EXIT.failed : EXIT.ok
}

async function asUsage<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'CONFIG_INVALID') throw error
    const { fields, hint, cause } = error
    throw new MillraceError('USAGE', error.message, { fields, cause, ...(hint !== undefined && { hint }) })
  }
}

async function wait(
  context: Context,
  [id = '']: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<ExitCode> {
  return await context.withMill(async (mill) => {
    try {
      const result = await mill.result(id, typeof options.timeout === 'string' ? { timeout: options.timeout } : {})
      if (context.output.json) printJson({ id, state: 'completed', result })
      else console.log(JSON.stringify(result) ?? '')
      return EXIT.ok
    } catch (error) {
      if (!(error instanceof MillraceError) || (error.code !== 'JOB_FAILED' && error.code !== 'JOB_CANCELLED'))
        throw error
      say(context.output, `✕ ${clean(error.message)}`)
      if (context.output.json)
        printJson({ id, state: error.code === 'JOB_FAILED' ? 'failed' : 'cancelled', error: error.fields.error })
      return EXIT.failed
    }
  })
}

/** The error for an id that no job has. */
export function notFound(id: string): MillraceError {
  return new MillraceError('JOB_NOT_FOUND', `no job has the id ${id}`, {
    fields: { id },
    hint: 'It may be beyond its retention. List jobs with: millrace job list',
  })
}
