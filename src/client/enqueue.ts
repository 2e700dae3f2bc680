/** From a definition, an input and options to a row that a store can insert. */
import { newId } from '../base/id.ts'
import type { Codec } from '../codec/codec.ts'
import { type Duration, parseDuration } from '../core/duration.ts'
import { ConfigError } from '../core/errors.ts'
import { checkQueue, checkTags } from '../core/job/limits.ts'
import { type Priority, parsePriority } from '../core/job/priority.ts'
import { parseRetry, type RetryOptions } from '../core/job/retry.ts'
import { parseUnique, type UniqueOptions } from '../core/job/unique.ts'
import { checkOptions } from '../core/options.ts'
import type { JobDefinition } from '../job/define-job.ts'
import { isShape, validate } from '../job/schema.ts'
import type { EdgePolicy, NewEdge, NewJob, Store } from '../store/contract/index.ts'
import { checkDefinition, instantOf, invalid, oneOf } from './arguments.ts'

/** A parent: its id, or with what happens when it does not complete (default `cancel`). */
export type Dependency =
  | string
  | { readonly id: string }
  | { readonly job: string | { readonly id: string }; readonly onFailure: EdgePolicy }

/** How one job is to run. What is absent comes from its definition. */
export interface EnqueueOptions {
  /** The job's id, a UUID in lower case. Supply it to make a repeated enqueue one row. */
  readonly id?: string
  /** Run no sooner than this from now. Not together with `runAt`. */
  readonly delay?: Duration
  /** Run no sooner than this instant. */
  readonly runAt?: Date | number
  readonly priority?: Priority
  readonly queue?: string
  /** A key that at most one job may hold: text, or with a window and what to do on conflict (default `existing`). */
  readonly unique?: UniqueOptions | string
  /** Jobs that must end first. */
  readonly dependsOn?: Dependency | readonly Dependency[]
  /** Fail the job, reason `expired`, when it has not started within this time. */
  readonly expiresIn?: Duration
  /** At most 32 of 64 characters. */
  readonly tags?: readonly string[]
  readonly retry?: RetryOptions | number | false
  readonly timeout?: Duration
  /** The caller's own open transaction on the same database: the job exists when it commits. */
  readonly tx?: unknown
  /** With `tx`: wake waiting workers by its commit itself. Default false: they find the job within a poll. */
  readonly notify?: boolean
}

/** Every option of `enqueue`, by name. */
export const ENQUEUE_OPTIONS: readonly string[] = [
  'id',
  'delay',
  'runAt',
  'priority',
  'queue',
  'unique',
  'dependsOn',
  'expiresIn',
  'tags',
  'retry',
  'timeout',
  'tx',
  'notify',
]
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** A row ready to insert; a promise when the schema or a large payload is worked on asynchronously. */
export function newJob(
  codec: Codec,
  definition: JobDefinition,
  input: unknown,
  options: EnqueueOptions | undefined,
): NewJob | Promise<NewJob> {
  checkDefinition(definition)
  const row = options === undefined ? plainRow(definition) : rowWith(definition, options, codec)
  if (isShape(definition.input)) return seal(codec, row, input)
  // The caller's input is what is stored; the worker validates again and gives its handler the schema's output.
  const checked = validate(definition.input, input, 'PAYLOAD_INVALID', definition.name)
  return checked instanceof Promise ? checked.then(() => seal(codec, row, input)) : seal(codec, row, input)
}

/** The row when it can go into a caller's transaction now: on this store, and with nothing left to wait for. Throws `CONFIG_INVALID`. */
export function rowWithin(store: Store, definition: JobDefinition, row: NewJob | Promise<NewJob>): NewJob {
  if (!store.capabilities.transactions) {
    throw new ConfigError('CONFIG_INVALID', `${store.description} cannot take part in a transaction`, {
      fields: { option: 'tx' },
      hint: 'Leave `tx` out and enqueue after the commit, or use a store on a file.',
    })
  }
  if (row instanceof Promise) {
    row.catch(() => {})
    throw new ConfigError(
      'CONFIG_INVALID',
      `${definition.name} cannot be enqueued with \`tx\` here: its schema or its payload needs asynchronous work`,
      {
        fields: { name: definition.name },
        hint: 'Use a synchronous schema and a payload under 32 KiB, or enqueue after the commit.',
      },
    )
  }
  return row
}

type Row = Omit<NewJob, 'payload'>

function seal(codec: Codec, row: Row, input: unknown): NewJob | Promise<NewJob> {
  const payload = codec.encode({ jobId: row.id, jobName: row.name, field: 'payload' }, input)
  return payload instanceof Promise ? payload.then((bytes) => ({ ...row, payload: bytes })) : withPayload(row, payload)
}

function withPayload(row: Row, payload: Uint8Array): NewJob {
  // The row was made for this call and is handed on once: adding to it saves a copy on the hot path.
  const job = row as Row & { payload: Uint8Array }
  job.payload = payload
  return job
}

function plainRow(definition: JobDefinition): Row {
  return {
    id: newId(),
    fresh: true,
    name: definition.name,
    version: definition.version,
    queue: definition.queue,
    priority: definition.priority,
  }
}

function rowWith(definition: JobDefinition, options: EnqueueOptions, codec: Codec): Row {
  checkOptions(options, ENQUEUE_OPTIONS, 'enqueue')
  const id = options.id ?? newId()
  checkId(id, 'the id')
  if (options.delay !== undefined && options.runAt !== undefined) {
    throw new ConfigError('CONFIG_INVALID', '`delay` and `runAt` say the same thing twice', {
      fields: { delay: options.delay, runAt: options.runAt },
      hint: 'Give one of them.',
    })
  }
  if (options.notify !== undefined) checkNotify(options)
  const queue = options.queue ?? definition.queue
  if (options.queue !== undefined) checkQueue(queue)
  if (options.tags !== undefined) checkTags(options.tags)
  const unique = options.unique === undefined ? undefined : parseUnique(options.unique)
  return {
    id,
    fresh: options.id === undefined,
    name: definition.name,
    version: definition.version,
    queue,
    priority: options.priority === undefined ? definition.priority : parsePriority(options.priority),
    ...(options.delay !== undefined && { delayMs: parseDuration(options.delay, 'delay') }),
    ...(options.runAt !== undefined && { runAt: instantOf(options.runAt, 'runAt') }),
    ...(options.expiresIn !== undefined && { expiresInMs: parseDuration(options.expiresIn, 'expiresIn') }),
    ...(options.timeout !== undefined && { timeoutMs: timeoutOf(options.timeout) }),
    ...(options.retry !== undefined && { retry: JSON.stringify(parseRetry(options.retry)) }),
    ...(options.tags !== undefined && { tags: options.tags }),
    ...(options.dependsOn !== undefined && { dependsOn: edges(options.dependsOn) }),
    ...(unique !== undefined && {
      unique: {
        scope: definition.name,
        key: codec.blind('unique', unique.key),
        onConflict: unique.onConflict,
        ...(unique.withinMs !== undefined && { withinMs: unique.withinMs }),
      },
    }),
  }
}

function checkNotify({ notify, tx }: EnqueueOptions): void {
  if (typeof notify !== 'boolean')
    throw invalid('notify', notify, 'it is not true or false', 'Give true, or leave it out.')
  if (tx !== undefined) return
  throw invalid('notify', notify, 'there is no `tx`', 'Leave it out: without a transaction workers are always told.')
}

function timeoutOf(timeout: Duration): number {
  const ms = parseDuration(timeout, 'timeout')
  if (ms > 0) return ms
  throw invalid('timeout', timeout, 'an attempt needs time to run', 'Give it at least 1 ms, or leave it out.')
}

/** Throws `CONFIG_INVALID` for what cannot be a job's id; `what` is what the error calls it. */
export function checkId(id: unknown, what: string): void {
  if (typeof id === 'string' && ID.test(id)) return
  throw invalid(what, id, 'it is not a UUID in lower case', "Pass a job's id, such as 0199f2a0-…, or leave it out.")
}

function edges(dependsOn: Dependency | readonly Dependency[]): readonly NewEdge[] {
  const list: readonly unknown[] = Array.isArray(dependsOn) ? dependsOn : [dependsOn]
  return list.map((parent) => {
    if (typeof parent !== 'object' || parent === null) return edge(parent, 'cancel')
    if (!('job' in parent)) return edge('id' in parent ? parent.id : undefined, 'cancel')
    checkOptions(parent, ['job', 'onFailure'], 'dependsOn')
    const { job } = parent
    const policy = 'onFailure' in parent ? oneOf(parent.onFailure, 'onFailure', POLICIES) : 'cancel'
    return edge(typeof job === 'object' && job !== null && 'id' in job ? job.id : job, policy)
  })
}

const POLICIES: readonly EdgePolicy[] = ['cancel', 'proceed', 'fail']

function edge(parentId: unknown, policy: EdgePolicy): NewEdge {
  checkId(parentId, 'the parent in dependsOn')
  // A UUID by the line above.
  return { parentId: parentId as string, policy }
}
