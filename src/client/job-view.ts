/** A job as people and programs see it: the row with its sealed parts opened. */
import type { Codec } from '../codec/codec.ts'
import { MillraceError } from '../core/errors.ts'
import { priorityName } from '../core/job/priority.ts'
import type { BlockedReason, JobState, Reason } from '../core/job/state.ts'
import type { AttemptRecord, JobRow } from '../store/contract/index.ts'

/** An error of an attempt as it was kept: redacted and cut at 8 KiB. */
export interface JobErrorInfo {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
}

/** One attempt that has ended. */
export interface AttemptInfo extends Omit<AttemptRecord, 'error' | 'startedAt' | 'endedAt'> {
  readonly startedAt: Date
  readonly endedAt: Date
  readonly error: JobErrorInfo | null
}

/** One job, opened. Instants are Dates; durations milliseconds. */
export interface JobInfo {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly queue: string
  readonly priority: number
  readonly priorityName: string
  readonly state: JobState
  readonly reason: Reason | BlockedReason | null
  readonly createdAt: Date
  readonly runAt: Date
  readonly expiresAt: Date | null
  readonly finishedAt: Date | null
  readonly attempts: number
  readonly losses: number
  readonly crashes: number
  readonly workerId: string | null
  readonly claimedAt: Date | null
  readonly leaseUntil: Date | null
  readonly cancelling: boolean
  readonly progress: number | null
  readonly progressNote: string | null
  readonly timeoutMs: number | null
  readonly tags: readonly string[]
  readonly uniqueKey: string | null
  readonly waitingOn: number
  readonly dependents: number
  /** The input as it was enqueued; undefined when it cannot be opened (`isUnreadable`), or may not be read (`isWithheld`). */
  readonly input: unknown
  readonly result: unknown
  readonly error: JobErrorInfo | null
  readonly history: readonly AttemptInfo[]
  /** Some sealed part could not be opened: its key is not here, or it was tampered with. */
  readonly isUnreadable: boolean
  /** Input and result, and an error above 2 KiB, are kept from this user of the database: they are left out here. */
  readonly isWithheld: boolean
}

/** Opens a row. A part that cannot be opened is left out and said so; it never throws. */
export async function viewJob(codec: Codec, row: JobRow): Promise<JobInfo> {
  let isUnreadable = false
  const open = async (
    field: 'payload' | 'result' | 'error' | 'progress',
    bytes: Uint8Array | null,
  ): Promise<unknown> => {
    if (bytes === null) return null
    try {
      return await codec.decode(sealOf(row, field), bytes)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      isUnreadable = true
      return undefined
    }
  }
  const isWithheld = row.isWithheld === true
  const input = isWithheld ? undefined : await open('payload', row.payload)
  const result = row.state === 'completed' && !isWithheld ? await open('result', row.result) : undefined
  const error = asError(await open('error', row.error))
  const note = await open('progress', row.progressNote)
  const history: AttemptInfo[] = []
  for (const { error: bytes, startedAt, endedAt, ...rest } of row.history) {
    history.push({
      ...rest,
      startedAt: new Date(startedAt),
      endedAt: new Date(endedAt),
      error: asError(await open('error', bytes)),
    })
  }
  return {
    id: row.id,
    name: row.name,
    version: row.version,
    queue: row.queue,
    priority: row.priority,
    priorityName: priorityName(row.priority),
    state: row.state,
    reason: row.reason,
    createdAt: new Date(row.createdAt),
    runAt: new Date(row.runAt),
    expiresAt: dateOrNull(row.expiresAt),
    finishedAt: dateOrNull(row.finishedAt),
    attempts: row.attempts,
    losses: row.losses,
    crashes: row.crashes,
    workerId: row.workerId,
    claimedAt: dateOrNull(row.claimedAt),
    leaseUntil: dateOrNull(row.leaseUntil),
    cancelling: row.cancelling,
    progress: row.progress,
    progressNote: typeof note === 'string' ? note : null,
    timeoutMs: row.timeoutMs,
    tags: row.tags,
    uniqueKey: row.uniqueKey,
    waitingOn: row.waitingOn,
    dependents: row.dependents,
    input,
    result,
    error,
    history,
    isUnreadable,
    isWithheld,
  }
}

/** What names a sealed field to the codec; only a result is bound to its lease, errors outlive theirs. */
export function sealOf(row: Pick<JobRow, 'id' | 'name' | 'epoch'>, field: 'payload' | 'result' | 'error' | 'progress') {
  const seal = { jobId: row.id, jobName: row.name, field }
  return field === 'result' ? { ...seal, epoch: row.epoch } : seal
}

function asError(value: unknown): JobErrorInfo | null {
  if (typeof value !== 'object' || value === null || !('message' in value)) return null
  // Written by the worker's own encoder; unknown shapes were ruled out above.
  return value as JobErrorInfo
}

function dateOrNull(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms)
}
