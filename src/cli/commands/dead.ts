/** `millrace dead list | show | retry | delete`: dead letters are the jobs that failed for good. */
import type { JobQuery } from '../../client/query.ts'
import { MillraceError } from '../../core/errors.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import type { CommandSpec } from '../program.ts'
import { numberOf } from '../values.ts'
import { COMMANDS as JOB_COMMANDS } from './job.ts'
import { type Change, change, DELETE, RETRY } from './job-change.ts'
import { printJobs, wholePage } from './job-list.ts'
import { changeWhere, DRY_RUN, WHERE } from './job-where.ts'

const ALL = ['--all', 'every dead letter'] as const
const QUEUE = ['--queue <queue>', 'only of this queue'] as const

/** The commands of this file. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    path: 'dead list',
    aliases: ['queue:failed'],
    summary: 'jobs that failed for good, newest first',
    options: [
      QUEUE,
      WHERE,
      ['--limit <n>', 'rows of one page, 1–200 (default 50)'],
      ['--cursor <cursor>', 'the `next` of the page before'],
    ],
    run: list,
  },
  {
    path: 'dead show',
    args: '<id>',
    summary: 'everything about one dead letter',
    run: (context, words, options) => {
      const show = JOB_COMMANDS.find(({ path }) => path === 'job show')
      if (show === undefined) throw new MillraceError('INTERNAL', 'there is no `job show`')
      return show.run(context, words, options)
    },
  },
  {
    path: 'dead retry',
    args: '[id...]',
    summary: 'put dead letters back with a fresh retry budget',
    options: [ALL, QUEUE, WHERE, DRY_RUN],
    run: (context, ids, options) => each(context, ids, options, RETRY),
  },
  {
    path: 'dead delete',
    args: '[id...]',
    summary: 'delete dead letters; this cannot be undone',
    options: [ALL, QUEUE, WHERE, DRY_RUN],
    run: (context, ids, options) => each(context, ids, options, DELETE),
  },
  {
    path: 'queue:flush',
    isHidden: true,
    summary: 'dead delete --all',
    options: [QUEUE, DRY_RUN],
    run: (context, _, options) => each(context, [], { ...options, all: true }, DELETE),
  },
]

async function list(
  context: Context,
  _: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<ExitCode> {
  const limit = numberOf(options.limit, '--limit', 200)
  const page = await context.withMill((mill) => wholePage(mill, failed(options), limit, options.cursor))
  await printJobs(context, page.jobs, page.next, 'dead letters')
  return EXIT.ok
}

async function each(
  context: Context,
  ids: readonly string[],
  options: Readonly<Record<string, unknown>>,
  how: Change,
): Promise<ExitCode> {
  const isDry = options.dryRun === true
  const verb = how.verb.toLowerCase()
  if (ids.length > 0) {
    if (options.all !== true && options.where === undefined && options.queue === undefined)
      return await change(context, ids, how, isDry)
    throw new MillraceError('USAGE', `dead ${verb} takes ids, or --all, --queue and --where, not both`, {
      hint: `Write: millrace dead ${verb} ${ids[0]}`,
    })
  }
  if (options.all !== true && typeof options.where !== 'string') {
    throw new MillraceError('USAGE', `dead ${verb} needs ids, --all or --where`, {
      hint: 'List them with: millrace dead list',
    })
  }
  return await changeWhere(context, failed(options), how, isDry, ['dead letter', 'dead letters'])
}

function failed(options: Readonly<Record<string, unknown>>): JobQuery {
  return {
    state: 'failed',
    ...(typeof options.queue === 'string' && { queue: options.queue }),
    ...(typeof options.where === 'string' && { where: options.where }),
  }
}
