/**
 * Kysely as a compiler only: it makes a statement's text and values for one kind of database, and the driver's own
 * connection runs them. So every store has one implementation of filters, pages and counts, and nobody a second pool.
 */
import * as kysely from 'kysely'
import type { SqlValue } from '../session.ts'
import type { QueryTable, QueryWords } from './words.ts'

/** A query as the database takes it. */
export interface CompiledQuery {
  readonly text: string
  readonly values: readonly SqlValue[]
}

/** The columns by which queries find and order; others are named in conditions. */
export interface QueryColumns {
  readonly id: string
  readonly state: number
}

/** The builder of one kind of database. No table is known to it by name: `from` gives them. */
export type Builder = kysely.Kysely<Record<never, never>>

const BUILDERS = new WeakMap<QueryWords, Builder>()

/** The builder for a driver's words; made once. */
export function builderOf(words: QueryWords): Builder {
  const known = BUILDERS.get(words)
  if (known !== undefined) return known
  const made: Builder = new kysely.Kysely({
    dialect: {
      // Adapter and introspector are for running statements and for migrations, which Kysely does not do here.
      createAdapter: () => new kysely.SqliteAdapter(),
      createDriver: () => new kysely.DummyDriver(),
      createIntrospector: (db) => new kysely.SqliteIntrospector(db),
      createQueryCompiler: () => words.compiler(kysely),
    },
  })
  BUILDERS.set(words, made)
  return made
}

/** A table under the alias `a`, read along an index where the driver says so. */
export function from(words: QueryWords, table: QueryTable, along?: 'id' | 'state') {
  const hint = along === undefined ? '' : words.along[along]
  const alias = kysely.sql.raw<QueryColumns>(hint === '' ? 'a' : `a ${hint}`)
  return tableOf(words, table).as<'a'>(alias)
}

/** A table's name as an expression. */
export function tableOf(words: QueryWords, table: QueryTable) {
  return kysely.sql<QueryColumns>`${kysely.sql.id(...words.table(table))}`
}

/** Text and values of a query. Every value that the queries of this folder bind is one that a driver takes. */
export function compiled(query: { compile(): kysely.CompiledQuery }): CompiledQuery {
  const { sql, parameters } = query.compile()
  return { text: sql, values: parameters as readonly SqlValue[] }
}
