/** `millrace test` (`queue:test`): one probe through the whole road, or many test jobs and what became of them. */

import { ALIVE_WITHIN_MS } from '../../client/why.ts'
import { parseDuration } from '../../core/duration.ts'
import { MillraceError } from '../../core/errors.ts'
import { parseSize } from '../../core/size.ts'
import { bind } from '../../job/handle.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { paint, printJson } from '../output.ts'
import { ping } from '../probe.ts'
import type { CommandSpec } from '../program.ts'
import { runMany } from '../test-load.ts'
import { jsonOf, numberOf, priorityOf } from '../values.ts'

export const COMMANDS: readonly CommandSpec[] = [
  {
    path: 'test',
    aliases: ['queue:test'],
    args: '[name]',
    summary: 'send a probe through the queue and print the road it took; with --count many test jobs and statistics',
    options: [
      ['--data <json>', 'the input of the named job'],
      ['--inline', 'run the named handler here, without the queue'],
      ['--no-worker', 'start no worker of its own: somebody else has to run it'],
      ['--timeout <duration>', 'how long to wait (default 5s; with --count 10m)'],
      ['--count <n>', 'so many test jobs'],
      ['--priority <priority>', 'of the test jobs'],
      ['--delay <duration>', 'of the test jobs'],
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
      payloadBytes: typeof options.payloadSize === 'string' ? parseSize(options.payloadSize, '--payload-size') : 0,
      timeoutMs: timeoutOf(options.timeout, 600_000),
    })
  }
  return await probe(context, name, options)
}

/** Runs a configured handler in this process: no queue, the real stack trace. */
async function inline(context: Context, name: string | undefined, data: unknown): Promise<ExitCode> {
  const handlers = (await context.handlers()).map(bind)
  const handler = handlers.find((each) => each.definition.name === name)
  if (handler === undefined) {
    throw new MillraceError('HANDLER_MISSING', `no handler is called ${name ?? ''}`, {
      hint: `There are: ${handlers.map((each) => each.definition.name).join(', ') || 'none'}.`,
    })
  }
  const { runInline } = await import('../test-inline.ts')
  return await runInline(context, handler, data)
}

async function probe(
  context: Context,
  name: string | undefined,
  options: Readonly<Record<string, unknown>>,
): Promise<ExitCode> {
  const { output } = context
  const startedAt = performance.now()
  const steps: { readonly step: string; readonly text: string; readonly ms: number }[] = []
  let last = startedAt
  const step = (title: string, text: string) => {
    const now = performance.now()
    const ms = now - last
    last = now
    steps.push({ step: title, text, ms })
    if (!output.json && !output.quiet)
      console.log(
        `${paint(output, 'green', '✓')} ${title.padEnd(13)} ${text}  ${paint(output, 'dim', `${ms.toFixed(0)} ms`)}`,
      )
  }
  return await context.withMill(async (mill) => {
    step('Connected', mill.store.description)
    const isAlive = (await mill.store.cluster.nodes(ALIVE_WITHIN_MS)).some((node) =>
      node.names.includes(name ?? ping.name),
    )
    const handlers = name === undefined ? [ping] : await context.handlers()
    if (!isAlive && options.worker !== false) mill.work(handlers, { concurrency: 1 })
    const definition =
      name === undefined ? ping : handlers.map((each) => bind(each).definition).find((each) => each.name === name)
    if (definition === undefined) throw new MillraceError('HANDLER_MISSING', `no handler is called ${name}`)
    const input: unknown = jsonOf(options.data)
    const queue = typeof options.queue === 'string' ? { queue: options.queue } : {}
    // The input's type is known to the definition alone; its schema checks it.
    const job = await mill.enqueue(definition as typeof ping, input as undefined, queue)
    step('Enqueued', `${definition.name} ${job.id}`)
    try {
      const result = await job.result({ timeout: timeoutOf(options.timeout, 5000) })
      const info = await mill.get(job.id)
      step('Completed', `result ${JSON.stringify(result)}, on worker ${info?.workerId ?? ''}`)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'WAIT_TIMEOUT') throw error
      await mill.cancel(job.id)
      throw new MillraceError('WAIT_TIMEOUT', `nobody ran the probe ${job.id} in time; it is cancelled`, {
        hint: 'Start a worker: millrace work',
      })
    }
    const totalMs = performance.now() - startedAt
    if (output.json) printJson({ ok: true, id: job.id, steps, totalMs })
    else if (!output.quiet) console.log(`All good in ${totalMs.toFixed(0)} ms.`)
    return EXIT.ok
  })
}

function timeoutOf(value: unknown, fallback: number): number {
  return typeof value === 'string' ? parseDuration(value, '--timeout') : fallback
}

function rateOf(value: unknown): number {
  const rate = Number(value ?? 0)
  if (rate >= 0 && rate <= 1) return rate
  throw new MillraceError('USAGE', `--fail-rate is ${String(value)}; it must be from 0 to 1`)
}
