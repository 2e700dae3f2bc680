/**
 * How a transaction of the caller's finds what is there at REPEATABLE READ, the server's default.
 *
 * There a plain reading sees the past, and one that locks also locks what it does not find: the gap in which it would be. New
 * ids are the highest, so that gap is mostly the end of a table, where every new job and every finished one goes: a look for one
 * id that is not there would hold up all enqueues and all workers until the caller commits. A row that is found by its whole
 * key is locked alone.
 *
 * So it is looked first, on a connection of the store's own that locks nothing and sees what is not committed yet, what the
 * caller wrote among it. What is seen is asked for in the caller's transaction by its whole key, locked: that answer counts, and
 * whoever is about to change the row is waited for. What is not seen is not asked for. When it comes meanwhile after all, the
 * insert of the same id or key meets it and is tried again (`insertInside`); and edges come and go under their parent's lock only.
 * What is gone between the look and the lock leaves a gap locked: that takes a race of milliseconds.
 *
 * Where no look is to be had since a table is being altered (`Looks`), all is read in the caller's transaction with locks, gaps
 * too: that finds the same, and holds up others while the change does so anyway.
 */
import { EDGE_STATEMENTS } from '../sql/edges.ts'
import { KEY_STATEMENTS } from '../sql/keys.ts'
import { LEASE_STATEMENTS, LOG_STATEMENTS } from '../sql/lease.ts'
import { LEDGER_STATEMENTS } from '../sql/ledger.ts'
import { withRemembered } from '../sql/remembered.ts'
import { type Columns, int, text } from '../sql/rows.ts'
import { rowsJson, type Session, type SqlResult, type SqlValue, type Statement } from '../sql/session.ts'
import { REMEMBERED } from './dialect.ts'
import { INSERT_STATEMENTS } from './insert.ts'
import { type Beside, TableAltered } from './looks.ts'

const JOBS = 'SELECT id, 0 FROM millrace_job WHERE id IN LIST($1 text)'
const JOBS_AND_ENDED = `${JOBS} UNION ALL SELECT id, 1 FROM millrace_archive WHERE id IN LIST($2 text)`
const KEYS = 'SELECT key_hash FROM millrace_unique WHERE key_hash IN LIST($1 text)'
const KEYS_OF_JOBS = 'SELECT key_hash FROM millrace_unique WHERE job_id IN LIST($1 text)'
const OLDEST_LOG = 'SELECT seq FROM millrace_log WHERE job_id = $1 ORDER BY seq DESC LIMIT 1 OFFSET 1000'

const SHARE_JOBS = 'SELECT id, state, 0 AS has_ended FROM millrace_job WHERE id IN LIST($1 text) LOCK IN SHARE MODE'
const SHARE_ENDED =
  'SELECT id, state, 1 AS has_ended FROM millrace_archive WHERE id IN LIST($1 text) LOCK IN SHARE MODE'
const SHARE_EDGES =
  'SELECT e.parent_id, e.child_id, e.policy FROM ROWS($1: parent_id text, child_id text) v STRAIGHT_JOIN millrace_edge e ' +
  'FORCE INDEX (PRIMARY) ON e.parent_id = v.parent_id AND e.child_id = v.child_id LOCK IN SHARE MODE'
const DROP_LOGS = 'DELETE FROM millrace_log WHERE job_id = $1 AND seq <= $2'

const SHARED = ' LOCK IN SHARE MODE'
// What stands outside of a query in parentheses does not reach into it.
const SHARE_REMEMBERED = REMEMBERED.replace(/(?= *\) IS NOT NULL$)/, SHARED)
const SHARE_REMEMBERED_IDS = withRemembered(LEDGER_STATEMENTS.REMEMBERED_IDS, SHARE_REMEMBERED)
const { ENDED } = INSERT_STATEMENTS
const SHARE_ENDED_IDS = withRemembered(ENDED.replaceAll('a.id = v.id)', `a.id = v.id${SHARED})`), SHARE_REMEMBERED)

/** A job whose end is under way elsewhere is waited for, and looked for once more where it went; it may come back once. */
const MAX_LOOKS = 3
/** What `guarded` of an insert and a settlement say when something went wrong. */
export const BACK = 'ROLLBACK TO SAVEPOINT row_guard'
const NOTHING: SqlResult = { rows: [], changes: 0 }

type Params = readonly SqlValue[]

/** How a reading is made in a caller's transaction. */
interface Finding {
  /** What is seen beside it is locked. */
  readonly found: (own: Session, beside: Beside, params: Params) => Promise<SqlResult>
  /** The same without a look: it locks what is not there, too. */
  readonly plain: (own: Session, params: Params) => Promise<SqlResult>
}

/** Each reading of the slow road, by its text. */
const FINDINGS: ReadonlyMap<string, Finding> = new Map<string, Finding>([
  [KEY_STATEMENTS.LOCK, seenIn(KEYS, KEY_STATEMENTS.LOCK)],
  [KEY_STATEMENTS.LOCK_OF_JOBS, { found: lockKeysOf, plain: said(KEY_STATEMENTS.LOCK_OF_JOBS) }],
  [LEDGER_STATEMENTS.LOCK_JOBS, seenIn(JOBS, LEDGER_STATEMENTS.LOCK_JOBS)],
  [LEASE_STATEMENTS.LOCK_HELD, seenIn(JOBS, LEASE_STATEMENTS.LOCK_HELD)],
  [LEDGER_STATEMENTS.STATES, { found: states, plain: plainStates }],
  [LEDGER_STATEMENTS.REMEMBERED_IDS, committedBy(LEDGER_STATEMENTS.REMEMBERED_IDS, SHARE_REMEMBERED_IDS)],
  [ENDED, committedBy(ENDED, SHARE_ENDED_IDS)],
  [EDGE_STATEMENTS.OF_PARENTS, edgesBy(EDGE_STATEMENTS.OF_PARENTS)],
  [EDGE_STATEMENTS.OF_CHILDREN, edgesBy(EDGE_STATEMENTS.OF_CHILDREN)],
  [LOG_STATEMENTS.DROP_OLD_LOGS, { found: dropOldLogs, plain: said(LOG_STATEMENTS.DROP_OLD_LOGS) }],
])

/**
 * A session of a caller's transaction that locks what is there, and nothing else. Statements run in their order; behind one that
 * failed all fail alike, until the rollback to the savepoint: each look for them might take as long again.
 */
export function lockingFound(own: Session, beside: Beside): Session {
  let last: Promise<unknown> = Promise.resolve()
  let failure: { readonly error: unknown } | undefined
  return {
    query(statement: Statement, params: Params = []): Promise<SqlResult> {
      const answer = last.then(() => {
        if (statement === BACK) failure = undefined
        if (failure !== undefined) throw failure.error
        const finding = typeof statement === 'string' ? FINDINGS.get(statement) : undefined
        if (finding !== undefined) return find(finding, own, beside, params)
        if (typeof statement === 'string' && statement.startsWith('SELECT ')) {
          throw new TypeError(`what a caller's transaction reads has to be found first: ${statement}`)
        }
        return own.query(statement, params)
      })
      last = answer.catch((error: unknown) => {
        failure ??= { error }
      })
      return answer
    },
  }
}

async function find({ found, plain }: Finding, own: Session, beside: Beside, params: Params): Promise<SqlResult> {
  try {
    return await found(own, beside, params)
  } catch (error) {
    if (!(error instanceof TableAltered)) throw error
    return plain(own, params)
  }
}

function said(statement: string): Finding['plain'] {
  return (own, params) => own.query(statement, params)
}

function seenIn(look: string, lock: string): Finding {
  return { found: (own, beside, params) => lockSeen(own, beside, look, lock, params), plain: said(lock) }
}

function committedBy(look: string, share: string): Finding {
  const found: Finding['found'] = async (_own, beside, params) => {
    const rows = await beside.committed(look, params)
    return { rows, changes: rows.length }
  }
  return { found, plain: said(share) }
}

function edgesBy(look: string): Finding {
  return { found: (own, beside, params) => edges(own, beside, look, params), plain: said(`${look}${SHARED}`) }
}

/** `lock` asks for the rows with these keys, the first parameter; only those that `look` sees are asked for. */
async function lockSeen(own: Session, beside: Beside, look: string, lock: string, params: Params): Promise<SqlResult> {
  const [wanted = [], ...rest] = params
  const seen = firsts(await beside.seen(look, [wanted])).sort()
  return seen.length === 0 ? NOTHING : own.query(lock, [seen, ...rest])
}

/** The keys that these jobs hold, and those that somebody is about to give to another: that may be taken back. */
async function lockKeysOf(own: Session, beside: Beside, [jobIds = []]: Params): Promise<SqlResult> {
  const seen = await beside.seen(KEYS_OF_JOBS, [jobIds])
  const hashes = [...new Set(firsts([...seen, ...(await beside.committed(KEYS_OF_JOBS, [jobIds]))]))].sort()
  if (hashes.length === 0) return NOTHING
  const { rows } = await own.query(KEY_STATEMENTS.LOCK, [hashes])
  const wanted = new Set<unknown>(listOf(jobIds))
  const held = rows.filter((row) => wanted.has(text(row[3])))
  return { rows: held, changes: held.length }
}

/**
 * The states of jobs, which are kept until the caller's end. A job whose row is gone by something that is not committed, and
 * that is not seen in the archive either, is being forgotten elsewhere: its old row is asked for, which waits for that.
 */
async function states(own: Session, beside: Beside, [ids = []]: Params): Promise<SqlResult> {
  const found: Columns[] = []
  let unknown = listOf(ids)
  for (let looks = 0; looks < MAX_LOOKS && unknown.length > 0; looks++) {
    const seen = await beside.seen(JOBS_AND_ENDED, [unknown, unknown])
    const ended = firsts(seen.filter((row) => int(row[1]) === 1))
    const live = firsts(seen.filter((row) => int(row[1]) === 0))
    const unseen = without(unknown, [...ended, ...live])
    const leaving = unseen.length === 0 ? [] : firsts(await beside.committed(JOBS, [unseen]))
    const before = found.length
    if (ended.length > 0) found.push(...(await own.query(SHARE_ENDED, [ended])).rows)
    const wanted = without([...live, ...leaving], firsts(found))
    if (wanted.length > 0) found.push(...(await own.query(SHARE_JOBS, [wanted])).rows)
    const isSettled = found.length - before === new Set([...ended, ...live, ...leaving]).size
    unknown = isSettled ? [] : without(without(unknown, firsts(found)), without(unseen, leaving))
  }
  return { rows: found, changes: found.length }
}

async function plainStates(own: Session, [ids = []]: Params): Promise<SqlResult> {
  const { rows: live } = await own.query(SHARE_JOBS, [ids])
  const { rows: ended } = await own.query(SHARE_ENDED, [ids])
  return { rows: [...live, ...ended], changes: live.length + ended.length }
}

async function edges(own: Session, beside: Beside, look: string, params: Params): Promise<SqlResult> {
  const seen = await beside.seen(look, params)
  if (seen.length === 0) return NOTHING
  return own.query(SHARE_EDGES, [rowsJson(seen.map((row) => ({ parent_id: text(row[0]), child_id: text(row[1]) })))])
}

async function dropOldLogs(own: Session, beside: Beside, [jobId = null]: Params): Promise<SqlResult> {
  const [oldest] = await beside.seen(OLDEST_LOG, [jobId])
  return oldest === undefined ? NOTHING : own.query(DROP_LOGS, [jobId, int(oldest[0])])
}

function firsts(rows: readonly Columns[]): string[] {
  return rows.map((row) => text(row[0]))
}

function without(all: readonly string[], some: readonly string[]): readonly string[] {
  const gone = new Set(some)
  return all.filter((one) => !gone.has(one))
}

function listOf(value: SqlValue): readonly string[] {
  // The lists of these statements are of ids and hashes.
  return Array.isArray(value) ? value.map(String) : []
}
