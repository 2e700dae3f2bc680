/**
 * Every statement that any operation of the MySQL store sends, with statistics at 20,000 rows (1,000,000 with MILLRACE_LONG):
 * what it reads of a growing table it finds by an index, and it sorts few rows.
 */
import mysql, { type RowDataPacket } from 'mysql2'
import type { Connection } from 'mysql2/promise'
import { expect, onTestFinished, test } from 'vitest'
import { transactionHandle } from '../../src/store/contract/index.ts'
import { createMysqlStore } from '../../src/store/mysql/store.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { describeOn, freshStoreUrl } from '../support/servers.ts'
import { grow, type Within } from './every-operation.ts'
import { statementsOf } from './server-plans.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const ROWS = LONG ? 1_000_000 : 20_000
/** A page, or what belongs to the jobs of a batch, may be sorted. */
const MAX_SORTED = 1_000
const GROWING = [
  ...['job', 'ready', 'archive', 'done', 'bytes', 'attempt', 'log', 'edge', 'unique', 'state', 'message', 'notice'],
]
/** A message to as many as there are jobs. */
const MESSAGES =
  'INSERT INTO millrace_message (recipient, verb, posted_by, posted_at, expires_at) ' +
  "SELECT id, 'pause', 'me', 0, 4000000000000 FROM millrace_job"

await describeOn('mysql', (server) => {
  test(
    `no operation scans or sorts a growing table of ${ROWS} rows`,
    async () => {
      const url = await freshStoreUrl(server)
      const store = createMysqlStore({ url })
      await store.open()
      onTestFinished(() => store.close())
      await store.migrate()
      await grow(store, ROWS)
      const client = await mysqlClient(url)
      await client.query(MESSAGES)
      await client.query(`ANALYZE TABLE ${GROWING.map((table) => `millrace_${table}`).join(', ')}`)
      // Its types have the class only as a type.
      const { prototype } = Reflect.get(mysql, 'Connection') as { readonly prototype: object }
      const statements = await statementsOf({ prototype, method: 'execute' }, store, within(client))

      const faults: string[] = []
      for (const { text, values } of statements) {
        const [rows] = await client.execute<RowDataPacket[]>(`EXPLAIN ${text}`, [...values] as string[])
        faults.push(...faultsOf(text, rows))
      }

      expect(faults).toEqual([])
      expect(statements.length).toBeGreaterThan(100)
    },
    LONG ? 3_600_000 : 120_000,
  )
})

/**
 * What grows, by names and by what statements call it. `v` is a list that a statement was given, `t` the list of a row's tags;
 * where `t` is an attempt, filter-plans.test.ts looks.
 */
const IS_GROWING = new RegExp(`^(millrace_(${GROWING.join('|')})|[abdijlru])$`)

function faultsOf(text: string, plan: readonly RowDataPacket[]): readonly string[] {
  const isBounded = /\blimit \d/i.test(text)
  // Of two tables each gives its own page.
  const inParts = (text.match(/\blimit \d/gi)?.length ?? 0) > 2
  const read = plan.reduce((sum, row) => sum + Number(row.rows ?? 0), 0)
  return plan.flatMap(({ select_type: part, table, type, key, rows, Extra }) => {
    // What is written into is named as well, as if it were read whole.
    if (part === 'INSERT') return []
    const isWhole = IS_GROWING.test(String(table)) && (type === 'ALL' || (type === 'index' && !isBounded))
    const sorted = String(table).startsWith('<union') ? (inParts ? 0 : read) : Number(rows)
    const isSorting = String(Extra).includes('filesort') && sorted > MAX_SORTED
    const isFault = isWhole || isSorting || String(Extra).includes('join buffer')
    return isFault ? [`${table}: ${type} ${key} ${sorted} ${Extra}  in  ${text}`] : []
  })
}

/** A transaction on a connection of the caller's, as it is and as a library hands it on. */
function within(client: Connection): Within {
  return async (fn) => {
    const handle = transactionHandle({
      kind: 'statements',
      library: 'a library',
      query: async (text, values) => (await client.query<RowDataPacket[]>(text, [...values]))[0],
      execute: async (text, values) => {
        const [{ affectedRows }] = await client.query<mysql.ResultSetHeader>(text, [...values])
        return affectedRows
      },
    })
    for (const tx of [client, handle]) {
      await client.beginTransaction()
      await fn(tx)
      await client.rollback()
    }
  }
}
