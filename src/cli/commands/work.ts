/** `millrace work`: runs jobs until it is told to stop. */
import { MillraceError } from '../../core/errors.ts'
import { bind } from '../../job/handle.ts'
import { refuseHalfCopy } from '../../runtime/copy-note.ts'
import { healthOfWorker } from '../../runtime/health.ts'
import type { Handlers } from '../../runtime/millrace.ts'
import type { NodeOptions } from '../../runtime/supervise.ts'
import type { WorkerHandle } from '../../runtime/worker-handle.ts'
import type { QueueOptions, WorkerOptions } from '../../worker/options.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { clean, say } from '../output.ts'
import { load, ping } from '../probe.ts'
import type { CommandSpec } from '../program.ts'
import { endDespiteHandlers, takeSignals } from '../signals.ts'
import { durationOf, numberOf, sizeOf } from '../values.ts'
import { type Around, aroundOptions, beginAround } from '../work-around.ts'
import { logEvents } from '../work-log.ts'

/** The commands of this file. */
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
      ['--grace <duration>', 'how long a handler may ignore its signal before it is left behind (default 5s)'],
      ['--processes <n>', 'worker processes under a supervisor (default none: this process works)'],
      ['--max-memory <size>', 'replace a worker that grew by so much, such as 50mb'],
      ['--max-age <duration>', 'replace a worker at this age'],
      ['--max-jobs <n>', 'stop after so many jobs; with --processes: replace the worker'],
      ['--stall-limit <duration>', 'kill a worker whose event loop is blocked for so long (default 1m)'],
      ['--once', 'run one job, or none when none waits, and stop'],
      ['--drain', 'stop when nothing is left to run'],
      ['--watch', 'replace the workers when a file of the app changes'],
      ['--health-port <port>', 'answer /livez, /readyz and /healthz there, for this machine'],
      ['--health-host <address>', 'answer them on this address, such as 0.0.0.0'],
      ['--pid-file <file>', 'write the process id there while it works'],
      ['--log <format>', 'pretty or json (default pretty on a terminal)'],
    ],
    examples: [
      'millrace work',
      'millrace work --processes 4 --max-memory 200mb',
      'millrace work media --concurrency 4',
      'millrace work --drain --log json',
    ],
    run: work,
  },
]

async function work(
  context: Context,
  queues: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<ExitCode> {
  const log = logFormat(options.log)
  const around = aroundOptions(options)
  const { config } = await context.config()
  const node = nodeOptions(options)
  if (node !== undefined) {
    // A supervisor loads no handlers and no store but the one that it looks after; the rest is its workers'.
    const { runNode } = await import('../node-command.ts')
    const { maxJobs: _, drain: __, ...worker } = given({}, queues, options)
    return runNode(context, { node, worker, log, around, watch: options.watch === true })
  }
  const workerOptions = { dedicated: true, ...config.worker, ...given(config, queues, options) }
  const handlers = await context.handlers()
  if (handlers.length === 0) {
    throw new MillraceError('HANDLER_MISSING', 'no handlers are configured', {
      hint: 'Run `millrace init`, or name them in millrace.config.ts: handlers: "./jobs/**/*.handler.ts"',
    })
  }
  const taken = await beginAround(around)
  try {
    return await workHere(context, handlers, workerOptions, { log, around: taken })
  } finally {
    await taken.end()
  }
}

/** Works in this process until the worker is told to stop. */
async function workHere(
  context: Context,
  handlers: Handlers,
  options: WorkerOptions,
  { log, around }: { readonly log: 'pretty' | 'json'; readonly around: Around },
): Promise<ExitCode> {
  const mill = await context.open()
  let isWell = false
  try {
    await refuseHalfCopy(mill.store)
    logEvents(mill, log, context.output.quiet)
    // Every worker answers probes, so that `millrace test --no-worker` can tell whether one is at work.
    const worker = mill.work([...handlers, ping, load], options)
    const signals = takeSignals(worker, log, (line) => say(context.output, line))
    around.answerBy(() => healthOfWorker(worker))
    tellStart(context, mill.store.description, handlers, options)
    around.tell(context.output)
    await worker.done
    signals.release()
    tellEnd(context, worker)
    isWell = true
    return worker.askedTo === 'restart' ? EXIT.restart : signals.exitCode
  } finally {
    // Otherwise the store is closed or out of reach: calls that it owes an answer do not hold the process until their deadline,
    // and what became of the worker is told instead of them.
    await (isWell ? mill.close() : within(mill.close(), LOST_CLOSE_MS)).finally(endDespiteHandlers)
  }
}

/** How long what is under way may take to end once the worker has ended with an error. */
const LOST_CLOSE_MS = 1_000

/** Resolves when the work has ended, well or not, or after that time. */
async function within(work: Promise<void>, ms: number): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, ms)
  await Promise.race([work.catch(() => undefined), late.promise])
  clearTimeout(timer)
}

/** What was said about processes; undefined when nothing asks for a supervisor. */
function nodeOptions(options: Readonly<Record<string, unknown>>): NodeOptions | undefined {
  const { processes, maxMemory, maxAge, stallLimit, watch } = options
  const supervised = {
    '--watch': watch,
    '--max-memory': maxMemory,
    '--max-age': maxAge,
    '--stall-limit': stallLimit,
    '--processes': processes,
  }
  if (Object.values(supervised).every((value) => value === undefined)) return undefined
  for (const [flag, value] of [
    ['--once', options.once],
    ['--drain', options.drain],
  ] as const) {
    if (value !== true) continue
    const asked = Object.entries(supervised).find(([, given]) => given !== undefined)?.[0]
    throw new MillraceError('USAGE', `${flag} is for one process, ${asked} for a supervisor with several`, {
      hint: `Leave ${flag} out, or ${asked}.`,
    })
  }
  const limits = {
    maxJobs: numberOf(options.maxJobs, '--max-jobs'),
    maxMemory: sizeOf(maxMemory, '--max-memory'),
    maxAge: durationOf(maxAge, '--max-age', '12h'),
    stallLimit: durationOf(stallLimit, '--stall-limit', '1m'),
  }
  return { processes: numberOf(processes, '--processes', 256, '--processes 2') ?? 1, ...thoseOf(limits) }
}

/** Those that have a value. */
function thoseOf<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  // What is left out of an object is not undefined in it.
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof thoseOf<T>
  >
}

function given(
  config: { readonly concurrency?: number; readonly queues?: WorkerOptions['queues'] },
  queues: readonly string[],
  options: Readonly<Record<string, unknown>>,
): WorkerOptions {
  const concurrency = numberOf(options.concurrency, '--concurrency', 10_000) ?? config.concurrency
  const maxJobs = options.once === true ? 1 : numberOf(options.maxJobs, '--max-jobs')
  const served =
    typeof options.queues === 'string' ? weights(options.queues) : queues.length > 0 ? queues : config.queues
  const timeout = durationOf(options.timeout, '--timeout', '5m')
  const grace = durationOf(options.grace, '--grace', '10s')
  return {
    ...thoseOf({ concurrency, maxJobs, queues: served, timeout, grace }),
    ...((options.drain === true || options.once === true) && { drain: true }),
  }
}

function weights(list: string): Record<string, QueueOptions> {
  const pairs = list.split(',').map((part): [string, QueueOptions] => {
    const [queue = '', weight] = part.trim().split(':')
    const parsed = numberOf(weight, `the weight of ${queue}`, 1000, '--queues mail:10,media:5')
    return [queue, parsed === undefined ? {} : { weight: parsed }]
  })
  return Object.fromEntries(pairs)
}

function logFormat(value: unknown): 'pretty' | 'json' {
  if (value === 'json' || value === 'pretty') return value
  if (value !== undefined)
    throw new MillraceError('USAGE', `--log ${String(value)} is neither pretty nor json`, {
      fields: { flag: '--log', value },
      hint: 'Write: --log pretty, or --log json',
    })
  return process.stdout.isTTY ? 'pretty' : 'json'
}

function tellStart(context: Context, store: string, handlers: Handlers, options: WorkerOptions): void {
  const queues = options.queues === undefined ? 'every queue' : queueNames(options.queues)
  say(context.output, `Working on ${store}. Ctrl-C stops it.`)
  say(context.output, `${handlerNames(handlers)} from ${queues}, ${options.concurrency ?? 10} at a time`)
}

/** The first few by name. */
function handlerNames(handlers: Handlers): string {
  const names = handlers.map((each) => clean(bind(each).definition.name)).sort()
  return names.length <= 6 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`
}

function queueNames(queues: NonNullable<WorkerOptions['queues']>): string {
  return clean((Array.isArray(queues) ? queues : Object.keys(queues)).join(', '))
}

function tellEnd(context: Context, worker: WorkerHandle): void {
  say(context.output, `Stopped after ${worker.jobsDone} ${worker.jobsDone === 1 ? 'job' : 'jobs'}.`)
}
