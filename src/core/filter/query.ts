/**
 * From what a filter says to what a store is asked for. The texts of errors are sealed, so a store only tells that there is
 * one; what they say is left to whoever can open them (`errors`).
 */
import { parseDuration } from '../duration.ts'
import { parsePriority } from '../job/priority.ts'
import { JOB_STATES, type JobState } from '../job/state.ts'
import { instantFromText } from './instant.ts'
import type { JobCondition, JobFilter } from './job-filter.ts'
import type { KEYS } from './keys.ts'
import type { FilterTerm, FilterTerms } from './parse.ts'

/** A test of an opened job that no store can make: whether its last error says something. */
export interface ErrorTest {
  /** One of these is part of the error's text, whatever its case. */
  readonly texts: readonly string[]
  /** The job passes as well when its name has this part or its id begins so. */
  readonly orWord?: string
  /** Passes when it would not. */
  readonly not: boolean
}

/** A filter made ready. */
export interface FilterQuery {
  readonly filter: JobFilter
  /** All of these have to pass, beside the filter. */
  readonly errors: readonly ErrorTest[]
}

/** A bare word is looked for in errors from this many letters on: shorter ones are found in most. */
const ERROR_LETTERS = 4

/** Makes a filter ready; ages and times are measured up to `now`, milliseconds since 1970. */
export function queryOf(terms: FilterTerms, now: number): FilterQuery {
  const errors = terms.flatMap(errorTestOf)
  const where = terms.flatMap((term) => conditionOf(term, now) ?? [])
  const { lists, rest } = gathered(where)
  return { filter: { ...lists, ...(rest.length > 0 && { where: rest }) }, errors }
}

/** Whether the opened job passes. `error` is the text of its last error, null when it has none that can be read. */
export function passesErrors(
  job: { readonly id: string; readonly name: string },
  error: string | null,
  tests: readonly ErrorTest[],
): boolean {
  const text = error?.toLowerCase() ?? null
  return tests.every(({ texts, orWord, not }) => {
    const isFound = text !== null && texts.some((part) => text.includes(part.toLowerCase()))
    const isNamed = orWord !== undefined && (job.name.includes(orWord) || job.id.startsWith(orWord))
    return (isFound || isNamed) !== not
  })
}

function errorTestOf(term: FilterTerm): readonly ErrorTest[] {
  if (term.kind === 'word') {
    const { text } = term
    return text.length < ERROR_LETTERS ? [] : [{ texts: [text], orWord: text, not: false }]
  }
  return term.kind === 'is' && term.key === 'error' ? [{ texts: term.values, not: term.not }] : []
}

function conditionOf(term: FilterTerm, now: number): JobCondition | null {
  if (term.kind === 'word') return wordCondition(term.text)
  const condition = term.kind === 'is' ? namedCondition(term.key, term.values) : rangeCondition(term, now)
  // A job without an error passes where one is excluded, so the store cannot help.
  if (term.key === 'error' && term.not) return null
  return term.not ? { not: condition } : condition
}

function wordCondition(text: string): JobCondition {
  const anyOf: JobCondition[] = [
    { field: 'id', match: 'starts', values: [text] },
    { field: 'name', match: 'contains', values: [text] },
  ]
  if (text.length >= ERROR_LETTERS) anyOf.push({ field: 'error' })
  return { anyOf }
}

function namedCondition(key: keyof typeof KEYS, values: readonly string[]): JobCondition {
  switch (key) {
    case 'state':
      return { field: 'state', states: JOB_STATES.filter((state) => values.includes(state)) }
    case 'error':
      return { field: 'error' }
    case 'priority':
      return { field: 'priority', oneOf: values.map(parsePriority) }
    case 'attempt':
      return { field: 'attempt', oneOf: values.map(Number) }
    case 'id':
      return { field: 'id', match: 'starts', values }
    case 'name':
    case 'queue':
    case 'tag':
    case 'worker':
    case 'unique':
      return { field: key, match: 'equals', values }
    case 'created':
    case 'finished':
    case 'age':
    case 'wait':
    case 'took':
      // The parser gives these no values.
      return { anyOf: [] }
    default:
      return key satisfies never
  }
}

function rangeCondition(term: FilterTerm & { readonly kind: 'above' | 'below' }, now: number): JobCondition {
  const { key, kind, value } = term
  // Older than ten minutes is created before ten minutes ago.
  if (key === 'age') {
    const instant = now - parseDuration(value)
    return { field: 'created', ...(kind === 'above' ? { below: instant } : { above: instant }) }
  }
  const bound = (number: number) => (kind === 'above' ? { above: number } : { below: number })
  if (key === 'wait' || key === 'took') return { field: key, now, ...bound(parseDuration(value)) }
  if (key === 'created' || key === 'finished') return { field: key, ...bound(instantFromText(value, now) ?? now) }
  if (key === 'priority') return { field: 'priority', ...bound(parsePriority(value)) }
  return { field: 'attempt', ...bound(Number(value)) }
}

/** The parts that stores serve by an index, or that every driver knew before: taken out of the list of conditions. */
function gathered(conditions: readonly JobCondition[]): {
  readonly lists: Omit<JobFilter, 'where'>
  readonly rest: readonly JobCondition[]
} {
  let idPrefix: string | undefined
  let states: readonly JobState[] | undefined
  let queues: readonly string[] | undefined
  let names: readonly string[] | undefined
  const rest: JobCondition[] = []
  for (const condition of conditions) {
    if ('states' in condition) states = both(states, condition.states)
    else if ('match' in condition && condition.match === 'equals' && condition.field === 'queue')
      queues = both(queues, condition.values)
    else if ('match' in condition && condition.match === 'equals' && condition.field === 'name')
      names = both(names, condition.values)
    else if (
      idPrefix === undefined &&
      'match' in condition &&
      condition.field === 'id' &&
      condition.values.length === 1
    )
      idPrefix = condition.values[0]
    else rest.push(condition)
  }
  return {
    lists: {
      ...(idPrefix !== undefined && { idPrefix }),
      ...(states !== undefined && { states }),
      ...(queues !== undefined && { queues }),
      ...(names !== undefined && { names }),
    },
    rest,
  }
}

function both<T>(a: readonly T[] | undefined, b: readonly T[]): readonly T[] {
  return a === undefined ? [...new Set(b)] : a.filter((one) => b.includes(one))
}
