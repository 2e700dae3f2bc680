/** `millrace test` (`queue:test`): one probe through the whole road, or many test jobs and what became of them. */
import { formatDuration, parseDuration } from '../../core/duration.ts'
import { MillraceError } from '../../core/errors.ts'
import { parseSize } from '../../core/size.ts'
import { nearest } from '../../core/suggest.ts'
import { bind } from '../../job/handle.ts'
import type { Handlers, Millrace } from '../../runtime/millrace.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { clean, type Output, paint, printJson } from '../output.ts'
import { ping } from '../probe.ts'
import type { CommandSpec } from '../program.ts'
import { endDespiteHandlers } from '../signals.ts'
import { runMany } from '../test-load.ts'
import { jsonOf, numberOf, priorityOf } from '../values.ts'

/** The commands of this file. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    path: 'test',
    aliases: ['queue:test'],
    args: '[name]',
    summary: 'send a probe through the queue; with --count many test jobs',
    options: [
      ['--data <json>', 'the input of the named job'],
      ['--inline', 'run the named handler here, without the queue'],
      ['--no-worker', 'start no worker of its own: somebody else has to run it'],
      ['--timeout <duration>', 'how long to wait (default 5s; with --count 10m)'],
      ['--count <n>', 'so many test jobs'],
      ['--priority <priority>', 'of the probe or the test jobs'],
      ['--delay <duration>', 'of the probe or the test jobs'],
      ['--queue <queue>', 'of the probe or the test jobs (default millrace-test)'],
      ['--fail-rate <part>', 'the part of the test jobs that fails, 0 to 1'],
      ['--run-time <duration>', 'how long each test job runs'],
      ['--payload-size <size>', 'bytes of payload of each test job'],
    ],
    examples: [
      'millrace queue:test',
      'millrace test --count 10000 --fail-rate 0.01',
      "millrace test resize --data '{}' --inline",
    ],
    run: test,
  },
]

async function test(
  context: Context,
  [name]: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<ExitCode> {
  if (options.inline === true) return await inline(context, name, options.data)
  if (options.count !== undefined) {
    return await runMany(context, {
      count: numberOf(options.count, '--count') ?? 1,
      queue: typeof options.queue === 'string' ? options.queue : 'millrace-test',
      priority: priorityOf(options.priority ?? 'normal'),
      delayMs: typeof options.delay === 'string' ? parseDuration(options.delay, '--delay') : 0,
      failRate: rateOf(options.failRate),
      runMs: typeof options.runTime === 'string' ? parseDuration(options.runTime, '--run-time') : 0,
      payloadBytes: sizeOf(options.payloadSize),
      timeoutMs: timeoutOf(options.timeout, 600_000),
      worker: options.worker !== false,
    })
  }
  return await probe(context, name, options)
}

/** Runs a configured handler in this process: no queue, the real stack trace. */
async function inline(context: Context, name: string | undefined, data: unknown): Promise<ExitCode> {
  const handlers = await context.handlers()
  const handler = handlers.map(bind).find((each) => each.definition.name === name)
  if (handler === undefined) throw unknownHandler(name ?? '', handlers)
  const { runInline } = await import('../test-inline.ts')
  return await runInline(context, handler, data)
}

async function probe(
  context: Context,
  name: string | undefined,
  options: Readonly<Record<string, unknown>>,
): Promise<ExitCode> {
  const startedAt = performance.now()
  const timeoutMs = timeoutOf(options.timeout, 5000)
  const road = new Road(context.output)
  return await context.withMill(async (mill) => {
    road.step('Connected', `${mill.store.description} (schema ${(await mill.store.schemaVersion()).current})`)
    const handlers = name === undefined ? [ping] : await context.handlers()
    const handler = handlers.find((each) => name === undefined || bind(each).definition.name === name)
    if (handler === undefined) throw unknownHandler(name ?? '', handlers)
    const { definition } = bind(handler)
    const queue = typeof options.queue === 'string' ? options.queue : definition.queue
    const isServed = (await mill.workers()).some(
      (node) => node.names.includes(definition.name) && (node.queues === null || node.queues.includes(queue)),
    )
    // For the probe alone: what else waits in the queue is not for a test to run.
    const worker =
      isServed || options.worker === false ? null : mill.work([handler], { concurrency: 1, queues: [queue] })
    // The input's type is known to the definition alone; its schema checks it.
    const input = jsonOf(options.data) as undefined
    const priority = options.priority === undefined ? {} : { priority: priorityOf(options.priority) }
    const delay = typeof options.delay === 'string' ? { delay: options.delay } : {}
    const job = await mill.enqueue(definition as typeof ping, input, { queue, ...priority, ...delay })
    road.step('Enqueued', `${job.id} in ${queue}`)
    const enqueuedAt = performance.now()
    try {
      const result = await job.result({ timeout: timeoutMs })
      const waitedMs = performance.now() - enqueuedAt
      const info = await mill.get(job.id)
      const last = info?.history.at(-1)
      const pickedMs = Math.min(
        waitedMs,
        Math.max(0, (last?.startedAt.getTime() ?? 0) - (info?.createdAt.getTime() ?? 0)),
      )
      const node = (await mill.workers()).find(({ id }) => id === last?.workerId)
      const where =
        node === undefined
          ? `worker ${last?.workerId ?? ''}`
          : `pid ${node.pid} on ${clean(node.host)}, v${node.version}`
      road.step('Picked up', where, pickedMs)
      road.step('Completed', `result ${clean(JSON.stringify(result) ?? 'undefined')}`, waitedMs - pickedMs)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'WAIT_TIMEOUT') throw error
      const failure = await notInTime(mill, job.id, definition.name, timeoutMs)
      await worker?.stop({ now: true })
      if (worker !== null) endDespiteHandlers()
      throw failure
    } finally {
      // A handler that goes on after its probe was given up would hold the command for as long as it likes.
      await worker?.stop({ now: true })
    }
    const totalMs = performance.now() - startedAt
    if (context.output.json)
      printJson({ ok: true, id: job.id, steps: road.steps, totalMs: Math.round(totalMs * 100) / 100 })
    else if (!context.output.quiet) console.log(`All good in ${totalMs.toFixed(0)} ms.`)
    return EXIT.ok
  })
}

/** Cancels a probe that was waited for long enough, and tells whether nobody took it or it runs for longer. */
async function notInTime(mill: Millrace, id: string, name: string, timeoutMs: number): Promise<MillraceError> {
  const isRunning = (await mill.get(id))?.state === 'processing'
  const why = isRunning ? '' : ` ${(await mill.why(id)).map(({ text }) => text).join(' ')}`
  await mill.cancel(id)
  const what = isRunning ? `${name} did not end` : `Nobody ran ${name}`
  return new MillraceError('WAIT_TIMEOUT', `${what} within ${formatDuration(timeoutMs)}; it is cancelled.${why}`, {
    fields: { id, timeoutMs },
    hint: isRunning ? 'Give it longer: --timeout 1m' : 'Start a worker: millrace work',
  })
}

/** The way of a probe, a line for each step with the time it took. */
class Road {
  readonly steps: { readonly step: string; readonly text: string; readonly ms: number }[] = []
  readonly #output: Output
  #last = performance.now()

  constructor(output: Output) {
    this.#output = output
  }

  step(title: string, text: string, ms = performance.now() - this.#last): void {
    this.#last = performance.now()
    this.steps.push({ step: title, text, ms: Math.round(ms * 100) / 100 })
    if (this.#output.json || this.#output.quiet) return
    const took = paint(this.#output, 'dim', `${ms.toFixed(0)} ms`)
    console.log(`${paint(this.#output, 'green', '✓')} ${title.padEnd(10)} ${text}  ${took}`)
  }
}

function unknownHandler(name: string, handlers: Handlers): MillraceError {
  const names = handlers.map((each) => bind(each).definition.name)
  const near = nearest(name, names)
  const known = names.length === 0 ? 'There are none; run: millrace init' : `There are: ${names.join(', ')}.`
  return new MillraceError('HANDLER_MISSING', `no handler is called ${JSON.stringify(name)}`, {
    fields: { name, names },
    hint: near === undefined ? known : `Did you mean ${near} ?`,
  })
}

function timeoutOf(value: unknown, fallback: number): number {
  return typeof value === 'string' ? parseDuration(value, '--timeout') : fallback
}

/** Bytes; a bare number is one of bytes. */
function sizeOf(value: unknown): number {
  const text = String(value ?? 0)
  return parseSize(/^\d+$/.test(text) ? Number(text) : text, '--payload-size')
}

function rateOf(value: unknown): number {
  const rate = Number(value ?? 0)
  if (rate >= 0 && rate <= 1) return rate
  throw new MillraceError('USAGE', `--fail-rate is ${String(value)}; it must be from 0 to 1`, {
    fields: { flag: '--fail-rate', value: String(value) },
    hint: 'Write for example: --fail-rate 0.05',
  })
}
