/** `millrace work`: runs jobs until it is told to stop. */
import { MillraceError } from '../../core/errors.ts'
import { DEFAULT_STORE } from '../../runtime/store-url.ts'
import type { WorkerHandle } from '../../runtime/worker-handle.ts'
import type { QueueOptions, WorkerOptions } from '../../worker/options.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { say } from '../output.ts'
import type { CommandSpec } from '../program.ts'
import { takeSignals } from '../signals.ts'
import { numberOf } from '../values.ts'
import { logEvents } from '../work-log.ts'

export const COMMANDS: readonly CommandSpec[] = [
  {
    path: 'work',
    aliases: ['queue:work'],
    summary: 'run jobs with the handlers of the configuration',
    args: '[queues...]',
    options: [
      ['--concurrency <n>', 'jobs that run at a time (default 10)'],
      ['--queues <list>', 'queues with weights: a:10,b:5 (default every queue)'],
      ['--timeout <duration>', 'the longest an attempt may run here'],
      ['--max-jobs <n>', 'stop after so many jobs'],
      ['--once', 'run one job, or none when none waits, and stop'],
      ['--drain', 'stop when nothing is left to run'],
      ['--log <format>', 'pretty or json (default pretty on a terminal)'],
    ],
    examples: ['millrace work', 'millrace work media --concurrency 4', 'millrace work --drain --log json'],
    run: work,
  },
]

async function work(
  context: Context,
  queues: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<ExitCode> {
  const { config } = await context.config()
  const workerOptions = { ...config.worker, ...given(config, queues, options) }
  const handlers = await context.handlers()
  if (handlers.length === 0) {
    throw new MillraceError('HANDLER_MISSING', 'no handlers are configured', {
      hint: 'Run `millrace init`, or name them in millrace.config.ts: handlers: "./jobs/**/*.handler.ts"',
    })
  }
  const mill = await context.open()
  try {
    logEvents(mill, logFormat(options.log), context.output.quiet)
    const worker = mill.work(handlers, workerOptions)
    const signals = takeSignals(worker)
    tellStart(context, mill.store.description, handlers.length, workerOptions)
    await worker.done
    signals.release()
    tellEnd(context, worker)
    return EXIT.ok
  } finally {
    await mill.close()
  }
}

function given(
  config: { readonly concurrency?: number; readonly queues?: WorkerOptions['queues'] },
  queues: readonly string[],
  options: Readonly<Record<string, unknown>>,
): WorkerOptions {
  const concurrency = numberOf(options.concurrency, '--concurrency') ?? config.concurrency
  const maxJobs = options.once === true ? 1 : numberOf(options.maxJobs, '--max-jobs')
  const served =
    typeof options.queues === 'string' ? weights(options.queues) : queues.length > 0 ? queues : config.queues
  return {
    ...(concurrency !== undefined && { concurrency }),
    ...(maxJobs !== undefined && { maxJobs }),
    ...(served !== undefined && { queues: served }),
    ...(typeof options.timeout === 'string' && { timeout: options.timeout }),
    ...((options.drain === true || options.once === true) && { drain: true }),
  }
}

function weights(list: string): Record<string, QueueOptions> {
  const pairs = list.split(',').map((part): [string, QueueOptions] => {
    const [queue = '', weight] = part.trim().split(':')
    const parsed = numberOf(weight, `the weight of ${queue}`)
    return [queue, parsed === undefined ? {} : { weight: parsed }]
  })
  return Object.fromEntries(pairs)
}

function logFormat(value: unknown): 'pretty' | 'json' {
  if (value === 'json' || value === 'pretty') return value
  if (value !== undefined) throw new MillraceError('USAGE', `--log ${String(value)} is neither pretty nor json`)
  return process.stdout.isTTY ? 'pretty' : 'json'
}

function tellStart(context: Context, store: string, handlers: number, options: WorkerOptions): void {
  const queues =
    options.queues === undefined
      ? 'every queue'
      : Object.keys(options.queues).length === 0
        ? 'no queue'
        : queueNames(options.queues)
  say(
    context.output,
    `Working on ${store || DEFAULT_STORE}: ${handlers} kinds of jobs, ${queues}, ${options.concurrency ?? 10} at a time. Ctrl-C stops it.`,
  )
}

function queueNames(queues: NonNullable<WorkerOptions['queues']>): string {
  return (Array.isArray(queues) ? queues : Object.keys(queues)).join(', ')
}

function tellEnd(context: Context, worker: WorkerHandle): void {
  say(context.output, `Stopped after ${worker.jobsDone} jobs.`)
}
