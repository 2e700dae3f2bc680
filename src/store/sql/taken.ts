/**
 * What a claim took, as jobs. A worker's jobs are much alike, so what is as it was of the last job that the store took is not
 * sent, nor what hardly any job has: of 19 columns four are left then, and what is not sent is not read, nor kept alive through
 * the collections of garbage until its job runs. The columns are, in this order: id, name, version, queue and priority (null:
 * as of the job before), created_at, run_at (null: the same), payload, epoch (null: 1), and what hardly any job has as a JSON array
 * (null: as it mostly is): attempts, attempt_offset, losses, crashes, timeout_ms, retry, tags, and 1 where its end takes the slow road.
 */
import type { ClaimedJob, Lease } from '../contract/index.ts'
import { type Columns, int, isInt, tagsOrNull, text, textOrNull } from './rows.ts'

/** What jobs are often alike in. */
export type Alike = Pick<ClaimedJob, 'name' | 'version' | 'queue' | 'priority'>

/** A row that cannot be read as a job; it is held by this worker now, and has to be failed. */
export interface UnreadableJob extends Lease {
  readonly isUnreadable: true
  readonly queue: string
  readonly priority: number
  readonly runAt: number
}

/** One job that was taken. */
export type TakenJob = ClaimedJob | UnreadableJob

/** No job is like it. */
export const UNLIKE: Alike = { name: '', version: 0, queue: '', priority: -1 }

/** Whether the end of a job `j` takes the slow road. */
export const IS_BOUND = 'j.dependents > 0 OR j.unique_key IS NOT NULL'

/** What hardly any job has. */
export interface More {
  readonly attempts: number
  readonly attemptOffset: number
  readonly losses: number
  readonly crashes: number
  readonly timeoutMs: unknown
  readonly retry: string | null
  readonly tags: readonly string[] | null
  readonly isBound: boolean
}

const NO_MORE: More = {
  ...{ attempts: 0, attemptOffset: 0, losses: 0, crashes: 0, timeoutMs: null, retry: null },
  tags: tagsOrNull(null),
  isBound: false,
}

/** A row as a job. `alike`: what the statement was told; `payload`: of a row that has it elsewhere. */
export function takenJob(row: Columns, more: More, alike: Alike, payload: Columns[number] = row[7] ?? null): TakenJob {
  const id = text(row[0])
  const version = row[2] ?? alike.version
  const queue = row[3] === null ? alike.queue : text(row[3])
  const priority = int(row[4] ?? alike.priority)
  const createdAt = row[5]
  const runAt = row[6] ?? createdAt
  const epoch = int(row[8] ?? 1)
  const { tags, timeoutMs } = more
  const hasNumbers = isInt(version) && isInt(createdAt) && isInt(runAt) && (timeoutMs === null || isInt(timeoutMs))
  if (!hasNumbers || tags === null || !(payload instanceof Uint8Array)) {
    return { id, epoch, isUnreadable: true, queue, priority, runAt: int(runAt) }
  }
  return {
    id,
    name: row[1] === null ? alike.name : text(row[1]),
    version,
    queue,
    priority,
    payload,
    attempt: more.attempts + 1,
    attemptOffset: more.attemptOffset,
    losses: more.losses,
    crashes: more.crashes,
    epoch,
    createdAt,
    runAt,
    timeoutMs,
    retry: more.retry,
    tags,
  }
}

/** The part of it that hardly any row has. */
export function moreOf(row: Columns): More {
  return row[9] === null ? NO_MORE : moreIn(text(row[9]))
}

/** Only our own statement writes this text; what it was made of may be damaged. */
function moreIn(json: string): More {
  const columns: readonly unknown[] = JSON.parse(json)
  const [attempts, attemptOffset, losses, crashes, timeoutMs, retry, tags, isBound] = columns
  return {
    ...{
      attempts: int(attempts),
      attemptOffset: int(attemptOffset),
      losses: int(losses),
      crashes: int(crashes),
      timeoutMs,
    },
    ...{ retry: textOrNull(retry), tags: tagsOrNull(tags), isBound: isBound === 1 },
  }
}

/** What the next claim is told of this job, which it does not keep alive. */
export function alikeOf({ name, version, queue, priority }: ClaimedJob): Alike {
  return { name, version, queue, priority }
}

/** Whether its row could not be read. */
export function isUnreadable(job: TakenJob): job is UnreadableJob {
  return 'isUnreadable' in job
}

/** Whether it is a job that a worker can be given. */
export function isReadable(job: TakenJob): job is ClaimedJob {
  return !('isUnreadable' in job)
}
