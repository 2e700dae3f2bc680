/** What a filter means: whether one job matches it. Stores that ask a database say the same in its words. */
import { isFinal, type JobState } from '../job/state.ts'
import type { JobCondition, JobFilter, NumberField, SpanField, TextField } from './job-filter.ts'

/** What a filter looks at of a job. */
export interface JobFacts {
  readonly id: string
  readonly name: string
  readonly queue: string
  readonly state: JobState
  readonly priority: number
  readonly attempts: number
  readonly createdAt: number
  readonly runAt: number
  readonly finishedAt: number | null
  readonly claimedAt: number | null
  readonly workerId: string | null
  readonly uniqueKey: string | null
  readonly tags: readonly string[]
  readonly error: unknown
  /** Ended attempts, oldest first. */
  readonly history: readonly { readonly outcome: string; readonly startedAt: number; readonly endedAt: number }[]
}

/** A test of jobs against one filter. */
export function matcherOf(filter: JobFilter): (job: JobFacts) => boolean {
  const { idPrefix, states, queues, names, tag, createdAfter, createdBefore, where = [] } = filter
  const ids = filter.ids === undefined ? undefined : new Set(filter.ids)
  return (job) =>
    (ids === undefined || ids.has(job.id)) &&
    (idPrefix === undefined || job.id.startsWith(idPrefix)) &&
    (states === undefined || states.includes(job.state)) &&
    (queues === undefined || queues.includes(job.queue)) &&
    (names === undefined || names.includes(job.name)) &&
    (tag === undefined || job.tags.includes(tag)) &&
    (createdAfter === undefined || job.createdAt > createdAfter) &&
    (createdBefore === undefined || job.createdAt < createdBefore) &&
    where.every((condition) => holds(job, condition))
}

function holds(job: JobFacts, condition: JobCondition): boolean {
  if ('not' in condition) return !holds(job, condition.not)
  if ('anyOf' in condition) return condition.anyOf.some((one) => holds(job, one))
  if ('match' in condition) {
    const { field, match, values } = condition
    const has = (text: string) =>
      values.some((value) =>
        match === 'equals' ? text === value : match === 'starts' ? text.startsWith(value) : text.includes(value),
      )
    return textsOf(job, field).some(has)
  }
  if (condition.field === 'state') return condition.states.includes(job.state)
  if (condition.field === 'error') return job.error !== null
  const { above, below } = condition
  const number = 'now' in condition ? spanOf(job, condition.field, condition.now) : numberOf(job, condition.field)
  if (number === null) return false
  const oneOf = 'oneOf' in condition ? condition.oneOf : undefined
  return (
    (above === undefined || number > above) &&
    (below === undefined || number < below) &&
    (oneOf === undefined || oneOf.includes(number))
  )
}

function textsOf(job: JobFacts, field: TextField): readonly string[] {
  switch (field) {
    case 'id':
      return [job.id]
    case 'name':
      return [job.name]
    case 'queue':
      return [job.queue]
    case 'tag':
      return job.tags
    case 'worker':
      return job.workerId === null ? [] : [job.workerId]
    case 'unique':
      return job.uniqueKey === null ? [] : [job.uniqueKey]
    default:
      return field satisfies never
  }
}

function numberOf(job: JobFacts, field: NumberField): number | null {
  switch (field) {
    case 'priority':
      return job.priority
    case 'attempt':
      return job.attempts
    case 'created':
      return job.createdAt
    case 'finished':
      return job.finishedAt
    default:
      return field satisfies never
  }
}

function spanOf(job: JobFacts, field: SpanField, now: number): number | null {
  const started = startOf(job)
  if (field === 'took') return started === null ? null : (job.finishedAt ?? now) - started
  if (job.state === 'pending') return now - job.runAt
  return started === null ? null : started - job.runAt
}

/** When the attempt that runs, or the one that ended the job, began; null: it did not begin, or ended without that. */
function startOf(job: JobFacts): number | null {
  if (job.state === 'processing') return job.claimedAt
  const last = job.history.at(-1)
  const hasEndedIt = isFinal(job.state) && last?.outcome === job.state && last.endedAt === job.finishedAt
  return hasEndedIt ? last.startedAt : null
}
