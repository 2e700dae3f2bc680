/** What names, queues, tags and ids may look like. Checked before anything is allocated or written. */
import { ConfigError } from '../errors.ts'

/** Most characters (UTF-16 code units) of each, and most tags of a job. */
export const LIMITS = { name: 128, queue: 64, tags: 32, tag: 64, uniqueKey: 512 } as const

/** Jobs of one queue in one state are counted no further than this: a larger number is told as "10,000 or more". */
export const COUNTED_TO = 10_000

/** Control characters, lone surrogates and direction overrides: they break stores, logs and terminals. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]/u
const QUEUE = /^[A-Za-z0-9_.:-]+$/
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Returns when the text is a job's name: 1 to 128 printable characters, no space around. Else throws `NAME_INVALID`. */
export function checkName(name: string): void {
  const reason = reasonAgainst(name, LIMITS.name)
  if (reason !== undefined) throw invalid('job name', name, reason, 'Name the job for what it does, such as "resize".')
}

/** Returns when the text is a queue's name: 1 to 64 of `A-Z a-z 0-9 _ . : -`. Else throws `NAME_INVALID`. */
export function checkQueue(queue: string): void {
  const reason = reasonAgainst(queue, LIMITS.queue) ?? (QUEUE.test(queue) ? undefined : 'it has other characters')
  if (reason !== undefined) throw invalid('queue', queue, reason, 'Use letters, digits and _ . : - only.')
}

/** Returns when there are at most 32 tags, each 1 to 64 printable characters, no space around. Else throws `NAME_INVALID`. */
export function checkTags(tags: readonly string[]): void {
  const hint = `Give at most ${LIMITS.tags} tags of at most ${LIMITS.tag} characters each.`
  if (!Array.isArray(tags)) throw invalid('tags', tags, 'they are not a list', hint)
  if (tags.length > LIMITS.tags)
    throw invalid('tags', `${tags.length} of them`, `there are more than ${LIMITS.tags}`, hint)
  for (const tag of tags) {
    const reason = reasonAgainst(tag, LIMITS.tag)
    if (reason !== undefined) throw invalid('tag', tag, reason, hint)
  }
}

/** Returns when the text is a job's id: a UUID in lower case. Else throws `NAME_INVALID`. */
export function checkId(id: string): void {
  if (typeof id === 'string' && ID.test(id)) return
  throw invalid(
    'id',
    id,
    'it is not a UUID in lower case',
    'Pass an id that Millrace gave you, or a UUID in lower case.',
  )
}

/** Why a text is not 1 to `max` printable characters without space around, as half a sentence; undefined when it is. */
function reasonAgainst(text: string, max: number): string | undefined {
  // Callers in plain JavaScript pass anything.
  if (typeof text !== 'string') return 'it is not text'
  if (text === '') return 'it is empty'
  if (text.length > max) return `it has ${text.length} characters, more than ${max}`
  if (UNPRINTABLE.test(text)) return 'it has unprintable characters'
  return text.trim() === text ? undefined : 'it has space around it'
}

function invalid(what: string, value: unknown, reason: string, hint: string): ConfigError {
  const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 64)) : String(value)
  return new ConfigError('NAME_INVALID', `the ${what} ${shown} cannot be used: ${reason}`, {
    fields: { what, value, reason },
    hint,
  })
}

/** How long the id of a job that is no longer kept is remembered at least, so that a repeated insert is recognised. */
export const ID_MEMORY_MS = 120_000
/** So many remembered ids are let go of in the time of one job: their rows are small, and there may be as many as jobs run. */
export const IDS_TO_A_JOB = 20
