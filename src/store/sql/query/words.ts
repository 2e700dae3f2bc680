/** What a driver tells the query builder of its database. Types only: Kysely itself is loaded with the first query. */
import type { QueryCompiler } from 'kysely'

/** The tables that queries read. */
export type QueryTable = 'job' | 'archive' | 'bytes' | 'attempt'

/** How one kind of database says what queries need. All text is constant. */
export interface QueryWords {
  /** Kysely's compiler for this kind. */
  compiler(kysely: typeof import('kysely')): QueryCompiler
  /** The parts of a table's name, each to be quoted. */
  table(name: QueryTable): readonly string[]
  /** What is said behind a table, so that it is read along this index and no other; empty where `masked` does that. */
  readonly along: Readonly<Record<'id' | 'state', string>>
  /** A column as text of which no index is used. */
  readonly masked: Readonly<Record<'queue' | 'state', string>>
  /** A job's unique key as text that is compared byte by byte. */
  readonly uniqueKey: string
  /** A job's tags as a table `t`, for FROM, and one of them as text that is compared byte by byte. */
  readonly tags: string
  readonly tag: string
  /** The function that tells where a value stands in a text, from 1 (0: nowhere), and which of the two it takes first. */
  readonly position: { readonly name: string; readonly first: 'text' | 'value' }
}
