/** `millrace dead list | show | retry | delete`: dead letters are the jobs that failed for good. */
import { MillraceError } from '../../core/errors.ts'
import type { Millrace } from '../../runtime/millrace.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { printJson, say } from '../output.ts'
import type { CommandSpec } from '../program.ts'
import { numberOf } from '../values.ts'
import { COMMANDS as JOB_COMMANDS, printJobs } from './job.ts'
import { change } from './job-change.ts'

const ALL = ['--all', 'every dead letter'] as const
const QUEUE = ['--queue <queue>', 'only of this queue'] as const

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
    run: (context, ids, options) => each(context, ids, options, 'retry', (mill, some) => mill.retry(some), 'retried'),
  },
  {
    path: 'dead delete',
    aliases: ['queue:flush'],
    args: '[id...]',
    summary: 'delete dead letters; this cannot be undone',
    options: [ALL, QUEUE],
    run: (context, ids, options) => each(context, ids, options, 'delete', (mill, some) => mill.remove(some), 'removed'),
  },
]

async function list(
  context: Context,
  _: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<ExitCode> {
  const limit = numberOf(options.limit, '--limit')
  const page = await context.withMill((mill) =>
    mill.list({
      ...failed(options),
      ...(limit !== undefined && { limit }),
      ...(typeof options.cursor === 'string' && { cursor: options.cursor }),
    }),
  )
  if (page.jobs.length === 0 && context.output.isTerminal) say(context.output, 'No dead letters.')
  else await printJobs(context, page.jobs, page.next)
  return EXIT.ok
}

type Call = (mill: Millrace, ids: readonly string[]) => ReturnType<Millrace['retry']> | ReturnType<Millrace['remove']>

async function each(
  context: Context,
  ids: readonly string[],
  options: Readonly<Record<string, unknown>>,
  verb: string,
  call: Call,
  good: string,
): Promise<ExitCode> {
  if (ids.length > 0) return await change(context, ids, verb, (mill) => call(mill, ids), [good])
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
    if (!(await context.confirm(`${verb} ${count}${capped ? '+' : ''} dead letters?`))) return EXIT.refused
    const done = await all(context, mill, options, call, good, count)
    if (context.output.json) printJson({ done })
    else say(context.output, `${done} dead letters ${good}.`)
    return EXIT.ok
  })
}

/** In pages, oldest first: what was changed is no dead letter any more, so the first page is always the next one. */
async function all(
  context: Context,
  mill: Millrace,
  options: Readonly<Record<string, unknown>>,
  call: Call,
  good: string,
  total: number,
): Promise<number> {
  const bar = await progressBar(context, total)
  let done = 0
  for (let cursor: string | undefined; ; ) {
    const page = await mill.list({
      ...failed(options),
      limit: 200,
      order: 'oldest',
      ...(cursor !== undefined && { cursor }),
    })
    if (page.jobs.length > 0) {
      const outcomes = await call(
        mill,
        page.jobs.map(({ id }) => id),
      )
      done += outcomes.filter(({ outcome }) => outcome === good).length
      bar?.update(done)
    }
    cursor = page.next
    if (cursor === undefined) break
  }
  bar?.stop()
  return done
}

async function progressBar(context: Context, total: number) {
  if (!process.stderr.isTTY || context.output.quiet || total < 1000) return undefined
  const { SingleBar } = await import('cli-progress')
  const bar = new SingleBar({ format: '{bar} {percentage} %  {value}/{total}  ETA {eta_formatted}', hideCursor: true })
  bar.start(total, 0)
  return bar
}

function failed(options: Readonly<Record<string, unknown>>) {
  return { state: 'failed' as const, ...(typeof options.queue === 'string' && { queue: options.queue }) }
}
