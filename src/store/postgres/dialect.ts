/** How the shared statements are said to PostgreSQL: qualified names, arrays for lists, JSON for rows. */
import type { QueryWords } from '../sql/query/words.ts'
import { withRemembered } from '../sql/remembered.ts'
import type { ColumnTypes, Dialect, RowsStatement, Statement } from '../sql/session.ts'
import { OVERRIDES } from './overrides.ts'

const TYPES = { text: 'text', int: 'bigint', real: 'double precision', bytes: 'text' } as const
const REMEMBERED =
  "EXISTS (SELECT 1 FROM millrace_done d WHERE d.last_id >= THE_ID AND d.last_id < left(THE_ID, 10) || '~' " +
  'AND d.first_id <= THE_ID AND (d.ids IS NULL OR THE_ID = ANY (d.ids)))'
/** Statements that are assembled anew (filters) are many in theory: beyond this they are compiled again. */
const MAX_KEPT = 2_000

/** A name as SQL takes it, whatever it holds. */
export function ident(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** PostgreSQL's way to say what store/sql says. */
export class PostgresDialect implements Dialect {
  readonly words: QueryWords
  readonly #schema: string
  readonly #texts = new Map<string, string>()
  readonly #rows = new Map<RowsStatement, string>()

  constructor(schema: string) {
    this.#schema = ident(schema)
    this.words = wordsOf(schema)
  }

  compile(statement: Statement): string {
    if (typeof statement !== 'string') {
      const known = this.#rows.get(statement)
      if (known !== undefined) return known
      const text = this.#qualified(rowsText(statement))
      this.#rows.set(statement, text)
      return text
    }
    const known = this.#texts.get(statement)
    if (known !== undefined) return known
    if (this.#texts.size >= MAX_KEPT) this.#texts.clear()
    const text = this.#qualified(OVERRIDES.get(statement) ?? statement)
    this.#texts.set(statement, text)
    return text
  }

  #qualified(text: string): string {
    return withRemembered(text, REMEMBERED)
      .replace(/(?<!")\bmillrace_(\w+)/g, (_, table: string) => `${this.#schema}.${ident(table)}`)
      .replace(
        /\bIN LIST\(\$(\d+) (text|int)\)/g,
        (_, n: string, type: 'text' | 'int') => `= ANY($${n}::${TYPES[type]}[])`,
      )
      .replace(/\bROWS\(\$(\d+): ([^)]*)\)/g, (_, n: string, columns: string) => rowsFrom(Number(n), parsed(columns)))
      .replace(/(json_to_recordset\(\$\d+::json\)) AS v\(([^)]*)\) v\b/g, '$1 AS v($2)')
      .replace(/\bBYTES\(([\w.]+)\)/g, "decode($1, 'hex')")
  }
}

/** Expressions instead of columns keep the planner from other indexes than that of the order: see `query/ways.ts`. */
function wordsOf(schema: string): QueryWords {
  return {
    compiler: ({ PostgresQueryCompiler }) => new PostgresQueryCompiler(),
    table: (name) => [schema, name],
    along: { id: '', state: '' },
    masked: { queue: "(a.queue || '')", state: '(a.state + 0)' },
    uniqueKey: 'a.unique_key',
    tags: 'jsonb_array_elements_text(a.tags::jsonb) as t(tag)',
    tag: 't.tag',
    position: { name: 'strpos', first: 'text' },
  }
}

function rowsText(statement: RowsStatement): string {
  const table = `millrace_${statement.table}`
  const columnValue = (types: ColumnTypes) => (name: string) =>
    types[name] === 'bytes' ? `decode(v.${ident(name)}, 'hex')` : `v.${ident(name)}`
  switch (statement.write) {
    case 'insert': {
      const names = Object.keys(statement.columns)
      const { onTaken } = statement
      const conflict = `ON CONFLICT (${statement.key.map(ident).join(', ')}) DO`
      const taken =
        onTaken === 'fail'
          ? ''
          : onTaken === 'skip'
            ? `${conflict} NOTHING`
            : `${conflict} UPDATE SET ${onTaken.map((name) => `${ident(name)} = excluded.${ident(name)}`).join(', ')}`
      const values = names.map(columnValue(statement.columns))
      // allow sql: names of tables and columns from the constants of store/sql, quoted
      return `INSERT INTO ${table} (${names.map(ident).join(', ')}) SELECT ${values.join(', ')} FROM ${rowsFrom(1, statement.columns)} ${taken}`
    }
    case 'update': {
      const set = Object.keys(statement.set).map((name) => `${ident(name)} = ${columnValue(statement.set)(name)}`)
      const rows = rowsFrom(1, { ...statement.key, ...statement.set })
      const [key = '', ...more] = Object.keys(statement.key)
      // allow sql: names of columns from the constants of store/sql, quoted
      const listed = more.length > 0 ? '' : ` AND ${isListed(key, statement.key)}`
      // allow sql: names of tables and columns from the constants of store/sql, quoted
      return `UPDATE ${table} AS j SET ${set.join(', ')} FROM ${rows} WHERE ${matches(statement.key)}${listed}`
    }
    case 'delete': {
      const [key = '', ...more] = Object.keys(statement.key)
      // allow sql: names of tables and columns from the constants of store/sql, quoted
      if (more.length === 0) return `DELETE FROM ${table} AS j WHERE ${isListed(key, statement.key)}`
      // allow sql: names of tables and columns from the constants of store/sql, quoted
      return `DELETE FROM ${table} AS j USING ${rowsFrom(1, statement.key)} WHERE ${matches(statement.key)}`
    }
    default:
      return statement satisfies never
  }
}

/** A list of one column is looked up by its index in any session; joined, the table may be read whole where it is small. */
function isListed(key: string, types: ColumnTypes): string {
  return `j.${ident(key)} = ANY (ARRAY(SELECT v.${ident(key)} FROM ${rowsFrom(1, types)}))`
}

function matches(key: ColumnTypes): string {
  return Object.keys(key)
    .map((name) => `j.${ident(name)} = v.${ident(name)}`)
    .join(' AND ')
}

function rowsFrom(param: number, types: ColumnTypes): string {
  const columns = Object.entries(types).map(([name, type]) => `${ident(name)} ${TYPES[type]}`)
  return `json_to_recordset($${param}::json) AS v(${columns.join(', ')})`
}

function parsed(columns: string): ColumnTypes {
  // The forms in store/sql name only these types.
  const pairs = columns.split(',').map((column) => column.trim().split(' ') as [string, keyof typeof TYPES])
  return Object.fromEntries(pairs)
}
