/** `millrace dead list | show | retry | delete`: dead letters are the jobs that failed for good. */
import { MillraceError } from '../../core/errors.ts'
import type { Millrace } from '../../runtime/millrace.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { printJson, say } from '../output.ts'
import type { CommandSpec } from '../program.ts'
import { progressBar } from '../progress.ts'
import { numberOf } from '../values.ts'
import { COMMANDS as JOB_COMMANDS, printJobs } from './job.ts'
import { type Change, change, DELETE, RETRY } from './job-change.ts'

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
    options: [ALL, QUEUE],
    run: (context, ids, options) => each(context, ids, options, RETRY),
  },
  {
    path: 'dead delete',
    args: '[id...]',
    summary: 'delete dead letters; this cannot be undone',
    options: [ALL, QUEUE],
    run: (context, ids, options) => each(context, ids, options, DELETE),
  },
  {
    path: 'queue:flush',
    isHidden: true,
    summary: 'dead delete --all',
    options: [QUEUE],
    run: (context, _, options) => each(context, [], { ...options, all: true }, DELETE),
  },
]

async function list(
  context: Context,
  _: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<ExitCode> {
  const limit = numberOf(options.limit, '--limit', 200)
  const page = await context.withMill((mill) =>
    mill.list({
      ...failed(options),
      ...(limit !== undefined && { limit }),
      ...(typeof options.cursor === 'string' && { cursor: options.cursor }),
    }),
  )
  await printJobs(context, page.jobs, page.next, 'dead letters')
  return EXIT.ok
}

async function each(
  context: Context,
  ids: readonly string[],
  options: Readonly<Record<string, unknown>>,
  how: Change,
): Promise<ExitCode> {
  if (ids.length > 0) return await change(context, ids, how)
  const verb = how.verb.toLowerCase()
  if (options.all !== true) {
    throw new MillraceError('USAGE', `dead ${verb} needs ids, or --all`, { hint: 'List them with: millrace dead list' })
  }
  return await context.withMill(async (mill) => {
    const { count, capped } = await mill.count(failed(options))
    if (count === 0) {
      if (context.output.json) printJson({ done: 0 })
      else say(context.output, 'No dead letters.')
      return EXIT.ok
    }
    const warning = how.isFinal === true ? 'This cannot be undone.' : ''
    if (!(await context.confirm(`${how.verb} ${lettersOf(count, capped)}`, warning))) return EXIT.refused
    const done = await all(context, mill, options, how, capped ? undefined : count)
    if (context.output.json) printJson({ done })
    else say(context.output, `${lettersOf(done, false)} ${how.good[0] ?? ''}.`)
    return EXIT.ok
  })
}

/** In pages, oldest first. */
async function all(
  context: Context,
  mill: Millrace,
  options: Readonly<Record<string, unknown>>,
  { verb, call, good }: Change,
  total: number | undefined,
): Promise<number> {
  const bar = await progressBar(context.output, verb, total)
  let done = 0
  try {
    for (let cursor: string | undefined; ; ) {
      const page = await mill.list({
        ...failed(options),
        limit: 200,
        order: 'oldest',
        ...(cursor !== undefined && { cursor }),
      })
      const ids = page.jobs.map(({ id }) => id)
      if (ids.length > 0) {
        done += (await call(mill, ids)).filter(({ outcome }) => good.includes(outcome)).length
        bar.update(done)
      }
      cursor = page.next
      if (cursor === undefined) return done
    }
  } catch (error) {
    if (done === 0) throw error
    const why = error instanceof Error ? `: ${error.message}` : ''
    throw new MillraceError('BULK_PARTIAL', `stopped after ${lettersOf(done, false)} ${good[0] ?? ''}${why}`, {
      fields: { done },
      hint: 'Run it again to go on with the others.',
      cause: error,
    })
  } finally {
    bar.stop()
  }
}

function lettersOf(count: number, capped: boolean): string {
  return `${count.toLocaleString('en')}${capped ? '+' : ''} dead ${count === 1 ? 'letter' : 'letters'}`
}

function failed(options: Readonly<Record<string, unknown>>) {
  return { state: 'failed' as const, ...(typeof options.queue === 'string' && { queue: options.queue }) }
}
