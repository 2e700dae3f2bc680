/** A filter's conditions as SQL: what `core/filter/match.ts` says in plain code, in words that every database has. */
import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { JobCondition, JobFilter } from '../../contract/index.ts'
import { STATE } from '../rows.ts'
import { tableOf } from './builder.ts'
import type { QueryWords } from './words.ts'

/** A condition as SQL. */
export type Condition = RawBuilder<SqlBool>

/** One of the two tables that hold jobs. */
export type JobTable = 'job' | 'archive'

/** Lists are filled up to one of these lengths, so that statements are few and stay prepared. */
const LIST_LENGTHS = [1, 8, 64, 512, 4_096, 32_000]

const NEVER = sql<SqlBool>`1 = 0`
/** What columns can hold, and more than they do: a bound beyond says the same as this one, and some databases refuse it. */
const INSTANT = 8_640_000_000_000_000
const MOST = {
  priority: 32_767,
  attempt: 2_147_483_647,
  created: INSTANT,
  finished: INSTANT,
  wait: INSTANT,
  took: INSTANT,
} as const

/** An error that is too large for its row. */
const LARGE_ERROR = 3

/** What the filter asks beside states and ids, which choose the way that is read. */
export function conditionsOf(words: QueryWords, table: JobTable, filter: JobFilter): readonly Condition[] {
  const { queues, names, tag, createdAfter, createdBefore, where = [] } = filter
  const all: Condition[] = []
  const add = (condition: JobCondition) => all.push(conditionOf(words, table, condition))
  if (queues !== undefined) add({ field: 'queue', match: 'equals', values: queues })
  if (names !== undefined) add({ field: 'name', match: 'equals', values: names })
  if (tag !== undefined) add({ field: 'tag', match: 'equals', values: [tag] })
  if (createdAfter !== undefined) add({ field: 'created', above: createdAfter })
  if (createdBefore !== undefined) add({ field: 'created', below: createdBefore })
  for (const condition of where) add(condition)
  return all
}

/** A column that is one of some values. */
export function isOneOf(column: RawBuilder<unknown>, values: readonly (string | number)[]): Condition {
  const last = values.at(-1)
  if (last === undefined) return NEVER
  const length = LIST_LENGTHS.find((most) => most >= values.length) ?? values.length
  const filled = Array.from({ length }, (_, i) => values[i] ?? last)
  return sql`${column} in (${sql.join(filled)})`
}

function conditionOf(words: QueryWords, table: JobTable, condition: JobCondition): Condition {
  // What is null is not known to hold, so that its contrary does.
  if ('not' in condition) return sql`(${conditionOf(words, table, condition.not)}) is not true`
  if ('anyOf' in condition) {
    if (condition.anyOf.length === 0) return NEVER
    return sql`(${sql.join(
      condition.anyOf.map((one) => conditionOf(words, table, one)),
      sql` or `,
    )})`
  }
  if ('match' in condition) return textCondition(words, condition)
  if (condition.field === 'state') {
    return isOneOf(
      sql.raw(words.masked.state),
      condition.states.map((state) => STATE[state]),
    )
  }
  if (condition.field === 'error') return errorCondition(words)
  const number = 'now' in condition ? spanOf(words, table, condition) : numberOf(table, condition.field)
  if (number === null) return NEVER
  const parts: Condition[] = []
  const most = MOST[condition.field]
  const held = (bound: number) => Math.min(most, Math.max(-most, bound))
  if (condition.above !== undefined) parts.push(sql`${number} > ${held(Math.floor(condition.above))}`)
  if (condition.below !== undefined) parts.push(sql`${number} < ${held(Math.ceil(condition.below))}`)
  if ('oneOf' in condition && condition.oneOf !== undefined) {
    parts.push(
      isOneOf(
        number,
        condition.oneOf.filter((one) => Number.isInteger(one) && held(one) === one),
      ),
    )
  }
  return parts.length === 0 ? sql`${number} is not null` : sql`(${sql.join(parts, sql` and `)})`
}

function textCondition(words: QueryWords, condition: Extract<JobCondition, { readonly match: string }>): Condition {
  const { field, match, values } = condition
  const has = (text: RawBuilder<unknown>): Condition => {
    if (match === 'equals' || values.length === 0) return isOneOf(text, values)
    const found = values.map((value) =>
      match === 'starts' ? sql`${position(words, text, value)} = 1` : sql`${position(words, text, value)} > 0`,
    )
    return sql`(${sql.join(found, sql` or `)})`
  }
  switch (field) {
    case 'tag':
      return sql`exists (select 1 from ${sql.raw(words.tags)} where ${has(sql.raw(words.tag))})`
    case 'queue':
      return has(sql.raw(words.masked.queue))
    case 'worker':
      return has(sql.raw('a.worker_id'))
    case 'unique':
      return has(sql.raw(words.uniqueKey))
    case 'id':
    case 'name':
      return has(sql.ref(`a.${field}`))
    default:
      return field satisfies never
  }
}

function position(words: QueryWords, text: RawBuilder<unknown>, value: string): RawBuilder<number> {
  const { name, first } = words.position
  const [one, two] = first === 'text' ? [text, sql`${value}`] : [sql`${value}`, text]
  return sql`${sql.raw(name)}(${one}, ${two})`
}

function errorCondition(words: QueryWords): Condition {
  const bytes = tableOf(words, 'bytes')
  return sql`(a.error is not null or exists (select 1 from ${bytes} as b where b.job_id = a.id and b.field = ${sql.lit(LARGE_ERROR)}))`
}

function numberOf(table: JobTable, field: 'priority' | 'attempt' | 'created' | 'finished'): RawBuilder<number> | null {
  if (field === 'finished') return table === 'job' ? null : sql.raw('a.finished_at')
  return sql.raw(field === 'priority' ? 'a.priority' : field === 'attempt' ? 'a.attempts' : 'a.created_at')
}

function spanOf(
  words: QueryWords,
  table: JobTable,
  { field, now: instant }: Extract<JobCondition, { readonly now: number }>,
): RawBuilder<number> {
  const now = Math.floor(instant)
  if (table === 'job') {
    return field === 'took'
      ? sql`(case when a.state = 3 then ${now} - a.claimed_at end)`
      : sql`(case when a.state = 2 then ${now} - a.run_at when a.state = 3 then a.claimed_at - a.run_at end)`
  }
  // An attempt that has a row of its own left its start there.
  const attempt = tableOf(words, 'attempt')
  const started = sql`coalesce(a.started_at, (select t.started_at from ${attempt} as t where t.job_id = a.id and t.epoch = a.epoch and t.ended_at = a.finished_at and t.outcome = (case a.state when 5 then 'completed' when 6 then 'failed' else 'cancelled' end)))`
  return field === 'took' ? sql`(a.finished_at - ${started})` : sql`(${started} - a.run_at)`
}
