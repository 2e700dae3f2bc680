/** `millrace test NAME --inline`: a handler run in this process, its input checked as in a worker, its error with its stack. */
import { ConfigError } from '../core/errors.ts'
import type { JobContext } from '../job/context.ts'
import { Snooze } from '../job/control-flow.ts'
import type { BoundHandler } from '../job/handle.ts'
import { validate } from '../job/schema.ts'
import type { Context } from './context.ts'
import { EXIT, type ExitCode } from './failure.ts'
import { clean, printJson, say } from './output.ts'
import { jsonOf } from './values.ts'

/** Runs the handler once and prints its result, or its error with its stack. Ends with 0 or 1. */
export async function runInline(context: Context, handler: BoundHandler, data: unknown): Promise<ExitCode> {
  const { definition } = handler
  const given: unknown = jsonOf(data)
  const input = await validate(definition.input, given, 'PAYLOAD_INVALID', definition.name)
  const timeout = AbortSignal.timeout(definition.timeoutMs)
  let kept: unknown
  const job: JobContext = {
    id: '00000000-0000-7000-8000-000000000000',
    name: definition.name,
    queue: definition.queue,
    priority: definition.priority,
    attempt: 1,
    tags: [],
    createdAt: new Date(),
    fence: 1,
    signal: timeout,
    progress: (fraction, note) => say(context.output, `${Math.round(fraction * 100)} % ${clean(note ?? '')}`),
    log: (message, level = 'info') => say(context.output, `${level}: ${clean(message)}`),
    completeIn: async () => {
      throw new ConfigError('CONFIG_INVALID', 'a job that runs inline has no row to complete', {
        hint: 'Let your transaction be rolled back; with a worker its completion commits with it.',
      })
    },
    // One attempt, kept nowhere: what it leaves is there for as long as it runs.
    checkpoint: async (value) => {
      kept = value
    },
    restore: async () => kept,
    snooze: (delay) => {
      throw new Snooze(delay)
    },
  }
  try {
    const result = await validate(definition.output, await handler.run(input, job), 'RESULT_INVALID', definition.name)
    if (context.output.json) printJson({ ok: true, result })
    else console.log(JSON.stringify(result, null, 2) ?? '')
    return EXIT.ok
  } catch (error) {
    console.error(error instanceof Error ? error.stack : error)
    return EXIT.failed
  }
}
