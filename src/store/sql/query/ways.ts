/**
 * The ways by which jobs are read in the order of their ids, and the statements along them.
 *
 * A way is a table and an index that gives its ids in order: the primary key, or for failed and cancelled jobs, which are few
 * among those that ended, the index of their state. Where the filter asks for more than a way chooses by itself, most rows
 * along it may not match; so each statement is held within a window of `SCAN_ROWS` index entries, whose end is looked up
 * first. Other indexes are kept out (`masked`, `along`): one that finds all jobs of a queue has no end that we know.
 */
import { type SqlBool, sql } from 'kysely'
import { JOB_STATES } from '../../../core/job/state.ts'
import type { JobFilter } from '../../contract/index.ts'
import { ARCHIVE_COLUMNS, LIVE_COLUMNS, OPEN_ARCHIVE_COLUMNS, OPEN_LIVE_COLUMNS, type Sight, STATE } from '../rows.ts'
import { builderOf, type CompiledQuery, compiled, from } from './builder.ts'
import { type Condition, conditionsOf, isOneOf, type JobTable } from './conditions.ts'
import type { QueryWords } from './words.ts'

/** One statement looks at no more index entries than this. */
const SCAN_ROWS = 5_000

/** The order of ids. */
export type Order = 'newest' | 'oldest'

/** A way to read jobs by id. */
export interface Way {
  readonly table: JobTable
  /** The state whose index is read, or null for the primary key. */
  readonly state: 'failed' | 'cancelled' | null
  /** Where ids begin and end, whatever the page: of a prefix. */
  readonly idPrefix: string | undefined
  /** What the index does not choose. */
  readonly rest: readonly Condition[]
  /** Some rows along the way may not match, so that it has to be read in windows. */
  readonly isWindowed: boolean
}

/** What part of a way is read. */
export interface Span {
  readonly order: Order
  /** Beyond this id; undefined: from the beginning. */
  readonly after: string | undefined
  /** As far as this id and not further; undefined: to the end. */
  readonly end?: string | undefined
}

/** The ways on which jobs of the filter can be; none when nothing can match. */
export function waysOf(words: QueryWords, filter: JobFilter): readonly Way[] {
  const { ids, idPrefix, states = JOB_STATES } = filter
  const live = states.filter((state) => STATE[state] < STATE.completed)
  const ended = states.filter((state) => STATE[state] >= STATE.completed)
  const way = (table: JobTable, state: Way['state'], wanted: readonly (keyof typeof STATE)[], all: number): Way => {
    const rest = [...conditionsOf(words, table, filter)]
    const isChosen = state !== null || new Set(wanted).size === all
    if (!isChosen)
      rest.push(
        isOneOf(
          sql.raw(words.masked.state),
          wanted.map((each) => STATE[each]),
        ),
      )
    const isWindowed = rest.length > 0 && ids === undefined
    if (ids !== undefined) rest.unshift(isOneOf(sql.ref('a.id'), ids))
    return { table, state, idPrefix, rest, isWindowed }
  }
  return [
    ...(live.length > 0 ? [way('job', null, live, 5)] : []),
    ...(ended.includes('completed')
      ? [way('archive', null, ended, 3)]
      : (['failed', 'cancelled'] as const).flatMap((state) =>
          ended.includes(state) ? [way('archive', state, [state], 1)] : [],
        )),
  ]
}

/** The id of the last index entry of the next window; no row: the window reaches the end. */
export function windowEnd(words: QueryWords, way: Way, span: Span): CompiledQuery {
  return compiled(
    within(words, way, span)
      .select('a.id')
      .orderBy('a.id', directionOf(span.order))
      .limit(sql.lit(1))
      .offset(sql.lit(SCAN_ROWS - 1)),
  )
}

/** What a page holds: ids, or rows in the columns of rows.ts. */
export type What = 'ids' | Sight

/** Up to `limit` jobs of the way, whole rows or ids alone, in order. */
export function pageOf(words: QueryWords, way: Way, span: Span, what: What, limit: number): CompiledQuery {
  const columns = COLUMNS[what][way.table]
  return compiled(
    matching(words, way, span).select(columns).orderBy('a.id', directionOf(span.order)).limit(sql.lit(limit)),
  )
}

/** How many jobs of the way there are, counted no further than `limit`. */
export function countOf(words: QueryWords, way: Way, span: Span, limit: number): CompiledQuery {
  // By their ids, which keeps the planner from walking the whole of another index that holds all else that is asked for.
  const found = matching(words, way, span).select('a.id').limit(sql.lit(limit))
  return compiled(
    builderOf(words)
      .selectFrom(found.as('found'))
      .select(({ fn }) => fn.count('found.id').as('n')),
  )
}

function matching(words: QueryWords, way: Way, span: Span) {
  return way.rest.reduce((query, condition) => query.where(condition), within(words, way, span))
}

function within(words: QueryWords, way: Way, { order, after, end }: Span) {
  const isUp = order === 'oldest'
  let query = builderOf(words).selectFrom(from(words, way.table, way.state === null ? 'id' : 'state'))
  if (way.state !== null) {
    // As the index of that state says it, and as the index of both says it.
    query = query.where('a.state', '=', sql.lit(STATE[way.state])).where(sql<SqlBool>`a.state in (6, 7)`)
  }
  if (after !== undefined) query = query.where('a.id', isUp ? '>' : '<', after)
  if (end !== undefined) query = query.where('a.id', isUp ? '<=' : '>=', end)
  if (way.idPrefix !== undefined) {
    // Text compares as bytes; U+10FFFF stands above whatever may follow.
    query = query.where('a.id', '>=', way.idPrefix).where('a.id', '<', `${way.idPrefix}\u{10ffff}`)
  }
  return query
}

function directionOf(order: Order): 'asc' | 'desc' {
  return order === 'oldest' ? 'asc' : 'desc'
}

const IDS = [sql.raw<string>('a.id').as('id')]
const COLUMNS = {
  ids: { job: IDS, archive: IDS },
  all: { job: columnsOf(LIVE_COLUMNS), archive: columnsOf(ARCHIVE_COLUMNS) },
  open: { job: columnsOf(OPEN_LIVE_COLUMNS), archive: columnsOf(OPEN_ARCHIVE_COLUMNS) },
} as const

/** The columns of a list in its order; what is no column of the table gets a name of its own. */
function columnsOf(list: string) {
  return list.split(', ').map((column, i) => {
    const isConstant = /^(NULL|\d+)$/.test(column)
    return isConstant ? sql.raw(column).as(`c${i}`) : sql.ref(`a.${column}`).as(column)
  })
}
