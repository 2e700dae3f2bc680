/**
 * Definitions: how a kind of job runs. A definition holds no handler code, so that a web server imports it for nothing; a
 * handler is bound to it by `handle` where the work is done, or by `run` in the same step.
 */
import type { Duration } from '../core/duration.ts'
import { parseDuration } from '../core/duration.ts'
import { ConfigError } from '../core/errors.ts'
import { checkName, checkQueue } from '../core/job/limits.ts'
import { type Priority, parsePriority } from '../core/job/priority.ts'
import { parseRetry, type RetryOptions, type RetryPolicy } from '../core/job/retry.ts'
import { checkOptions } from '../core/options.ts'
import type { Handler } from './context.ts'
import { type IsolateKind, type IsolateOptions, type Isolation, parseIsolation } from './isolation.ts'
import type { Schema, SchemaInput, SchemaOutput } from './schema.ts'

/** The parts of a definition that do not touch its types. */
export interface JobOptions {
  /** What the job is called in the store, at most 128 characters. Renaming it orphans waiting jobs: keep `aliases`. */
  readonly name: string
  /** Earlier names whose waiting jobs this definition runs too. */
  readonly aliases?: readonly string[]
  /** The payload's version, default 1. */
  readonly version?: number
  /** From version n to n + 1, for payloads of an older deploy. */
  readonly upgrade?: Readonly<Record<number, (input: never) => unknown>>
  /** Default `default`. */
  readonly queue?: string
  /** `low`, `normal`, `high`, `urgent` or 0–100, higher first. Default `normal`. */
  readonly priority?: Priority
  /** How long one attempt may run before its signal aborts. Default 5 minutes. */
  readonly timeout?: Duration
  /** A policy, a number of attempts, or `false` for a single one. Default 10 attempts, exponential 2 s → 1 h, full jitter. */
  readonly retry?: RetryOptions | number | false
  /**
   * Where its handler runs: `none`, in the worker (default); `thread` or `process`, one job at a time, so that it can be killed
   * without harm to others. With a limit: `{ in: 'process', memory: '128mb' }`.
   */
  readonly isolate?: IsolateKind | IsolateOptions
}

/** A kind of job. `Input` is what `enqueue` takes, `Parsed` what its handler is given, `Result` what `job.result()` gives. */
export interface JobDefinition<Input = unknown, Parsed = unknown, Result = unknown> {
  readonly name: string
  readonly aliases: readonly string[]
  readonly version: number
  readonly upgrade: Readonly<Record<number, (input: unknown) => unknown>>
  readonly queue: string
  readonly priority: number
  readonly timeoutMs: number
  readonly retry: RetryPolicy
  /** Undefined: in the worker itself. */
  readonly isolate: Isolation | undefined
  readonly input: Schema | undefined
  readonly output: Schema | undefined
  readonly run: ((input: never, job: never) => unknown) | undefined
  /** Carries the types; there is no such value at run time. */
  readonly '~types'?: { readonly input: (value: Input) => void; readonly parsed: Parsed; readonly result: Result }
}

const OPTIONS = [
  'name',
  'aliases',
  'version',
  'upgrade',
  'queue',
  'priority',
  'timeout',
  'retry',
  'isolate',
  'input',
  'output',
  'run',
]
const DEFAULT_TIMEOUT_MS = 300_000

/** Defines a kind of job whose input and result are both checked. */
export function defineJob<I extends Schema, O extends Schema>(
  options: JobOptions & {
    readonly input: I
    readonly output: O
    readonly run?: Handler<SchemaOutput<I>, SchemaInput<O>, SchemaInput<O>>
  },
): JobDefinition<SchemaInput<I>, SchemaOutput<I>, SchemaOutput<O>>
/** Defines a kind of job whose input is checked; the result is what `run` returns. */
export function defineJob<I extends Schema, R = unknown>(
  options: JobOptions & { readonly input: I; readonly output?: undefined; readonly run?: Handler<SchemaOutput<I>, R> },
): JobDefinition<SchemaInput<I>, SchemaOutput<I>, Awaited<R>>
/** Defines a kind of job whose result is checked; the input is what `run` takes. */
export function defineJob<O extends Schema, P = undefined>(
  options: JobOptions & {
    readonly input?: undefined
    readonly output: O
    readonly run?: Handler<P, SchemaInput<O>, SchemaInput<O>>
  },
): JobDefinition<P, P, SchemaOutput<O>>
/** Defines a kind of job from what `run` takes and returns; nothing is checked at run time. */
export function defineJob<P = undefined, R = unknown>(
  options: JobOptions & { readonly input?: undefined; readonly output?: undefined; readonly run?: Handler<P, R> },
): JobDefinition<P, P, Awaited<R>>
export function defineJob(
  options: JobOptions & {
    readonly input?: Schema | undefined
    readonly output?: Schema | undefined
    readonly run?: ((input: never, job: never) => unknown) | undefined
  },
): Omit<JobDefinition, '~types'> {
  checkOptions(options, OPTIONS, 'defineJob')
  checkName(options.name)
  const version = options.version ?? 1
  if (!Number.isSafeInteger(version) || version < 1) {
    throw new ConfigError(
      'DEFINITION_INVALID',
      `the version of ${options.name} is ${String(version)}; it must be 1, 2, 3 …`,
      {
        fields: { name: options.name, version },
        hint: 'Count versions up from 1 whenever the input changes its shape.',
      },
    )
  }
  checkParts(options)
  const queue = options.queue ?? 'default'
  checkQueue(queue)
  return {
    name: options.name,
    aliases: options.aliases ?? [],
    version,
    // Each function takes what the one before it returned; the store cannot know that type.
    upgrade: (options.upgrade ?? {}) as Readonly<Record<number, (input: unknown) => unknown>>,
    queue,
    priority: parsePriority(options.priority ?? 'normal'),
    timeoutMs: timeoutOf(options),
    retry: parseRetry(options.retry ?? {}),
    isolate: parseIsolation(options.isolate ?? 'none', options.name),
    input: options.input,
    output: options.output,
    run: options.run,
  }
}

function timeoutOf({ name, timeout }: JobOptions): number {
  const ms = timeout === undefined ? DEFAULT_TIMEOUT_MS : parseDuration(timeout, 'timeout')
  if (ms > 0) return ms
  throw new ConfigError('DEFINITION_INVALID', `the timeout of ${name} is ${ms}: an attempt needs time to run`, {
    fields: { name, timeout },
    hint: 'Give it at least 1 ms, or leave it out for 5 minutes.',
  })
}

/** Refuses parts of the wrong kind: callers in plain JavaScript pass anything. */
function checkParts(
  options: JobOptions & { readonly input?: unknown; readonly output?: unknown; readonly run?: unknown },
) {
  const { name, aliases = [], upgrade = {}, input, output, run } = options
  const refuse = (part: string, hint: string) => {
    throw new ConfigError('DEFINITION_INVALID', `\`${part}\` of ${name} is not what it must be`, {
      fields: { name, part },
      hint,
    })
  }
  if (!Array.isArray(aliases)) refuse('aliases', 'Give a list of earlier names.')
  for (const alias of aliases) checkName(alias)
  if (typeof upgrade !== 'object' || !Object.values(upgrade).every((each) => typeof each === 'function'))
    refuse('upgrade', 'Give an object of functions: { 1: (old) => ({ …old }) }.')
  if (run !== undefined && typeof run !== 'function') refuse('run', 'Give a function: async (input, job) => { … }.')
  for (const [part, schema] of Object.entries({ input, output }))
    if (schema !== undefined && !isSchema(schema))
      refuse(part, 'Give a Standard Schema, such as z.object({ … }) of zod, or shape<T>().')
}

function isSchema(value: unknown): boolean {
  // Some validators are functions that carry the property.
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  return '~standard' in value
}
