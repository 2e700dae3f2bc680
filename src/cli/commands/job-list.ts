/** `millrace job list | count`, and pages of jobs as other commands print them. */
import type { JobPage } from '../../client/inspect.ts'
import type { JobInfo } from '../../client/job-view.ts'
import type { JobQuery } from '../../client/query.ts'
import { MillraceError } from '../../core/errors.ts'
import { JOB_STATES, type JobState } from '../../core/job/state.ts'
import { nearest } from '../../core/suggest.ts'
import type { Millrace } from '../../runtime/millrace.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { countText, type Output, printJson, say, stateText, timeText } from '../output.ts'
import type { CommandSpec } from '../program.ts'
import { type Column, printRows } from '../table.ts'
import { numberOf, wordsOf } from '../values.ts'
import { WHERE } from './job-where.ts'

const FILTER = [
  WHERE,
  ['--state <states>', `${JOB_STATES.join(', ')}`],
  ['--queue <queues>', 'only these queues'],
  ['--name <names>', 'only jobs of these names'],
  ['--tag <tag>', 'only jobs with this tag'],
] as const

/** The commands of this file. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    path: 'job list',
    aliases: ['job:list'],
    summary: 'jobs, newest first',
    options: [
      ...FILTER,
      ['--limit <n>', 'rows of one page, 1–200 (default 50)'],
      ['--cursor <cursor>', 'the `next` of the page before'],
    ],
    examples: [
      'millrace job list --state failed,retrying --queue media',
      "millrace job list --where 'state:failed error:timeout age<1d -queue:bulk'",
    ],
    run: list,
  },
  {
    path: 'job count',
    aliases: ['job:count'],
    summary: 'how many jobs there are, counted no further than 10,000',
    options: FILTER,
    examples: ["millrace job count --where 'state:failed created>1d'"],
    run: count,
  },
]

async function list(
  context: Context,
  _: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<ExitCode> {
  const limit = numberOf(options.limit, '--limit', 200)
  const page = await context.withMill((mill) => wholePage(mill, queryOf(options), limit, options.cursor))
  await printJobs(context, page.jobs, page.next)
  return EXIT.ok
}

/** A page that is full while there are more: few of many jobs may match, and whoever typed the filter waits for them. */
export async function wholePage(
  mill: Millrace,
  query: JobQuery,
  limit = 50,
  from: unknown = undefined,
): Promise<JobPage> {
  const jobs: JobInfo[] = []
  for (let cursor = typeof from === 'string' ? from : undefined; ; ) {
    const page = await mill.list({ ...query, limit: limit - jobs.length, ...(cursor !== undefined && { cursor }) })
    jobs.push(...page.jobs)
    cursor = page.next
    if (cursor === undefined) return { jobs }
    if (jobs.length === limit) return { jobs, next: cursor }
  }
}

async function count(
  context: Context,
  _: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<ExitCode> {
  const result = await context.withMill((mill) => mill.count(queryOf(options)))
  if (context.output.json) printJson(result)
  else console.log(`${countText(context.output, result.count)}${result.capped ? '+' : ''}`)
  return EXIT.ok
}

function queryOf(options: Readonly<Record<string, unknown>>): JobQuery {
  return {
    ...(options.state !== undefined && { state: statesOf(options.state) }),
    ...(options.queue !== undefined && { queue: wordsOf(options.queue) }),
    ...(options.name !== undefined && { name: wordsOf(options.name) }),
    ...(typeof options.tag === 'string' && { tag: options.tag }),
    ...(typeof options.where === 'string' && { where: options.where }),
  }
}

/** Prints a page of jobs in the form that was asked for; for dead letters the error comes first, as it is what one looks for. */
export async function printJobs(
  context: Context,
  jobs: readonly JobInfo[],
  next: string | undefined,
  kind: 'jobs' | 'dead letters' = 'jobs',
): Promise<void> {
  const { output } = context
  if (output.json) return printJson({ data: jobs, ...(next !== undefined && { next }) })
  if (jobs.length === 0) say(output, `No ${kind}.`)
  else {
    const isDead = kind === 'dead letters' && output.isTerminal
    const columns = isDead ? DEAD_COLUMNS : COLUMNS
    await printRows(
      output,
      columns.map(([column]) => column),
      jobs.map((job) => columns.map(([, cell]) => cell(output, job))),
    )
  }
  if (next !== undefined) say(output, `More: --cursor ${next}`)
}

type Cell = readonly [column: Column, cell: (output: Output, job: JobInfo) => string]

const ID: Cell = [{ head: 'id' }, (_, job) => job.id]
const NAME: Cell = [{ head: 'name', shrinkTo: 16 }, (_, job) => job.name]
const QUEUE: Cell = [{ head: 'queue', shrinkTo: 7, drop: 2 }, (_, job) => job.queue]
const STATE: Cell = [{ head: 'state' }, (output, job) => stateText(output, job.state)]
const REASON: Cell = [{ head: 'reason', drop: 3 }, (_, job) => job.reason ?? '']
const ATTEMPTS: Cell = [{ head: 'tries', drop: 4, isNumber: true }, (_, job) => String(job.attempts)]
const CREATED: Cell = [{ head: 'created', drop: 1 }, (output, job) => timeText(output, job.createdAt)]
const FAILED: Cell = [{ head: 'failed', drop: 1 }, (output, job) => timeText(output, job.finishedAt)]
const ERROR: Cell = [
  { head: 'error', shrinkTo: 16, drop: 5 },
  (_, job) => (job.error === null ? '' : `${job.error.name}: ${job.error.message}`),
]
/** In this order for programs, too. */
const COLUMNS: readonly Cell[] = [ID, NAME, QUEUE, STATE, REASON, ATTEMPTS, CREATED, ERROR]
const DEAD_COLUMNS: readonly Cell[] = [
  ID,
  NAME,
  QUEUE,
  [{ head: 'why', shrinkTo: 20 }, (output, job) => ERROR[1](output, job) || (job.reason ?? '')],
  ATTEMPTS,
  FAILED,
]

function statesOf(value: unknown): readonly JobState[] {
  return wordsOf(value).map((word) => {
    const state = JOB_STATES.find((each) => each === word)
    if (state !== undefined) return state
    const near = nearest(word, JOB_STATES)
    throw new MillraceError('USAGE', `no state is called ${JSON.stringify(word)}`, {
      hint: near === undefined ? `The states are ${JOB_STATES.join(', ')}.` : `Did you mean ${near}?`,
    })
  })
}
