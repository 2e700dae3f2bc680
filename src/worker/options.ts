/** What a worker can be told, and its defaults. */
import { type Duration, parseDuration } from '../core/duration.ts'
import { ConfigError } from '../core/errors.ts'
import { checkQueue } from '../core/job/limits.ts'
import { checkOptions } from '../core/options.ts'
import type { Middleware } from '../job/context.ts'
import type { Capabilities } from '../store/contract/index.ts'
import { type Entries, type Entry, parseEntry } from './isolate/entry.ts'

/** How one queue is served by a worker. */
export interface QueueOptions {
  /** At most this many of its jobs run in this worker at a time. */
  readonly concurrency?: number
  /** Its share of the claims beside other queues, default 1. */
  readonly weight?: number
}

/** How a worker keeps its isolates. */
export interface IsolatesOptions {
  /** The most threads, and the most processes, at a time; default `concurrency`, so that no job in a slot waits for one. */
  readonly size?: number
  /** How long one may lie idle before it ends. Default 1 minute. */
  readonly idle?: Duration
}

/** How a worker works. Everything has a default. */
export interface WorkerOptions {
  /** Jobs that run at a time, default 10. */
  readonly concurrency?: number
  /** Queues to serve: names, or names with options; default every queue. */
  readonly queues?: readonly string[] | Readonly<Record<string, QueueOptions>>
  /** Runs around every handler, in the worker also when the handler runs in an isolate. */
  readonly middleware?: readonly Middleware[]
  /**
   * The module whose exports are the handlers, for jobs with `isolate`: `new URL('./handlers.js', import.meta.url)`. A list is tried
   * in its order. `millrace work` knows it.
   */
  readonly entry?: Entry
  readonly isolates?: IsolatesOptions
  /** How long a claim holds without a heartbeat, default 30 s. */
  readonly lease?: Duration
  /** Between heartbeats, default a third of the lease. */
  readonly heartbeat?: Duration
  /** After an abort, how long a handler may ignore its signal before the attempt ends without it. Default 5 s. */
  readonly grace?: Duration
  /** On `stop`: how long running jobs may finish undisturbed. Default 20 s. */
  readonly stopWithin?: Duration
  /** The longest a worker sleeps without asking the store. Default 250 ms, on MySQL 1 s: hints come by other looks there. */
  readonly poll?: Duration
  /**
   * Jobs fetched ahead of free slots at most; 0 turns it off. Default on SQLite 128 less `concurrency`, and 32 at least;
   * 1,536 on a server.
   */
  readonly maxPrefetch?: number
  /** The longest an attempt may run here, also when its job allows more. */
  readonly timeout?: Duration
  /** Stop after this many jobs. */
  readonly maxJobs?: number
  /** Stop when nothing is left to claim and nothing runs. */
  readonly drain?: boolean
  /** Go on trying when the store was out of reach for three leases, instead of rejecting `done`. */
  readonly restart?: boolean
  /**
   * The process does little but work: its memory is kept small, by V8 flags and a collection of 50 to 100 ms when work rests.
   * `millrace work` sets it. Default false.
   */
  readonly dedicated?: boolean
}

/** The same, whole and in milliseconds. */
export interface WorkerSettings {
  readonly concurrency: number
  readonly queues: ReadonlyMap<string, { readonly concurrency: number; readonly weight: number }> | 'all'
  readonly middleware: readonly Middleware[]
  readonly entry: Entries
  readonly maxIsolates: number
  readonly isolateIdleMs: number
  readonly leaseMs: number
  readonly heartbeatMs: number
  readonly graceMs: number
  readonly stopWithinMs: number
  readonly pollMs: number
  readonly maxPrefetch: number
  readonly maxTimeoutMs: number
  readonly maxJobs: number
  readonly drain: boolean
  readonly restart: boolean
  readonly dedicated: boolean
}

const REMOTE_PREFETCH = 1536
const OPTIONS = [
  'concurrency',
  'queues',
  'middleware',
  'entry',
  'isolates',
  'lease',
  'heartbeat',
  'grace',
  'stopWithin',
  'poll',
  'maxPrefetch',
  'timeout',
  'maxJobs',
  'drain',
  'restart',
  'dedicated',
]

/**
 * Checks the options and fills in defaults, some of which depend on the store. Throws ConfigError with the option's name and
 * value.
 */
export function workerSettings(
  options: WorkerOptions,
  { remote, pollMs }: Pick<Capabilities, 'remote' | 'pollMs'> = { remote: false, pollMs: 250 },
): WorkerSettings {
  checkOptions(options, OPTIONS, 'work')
  const leaseMs = duration(options.lease, 'lease', 30_000, 100)
  const heartbeatMs = duration(options.heartbeat, 'heartbeat', Math.floor(leaseMs / 3), 10)
  if (heartbeatMs * 2 > leaseMs) {
    throw new ConfigError('CONFIG_INVALID', `a heartbeat each ${heartbeatMs} ms cannot keep a lease of ${leaseMs} ms`, {
      fields: { heartbeatMs, leaseMs },
      hint: 'Make the lease at least twice the heartbeat.',
    })
  }
  const concurrency = count(options.concurrency, 'concurrency', 10, 1, 10_000)
  return {
    concurrency,
    queues: queueSettings(options.queues),
    middleware: options.middleware ?? [],
    entry: parseEntry(options.entry),
    ...isolateSettings(options.isolates ?? {}, concurrency),
    leaseMs,
    heartbeatMs,
    graceMs: duration(options.grace, 'grace', 5_000, 0),
    stopWithinMs: duration(options.stopWithin, 'stopWithin', 20_000, 0),
    pollMs: duration(options.poll, 'poll', pollMs, 1),
    maxPrefetch: count(options.maxPrefetch, 'maxPrefetch', defaultPrefetch(concurrency, remote), 0, 10_000),
    maxTimeoutMs: options.timeout === undefined ? Number.POSITIVE_INFINITY : duration(options.timeout, 'timeout', 0, 1),
    maxJobs:
      options.maxJobs === undefined
        ? Number.POSITIVE_INFINITY
        : count(options.maxJobs, 'maxJobs', 1, 1, Number.MAX_SAFE_INTEGER),
    drain: options.drain === true,
    restart: options.restart === true,
    dedicated: options.dedicated === true,
  }
}

/**
 * On a server 1,536, a third of it running while two are under way: a batch costs a round trip and a write to the disk, so
 * larger ones give the most where jobs are shortest (PostgreSQL, no-op jobs: 20,000 to 26,000 a second with 256, 26,000 to 32,000
 * with 1,024; with 1,536 another tenth). Embedded, running and fetched together about 128: enough to keep one exchange of the
 * fastest store busy (192 were 2 % faster on SQLite), and few enough that V8's young generation stays small: after 100,000 jobs a
 * worker held 7 MiB less than with 192.
 */
function defaultPrefetch(concurrency: number, isRemote: boolean): number {
  return isRemote ? REMOTE_PREFETCH : Math.max(32, 128 - concurrency)
}

function isolateSettings(options: IsolatesOptions, concurrency: number) {
  checkOptions(options, ['size', 'idle'], 'isolates')
  return {
    maxIsolates: count(options.size, 'isolates.size', concurrency, 1, 10_000),
    isolateIdleMs: duration(options.idle, 'isolates.idle', 60_000, 0),
  }
}

function queueSettings(queues: WorkerOptions['queues']): WorkerSettings['queues'] {
  if (queues === undefined) return 'all'
  if (typeof queues !== 'object' || queues === null) {
    throw new ConfigError('CONFIG_INVALID', `\`queues\` is ${JSON.stringify(queues)}; it must name queues`, {
      fields: { option: 'queues', value: queues },
      hint: "Write: queues: ['media'], or { media: { concurrency: 4, weight: 2 } }.",
    })
  }
  const entries: readonly (readonly [string, QueueOptions])[] = isNames(queues)
    ? queues.map((name) => [name, {}] as const)
    : Object.entries(queues)
  if (entries.length === 0)
    throw new ConfigError('CONFIG_INVALID', '`queues` names no queue', { hint: 'Leave it out to serve every queue.' })
  return new Map(
    entries.map(([name, one]) => {
      checkQueue(name)
      checkOptions(one, ['concurrency', 'weight'], `queue ${name}`)
      const concurrency =
        one.concurrency === undefined
          ? Number.POSITIVE_INFINITY
          : count(one.concurrency, `concurrency of ${name}`, 1, 1, 10_000)
      return [name, { concurrency, weight: count(one.weight, `weight of ${name}`, 1, 1, 1000) }]
    }),
  )
}

function isNames(queues: NonNullable<WorkerOptions['queues']>): queues is readonly string[] {
  return Array.isArray(queues)
}

function count(value: number | undefined, name: string, fallback: number, min: number, max: number): number {
  if (value === undefined) return fallback
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw new ConfigError(
    'CONFIG_INVALID',
    `${name} is ${String(value)}; it must be a whole number from ${min} to ${max}`,
    { fields: { option: name, value }, hint: `Give a number from ${min} to ${max}, or leave it out for ${fallback}.` },
  )
}

function duration(value: Duration | undefined, name: string, fallback: number, min: number): number {
  const ms = value === undefined ? fallback : parseDuration(value, name)
  if (ms >= min) return ms
  throw new ConfigError('CONFIG_INVALID', `${name} is ${ms} ms; it must be at least ${min} ms`, {
    fields: { option: name, value },
    hint: 'Give a longer time, or leave it out.',
  })
}
