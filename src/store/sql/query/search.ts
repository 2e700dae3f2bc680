/** Pages, counts and ids by filter, over whatever runs a statement. */
import { readCursor, writeCursor } from '../../../core/filter/cursor.ts'
import type { CountResult, JobFilter } from '../../contract/index.ts'
import { type Columns, int, text } from '../rows.ts'
import type { SqlValue } from '../session.ts'
import type { CompiledQuery } from './builder.ts'
import { countOf, type Order, pageOf, type Span, type Way, type What, waysOf, windowEnd } from './ways.ts'
import type { QueryWords } from './words.ts'

/** Runs what was compiled for this database. */
export type RunQuery = (text: string, values: readonly SqlValue[]) => Promise<readonly Columns[]>

/** What is searched for. */
export interface Search {
  readonly filter: JobFilter
  readonly order: Order
  readonly limit: number
  readonly cursor: string | undefined
}

/** Rows in the columns of `rows.ts`, or with the id alone; and where to go on. */
export interface Found {
  readonly rows: readonly Columns[]
  readonly next?: string
}

/** One page of a filter. See `JobsFacet.list` for what it looks at. */
export async function search(run: RunQuery, words: QueryWords, what: What, asked: Search): Promise<Found> {
  const { filter, order, limit } = asked
  const ways = waysOf(words, filter)
  const span = await spanOf(run, words, ways, order, asked.cursor)
  const pages = await Promise.all(
    ways.map((way) => {
      const { text, values } = pageOf(words, way, span, what, limit + 1)
      return run(text, values)
    }),
  )
  // A job that ended or was put back between two of the statements is found by both.
  const found = new Map(pages.flat().map((row) => [text(row[0]), row]))
  const ids = [...found.keys()].sort(order === 'oldest' ? byBytes : (a, b) => byBytes(b, a))
  const rows = ids.slice(0, limit).flatMap((id) => {
    const row = found.get(id)
    return row === undefined ? [] : [row]
  })
  const last = ids.length > limit ? ids[limit - 1] : span.end
  return last === undefined ? { rows } : { rows, next: writeCursor(order, last) }
}

/** How many match. See `JobsFacet.count`. */
export async function countMatching(
  run: RunQuery,
  words: QueryWords,
  filter: JobFilter,
  cap: number,
  cursor: string | undefined,
): Promise<CountResult> {
  const ways = waysOf(words, filter)
  const span = await spanOf(run, words, ways, 'oldest', cursor)
  const counts = await Promise.all(
    ways.map(async (way) => {
      const { text, values } = countOf(words, way, span, cap + 1)
      return int((await run(text, values))[0]?.[0])
    }),
  )
  const count = counts.reduce((sum, one) => sum + one, 0)
  if (count > cap) return { count: cap, capped: true }
  return { count, capped: false, ...(span.end !== undefined && { next: writeCursor('oldest', span.end) }) }
}

/** Those of the ids that match. */
export async function stillMatching(
  run: RunQuery,
  words: QueryWords,
  filter: JobFilter,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const queries = matchingQueries(words, filter, ids)
  const pages = await Promise.all(queries.map(({ text, values }) => run(text, values)))
  return new Set(pages.flat().map((row) => text(row[0])))
}

/** The statements that give those of the ids that match. */
export function matchingQueries(
  words: QueryWords,
  filter: JobFilter,
  ids: readonly string[],
): readonly CompiledQuery[] {
  const wanted = filter.ids === undefined ? ids : ids.filter((id) => filter.ids?.includes(id))
  if (wanted.length === 0) return []
  const span: Span = { order: 'oldest', after: undefined }
  return waysOf(words, { ...filter, ids: wanted }).map((way) => pageOf(words, way, span, 'ids', wanted.length))
}

/** What the next call looks at: as far as the nearest end of the windows on all ways, so that none is passed over. */
async function spanOf(
  run: RunQuery,
  words: QueryWords,
  ways: readonly Way[],
  order: Order,
  cursor: string | undefined,
): Promise<Span> {
  const span: Span = { order, after: cursor === undefined ? undefined : readCursor(order, cursor) }
  const ends = await Promise.all(
    ways.map(async (way) => {
      if (!way.isWindowed) return []
      const query = windowEnd(words, way, span)
      return (await run(query.text, query.values)).map((row) => text(row[0]))
    }),
  )
  const nearest = ends.flat().sort(order === 'oldest' ? byBytes : (a, b) => byBytes(b, a))
  return nearest[0] === undefined ? span : { ...span, end: nearest[0] }
}

/** As databases compare: by bytes, which for texts as Unicode is by code points. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
