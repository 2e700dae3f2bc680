/** What can be wrong with a store on MySQL or MariaDB. Reads the server's own tables only, some of which need the right PROCESS. */
import type { Diagnosis, DiagnosisLimits } from '../contract/index.ts'
import { damagedRows, type OwnLook, quoted } from '../sql/damaged.ts'
import {
  clockOffset,
  connectionsFew,
  connectionsNear,
  limitsOf,
  missingIndex,
  notDurable,
  oldTransaction,
  tlsUnverified,
  warning,
} from '../sql/diagnose.ts'
import type { Migration } from '../sql/migrations.ts'
import { int, text } from '../sql/rows.ts'
import { isLocal } from '../sql/server-url.ts'
import type { Session } from '../sql/session.ts'
import type { Connection } from './connection.ts'
import type { MysqlDatabase } from './database.ts'
import { isForbidden } from './errors.ts'
import type { MysqlSettings } from './options.ts'
import { ENTER_READY, PLACE } from './ready.ts'

const TRANSACTIONS =
  'SELECT t.trx_mysql_thread_id, p.user, p.host, timestampdiff(SECOND, t.trx_started, now()) ' +
  'FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id ' +
  'WHERE p.id <> connection_id() AND timestampdiff(MICROSECOND, t.trx_started, now()) > ? * 1000 ORDER BY 4 DESC LIMIT 5'
const HISTORY = "SELECT count FROM information_schema.innodb_metrics WHERE name = 'trx_rseg_history_len'"
const INDEXES =
  'SELECT DISTINCT table_name, index_name FROM information_schema.statistics WHERE table_schema = database()'
const SETTINGS =
  'SELECT @@GLOBAL.sql_mode, @@GLOBAL.innodb_flush_log_at_trx_commit, @@GLOBAL.max_connections, @@GLOBAL.innodb_doublewrite, ' +
  '@@GLOBAL.log_bin, @@GLOBAL.sync_binlog'
// No EXISTS: the server would make a join of it, and read the whole line for each window.
const PLACELESS =
  'SELECT j.id FROM millrace_job j FORCE INDEX (PRIMARY) WHERE j.id > $1 AND j.id <= $2 AND j.state <> 3 ' +
  // allow sql: a constant of ready.ts
  `AND (SELECT 1 FROM millrace_ready r FORCE INDEX (PRIMARY) WHERE ${PLACE} LIMIT 1) IS NULL`

/** The line has no index by ids alone: without this the whole of it would be locked. */
const ROWS_ONLY = 'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;'

/** The statements of this file that read rows of jobs, for the test of their plans. */
export const DIAGNOSE_STATEMENTS = { PLACELESS } as const

/** Values under which torn pages are not mended: `innodb_doublewrite` is a number on some versions, a word on others. */
const NO_DOUBLEWRITE: readonly string[] = ['0', 'OFF', 'DETECT_ONLY']
/** Beside its pool a program has one connection on which the server waits for hints, and one for looks beside transactions of its own. */
const BESIDE_POOL = 2
const CONNECTED = "SHOW GLOBAL STATUS LIKE 'Threads_connected'"

/** See `Store.diagnose`. */
export async function diagnose(
  db: MysqlDatabase,
  steps: readonly Migration[],
  given: Partial<DiagnosisLimits>,
): Promise<readonly Diagnosis[]> {
  const limits = limitsOf(given)
  const now = await db.time()
  const found = await db.pool.use(async (connection) => {
    return [
      ...(await transactions(connection, limits)),
      ...(await indexes(connection, steps)),
      ...(await settings(db, connection, now, limits)),
    ]
  })
  const damaged = await damagedRows(eachByItself(db), now, limits, lookForPlaces)
  return [...found, ...damaged, ...unverified(db.settings), ...(await clockOffset(() => db.time(), limits))]
}

/** Each statement has a call's time to itself. */
function eachByItself(db: MysqlDatabase): Session {
  return { query: (statement, params) => db.read((session) => session.query(statement, params)) }
}

/** A place that does not fit was left by somebody who changed a job by hand, and not its place: see ready.ts. */
const lookForPlaces: OwnLook = async (session, above, upTo) => {
  const { rows } = await session.query(PLACELESS, [above, upTo])
  return rows.map((row) => {
    const id = text(row[0])
    const literal = quoted(id.replaceAll('\\', '\\\\'))
    // allow sql: an id, quoted, in statements that are shown and not run
    const move = `DELETE FROM millrace_ready WHERE id = ${literal}; ${ENTER_READY} WHERE j.id = ${literal} AND j.state <> 3;`
    const what = 'has no place in the line, or another than its row says'
    return { id, what, fix: `${ROWS_ONLY} START TRANSACTION; ${move} COMMIT;`, keepsFromEnd: false }
  })
}

/** A server elsewhere that the URL does not let prove who it is. */
function unverified({ target }: MysqlSettings): readonly Diagnosis[] {
  const isHere = target.socket !== undefined || isLocal(target.host)
  if (isHere || target.tls === 'verify') return []
  const fix = 'Leave tls out of the URL, or say tls=verify; for an authority of your own add ca=FILE.'
  return [tlsUnverified(target.host, `tls=${target.tls}`, target.tls === 'require', fix)]
}

async function transactions(connection: Connection, limits: DiagnosisLimits): Promise<readonly Diagnosis[]> {
  try {
    const { rows } = await connection.execute(TRANSACTIONS, [limits.transactionMs])
    const old = rows.map((row) =>
      oldTransaction(
        `connection ${int(row[0])} (user ${text(row[1])} from ${text(row[2])})`,
        int(row[3]),
        'it holds its locks, and the server keeps every change since',
        `End it there, or: KILL ${int(row[0])};`,
      ),
    )
    const history = int((await connection.execute(HISTORY, [])).rows[0]?.[0])
    if (history <= limits.history) return old
    const message = `the server keeps ${history} old changes (history list): reads of busy tables become slower`
    return [...old, warning('HISTORY_LONG', message, 'End long transactions, and see to it that purging keeps up.')]
  } catch (error) {
    if (!isForbidden(error)) throw error
    const message = 'this user may not see transactions of others: old ones and a long history list stay unseen'
    return [warning('CANNOT_SEE', message, 'GRANT PROCESS ON *.* TO this user, or run doctor as one who has it.')]
  }
}

async function indexes(connection: Connection, steps: readonly Migration[]): Promise<readonly Diagnosis[]> {
  const { rows } = await connection.execute(INDEXES, [])
  const known = new Set(rows.map((row) => `${text(row[0])}.${text(row[1])}`))
  const wanted = steps
    .flatMap(({ statements }) => statements)
    .flatMap((statement) => {
      const table = /^CREATE TABLE IF NOT EXISTS (\w+)/.exec(statement)?.[1]
      return [...statement.matchAll(/^ {2}KEY (\w+) (\(.*\)),?$/gm)].map(([, name = '', columns = '']) => ({
        table: table ?? '',
        name,
        columns,
      }))
    })
  return (
    wanted
      .filter(({ table, name }) => !known.has(`${table}.${name}`))
      // allow sql: names from the constants of the schema, shown and not run
      .map(({ table, name, columns }) => missingIndex(name, `CREATE INDEX ${name} ON ${table} ${columns}`))
  )
}

async function settings(
  db: MysqlDatabase,
  connection: Connection,
  now: number,
  limits: DiagnosisLimits,
): Promise<readonly Diagnosis[]> {
  const [row = []] = (await connection.execute(SETTINGS, [])).rows
  const found: Diagnosis[] = []
  if (!/STRICT_(TRANS|ALL)_TABLES/.test(text(row[0]))) {
    const message =
      "the server's sql_mode is not strict: Millrace sets it for itself, but refuses connections of your own as `tx`"
    found.push(warning('NOT_STRICT', message, "SET GLOBAL sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES');"))
  }
  if (int(row[1]) !== 1) {
    const loss = 'jobs that were acknowledged in the last second before a crash are lost'
    const setting = `innodb_flush_log_at_trx_commit is ${int(row[1])}`
    found.push(notDurable(setting, 'warning', loss, 'SET GLOBAL innodb_flush_log_at_trx_commit = 1;'))
  }
  if (int(row[4]) === 1 && int(row[5]) !== 1) {
    const loss = 'a crash of the machine may lose the last commits, or leave the binary log without them'
    found.push(notDurable(`sync_binlog is ${int(row[5])}`, 'warning', loss, 'SET GLOBAL sync_binlog = 1;'))
  }
  if (NO_DOUBLEWRITE.includes(String(row[3]).toUpperCase())) {
    const loss = 'a crash of the machine may leave pages half written, unless its disks write whole pages'
    const fix = "Set innodb_doublewrite = ON in the server's configuration, and start it again."
    found.push(notDurable(`innodb_doublewrite is ${String(row[3])}`, 'warning', loss, fix))
  }
  // The server tells its status as text.
  const used = Number((await connection.execute(CONNECTED, [])).rows[0]?.[1])
  const most = int(row[2])
  const few = await connectionsFew(db.sessionOn(connection), now, db.settings.pool + BESIDE_POOL, most, limits)
  return [...found, ...connectionsNear(used, most, limits), ...few]
}
