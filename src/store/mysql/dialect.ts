/**
 * How the shared statements are said to MySQL and MariaDB. A statement becomes a template: text with slots for values.
 *
 * A list is so many parameters of an IN, padded to one of a few lengths, so that shapes stay few and the server reads a
 * range of the index it is told to use: without the hint it may scan a small table, and wait for rows that others hold.
 * Rows are one parameter, JSON text that JSON_TABLE reads. A LIMIT is put into the text, as a checked whole number, since
 * the driver sends numbers as doubles. A queue is found by its key: an index takes no text of any length.
 */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { QueryWords } from '../sql/query/words.ts'
import { withRemembered } from '../sql/remembered.ts'
import type { ColumnTypes, Dialect, RowsStatement, SqlValue, Statement } from '../sql/session.ts'
import { OVERRIDES } from './overrides.ts'
import type { Bound } from './runner.ts'

/** The lengths of lists. What is between costs the server and the driver 0.5 µs a place that is left over. */
const LIST_LENGTHS = [1, 8, 16, 32, 64, 128, 256, 512, 640, 768, 4096, 32_768]
/**
 * Longer lists that write are cut. An UPDATE or a DELETE of one table by such a list changes each row as it finds it, in the order of
 * the ids. One that joins the table to JSON_TABLE notes what it finds first, and looks for each row once more: that cost the server
 * 2.8 µs of the 14 in which a claim marks a job, and 2.3 of 6 in which its place is deleted (MariaDB 10.11, EPYC, 540 jobs at once).
 * A worker of 100 slots claims some 540 at once: another statement for the last few would cost 100 µs.
 */
const LISTED = 768
// No EXISTS: the server would make a join of it, and begin with all that is remembered.
/** What `REMEMBERED(…)` stands for. */
export const REMEMBERED =
  '(SELECT 1 FROM millrace_done d FORCE INDEX (done_ids) WHERE d.bucket = LEFT(THE_ID, 10) AND d.last_id >= THE_ID ' +
  "AND d.first_id <= THE_ID AND (d.ids IS NULL OR LOCATE(CONCAT(',', THE_ID, ','), d.ids) > 0) LIMIT 1) IS NOT NULL"
/** Statements that are assembled anew (filters) are many in theory: beyond this they are compiled again. */
const MAX_KEPT = 2_000
/** A queue's name up to so many bytes is its own key. */
const MAX_KEY_BYTES = 190

type SlotKind = 'value' | 'list' | 'hashes' | 'limit' | 'queue'

interface Slot {
  readonly n: number
  readonly kind: SlotKind
}

/** A statement with its slots. */
export interface Template {
  readonly parts: readonly (string | Slot)[]
}

/** The index by which a list of a column's values is looked up. */
const INDEX_OF: Readonly<Record<string, string>> = {
  'job.id': 'PRIMARY',
  'archive.id': 'PRIMARY',
  'bytes.job_id': 'PRIMARY',
  'attempt.job_id': 'PRIMARY',
  'log.job_id': 'PRIMARY',
  'edge.parent_id': 'PRIMARY',
  'edge.child_id': 'edge_child',
  'unique.key_hash': 'PRIMARY',
  'unique.job_id': 'unique_job',
}

/** Columns that are compared with keys of tables. */
const KEYS: ReadonlySet<string> = new Set(['id', 'job_id', 'parent_id', 'child_id', 'key_hash'])

/** The tags of a job are a table made of its JSON; an index is named, so that no other one is read. */
const WORDS: QueryWords = {
  compiler: ({ MysqlQueryCompiler }) => new MysqlQueryCompiler(),
  table: (name) => [`millrace_${name}`],
  along: { id: 'force index (PRIMARY)', state: 'force index (archive_state)' },
  masked: { queue: 'a.queue', state: 'a.state' },
  uniqueKey: 'cast(a.unique_key as binary)',
  tags: "json_table(a.tags, '$[*]' columns (tag longtext character set utf8mb4 path '$')) as t",
  tag: 'cast(t.tag as binary)',
  position: { name: 'locate', first: 'value' },
}

/** Templates of statements, each made once. */
export class MysqlDialect implements Dialect {
  readonly words = WORDS
  readonly #texts = new Map<string, Template>()
  readonly #rows = new Map<RowsStatement, Template>()

  /** The statement with empty slots, for a look at it. */
  compile(statement: Statement): string {
    return this.template(statement)
      .parts.map((part) => (typeof part === 'string' ? part : part.kind === 'limit' ? '1' : '?'))
      .join('')
  }

  template(statement: Statement): Template {
    if (typeof statement !== 'string') {
      const known = this.#rows.get(statement)
      if (known !== undefined) return known
      const made = templateOf(rowsText(statement))
      this.#rows.set(statement, made)
      return made
    }
    const known = this.#texts.get(statement)
    if (known !== undefined) return known
    if (this.#texts.size >= MAX_KEPT) this.#texts.clear()
    const made = templateOf(hinted(OVERRIDES.get(statement) ?? statement))
    this.#texts.set(statement, made)
    return made
  }
}

/** The text of a statement for these parameters, and the values it binds. */
export function filled(
  template: Template,
  params: readonly SqlValue[],
): { readonly text: string; readonly values: Bound[] } {
  let text = ''
  const values: Bound[] = []
  for (const part of template.parts) {
    if (typeof part === 'string') text += part
    else {
      const value = params[part.n - 1]
      if (value === undefined) throw new TypeError(`the statement has no parameter ${part.n}`)
      text += fill(part, value, values)
    }
  }
  return { text, values }
}

function fill({ kind }: Slot, value: SqlValue, values: Bound[]): string {
  switch (kind) {
    case 'value':
      values.push(scalar(value))
      return '?'
    case 'queue':
      values.push(queueKey(String(value)))
      return '?'
    case 'limit':
      return String(limitOf(value))
    case 'list':
      return listOf(value, values, (one) => one)
    case 'hashes':
      return listOf(value, values, (one) => crc32(String(one)))
    default:
      return kind satisfies never
  }
}

function listOf(value: SqlValue, values: Bound[], map: (one: string | number) => string | number): string {
  if (!Array.isArray(value)) throw new TypeError('a list was expected')
  // A bound list holds texts or numbers.
  const list = value as readonly (string | number)[]
  const length = LIST_LENGTHS.find((most) => most >= list.length) ?? list.length
  const last = list.at(-1)
  for (let i = 0; i < length; i++) {
    const one = list[i] ?? last
    values.push(one === undefined ? null : map(one))
  }
  return `IN (?${',?'.repeat(length - 1)})`
}

/** Ids in lists of 768 at most, in their order. */
export function listsOf(ids: readonly string[]): readonly (readonly string[])[] {
  if (ids.length <= LISTED) return ids.length === 0 ? [] : [ids]
  return Array.from({ length: Math.ceil(ids.length / LISTED) }, (_, i) => ids.slice(i * LISTED, (i + 1) * LISTED))
}

/** A value that is bound as it is: no list. */
export function scalar(value: SqlValue): Bound {
  if (Array.isArray(value)) throw new TypeError('a list goes where the statement says LIST')
  // Not a list, as was checked.
  return value as Bound
}

function limitOf(value: SqlValue): number {
  if (!Number.isSafeInteger(value) || Number(value) < 0) throw new TypeError('a LIMIT is a whole number from 0')
  return Number(value)
}

/** What a queue is found by: its name, or a hash of it when it is long. The schema has the same in SQL. */
export function queueKey(queue: string): string {
  if (queue.length <= MAX_KEY_BYTES / 3 || Buffer.byteLength(queue) <= MAX_KEY_BYTES) return queue
  return `#${createHash('sha256').update(queue).digest('hex')}`
}

function templateOf(text: string): Template {
  const said = withRemembered(text, REMEMBERED)
    .replace(/\bROWS\(\$(\d+): ([^)]*)\)/g, (_, n: string, columns: string) => rowsFrom(Number(n), parsed(columns)))
    .replace(/\bBYTES\(([\w.]+)\)/g, 'UNHEX($1)')
  const parts: (string | Slot)[] = []
  let end = 0
  for (const found of said.matchAll(
    /\bIN LIST\(\$(\d+) (?:text|int)\)|\bIN HASHES\(\$(\d+)\)|\bQUEUE\(\$(\d+)\)|\$(\d+)/g,
  )) {
    const [all, list, hashes, queue, plain] = found
    const before = said.slice(end, found.index)
    parts.push(before)
    const isLimit = plain !== undefined && /\bLIMIT $/.test(before)
    if (list !== undefined) parts.push({ n: Number(list), kind: 'list' })
    else if (hashes !== undefined) parts.push({ n: Number(hashes), kind: 'hashes' })
    else if (queue !== undefined) parts.push({ n: Number(queue), kind: 'queue' })
    else parts.push({ n: Number(plain), kind: isLimit ? 'limit' : 'value' })
    end = found.index + all.length
  }
  parts.push(said.slice(end))
  return { parts }
}

/** Tells the server by which index a list is looked up. */
function hinted(text: string): string {
  const said = text
    .replace(/^DELETE FROM millrace_(\w+) (?=WHERE \w+ IN LIST)/, 'DELETE millrace_$1 FROM millrace_$1 ')
    .replace(/(?<=^UPDATE millrace_)(\w+)(?= SET .* WHERE (\w+) IN LIST)/, forced)
    .replace(/(?<=FROM millrace_)(\w+)(?= WHERE (\w+) IN LIST)/g, forced)
  return said.replace(/\) v JOIN millrace_job j ON/, ') v STRAIGHT_JOIN millrace_job j FORCE INDEX (PRIMARY) ON')
}

function forced(all: string, table: string, column: string): string {
  const index = INDEX_OF[`${table}.${column}`]
  return index === undefined ? all : `${table} FORCE INDEX (${index})`
}

function rowsText(statement: RowsStatement): string {
  const table = `millrace_${statement.table}`
  const saidAs = (types: ColumnTypes) => (name: string) => (types[name] === 'bytes' ? `UNHEX(v.${name})` : `v.${name}`)
  switch (statement.write) {
    case 'insert': {
      const names = Object.keys(statement.columns)
      const { onTaken } = statement
      const [key = ''] = statement.key
      const columns = onTaken === 'fail' ? [] : onTaken === 'skip' ? [] : onTaken
      const taken =
        onTaken === 'fail'
          ? ''
          : onTaken === 'skip'
            ? ` ON DUPLICATE KEY UPDATE ${key} = ${table}.${key}`
            : ` ON DUPLICATE KEY UPDATE ${columns.map((name) => `${name} = ${saidAs(statement.columns)(name)}`).join(', ')}`
      const values = names.map(saidAs(statement.columns))
      // allow sql: names of tables and columns from the constants of store/sql
      return `INSERT INTO ${table} (${names.join(', ')}) SELECT ${values.join(', ')} FROM ${rowsFrom(1, statement.columns)} v${taken}`
    }
    case 'update': {
      const set = Object.keys(statement.set).map((name) => `j.${name} = ${saidAs(statement.set)(name)}`)
      const rows = rowsFrom(1, { ...statement.key, ...statement.set })
      // allow sql: names of tables and columns from the constants of store/sql
      return `UPDATE ${rows} v STRAIGHT_JOIN ${table} j FORCE INDEX (PRIMARY) ON ${matches(statement.key)} SET ${set.join(', ')}`
    }
    case 'delete':
      // allow sql: names of tables and columns from the constants of store/sql
      return `DELETE j FROM ${rowsFrom(1, statement.key)} v STRAIGHT_JOIN ${table} j FORCE INDEX (PRIMARY) ON ${matches(statement.key)}`
    default:
      return statement satisfies never
  }
}

function matches(key: ColumnTypes): string {
  return Object.keys(key)
    .map((name) => `j.${name} = v.${name}`)
    .join(' AND ')
}

function rowsFrom(param: number, types: ColumnTypes): string {
  const columns = Object.entries(types).map(
    ([name, type]) => `${name} ${typeOf(name, type)} PATH '$.${name}' ERROR ON ERROR`,
  )
  return `JSON_TABLE($${param}, '$[*]' COLUMNS (${columns.join(', ')}))`
}

function typeOf(name: string, type: ColumnTypes[string]): string {
  if (type === 'int') return 'BIGINT'
  if (type === 'real') return 'DOUBLE'
  return KEYS.has(name) ? 'VARBINARY(255)' : 'LONGTEXT CHARACTER SET utf8mb4'
}

function parsed(columns: string): ColumnTypes {
  // The forms in store/sql name only these types.
  const pairs = columns.split(',').map((column) => column.trim().split(' ') as [string, ColumnTypes[string]])
  return Object.fromEntries(pairs)
}
