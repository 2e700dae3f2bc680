/**
 * The ready table beside the job table: one row for each job that waits, in the order in which jobs are claimed. Whatever
 * moves a job into, out of or within it is one of few statements of the shared slow road; here each is followed through.
 * A job's row is locked by whoever changes it, so its place can be computed from its columns, before and after.
 */
import type { Session, SqlResult, SqlValue, Statement } from '../sql/session.ts'

/** Whether `r` is where a job `j` belongs. */
export const PLACE =
  'r.state = j.state AND r.queue_key = j.queue_key AND r.place = 100 - j.priority AND r.run_at = j.run_at AND r.id = j.id'
const OF_ROWS = 'ROWS($1: id text) v STRAIGHT_JOIN millrace_job j FORCE INDEX (PRIMARY) ON j.id = v.id'
const JOIN_READY = `STRAIGHT_JOIN millrace_ready r FORCE INDEX (PRIMARY) ON ${PLACE}`
const INSERT =
  'INSERT INTO millrace_ready (state, queue_key, place, run_at, id, name, expires_at) ' +
  'SELECT j.state, j.queue_key, 100 - j.priority, j.run_at, j.id, j.name, j.expires_at'
/** Gives jobs `j` their places; what follows says which. */
export const ENTER_READY = `${INSERT} FROM millrace_job j`
// A job that runs has no place. To look for it would lock the gap in which it is not, where the next job may belong.
const LEAVE_BY_ROWS = `DELETE r FROM ${OF_ROWS} ${JOIN_READY} WHERE j.state <> 3`
// Whoever changed a row by hand left its place: a job that is to stand where it stands must not hold up the others.
const UNLESS_THERE = 'ON DUPLICATE KEY UPDATE id = millrace_ready.id'
const ENTER_BY_ROWS = `${INSERT} FROM ${OF_ROWS} WHERE j.state <> 3 ${UNLESS_THERE}`
const LEAVE_BY_LIST = `DELETE r FROM millrace_job j FORCE INDEX (PRIMARY) ${JOIN_READY} WHERE j.id IN LIST($1 text) AND j.state <> 3`
/** Gives their places to jobs that were written by no statement which is followed here. */
export const ENTER_BY_LIST = `${INSERT} FROM millrace_job j FORCE INDEX (PRIMARY) WHERE j.id IN LIST($1 text) AND j.state <> 3 ${UNLESS_THERE}`

type Run = (statement: Statement, params: readonly SqlValue[]) => Promise<SqlResult>

/** A session that keeps the ready table in step with what it does to jobs. */
export function keepingReady(run: Run): Session {
  return {
    query(statement: Statement, params: readonly SqlValue[] = []): Promise<SqlResult> {
      const move = moveOf(statement)
      if (move === null) return run(statement, params)
      const ids = [params[move.param] ?? null]
      return inOrder(
        move.leaves ? () => run(move.byRows ? LEAVE_BY_ROWS : LEAVE_BY_LIST, ids) : null,
        () => run(statement, params),
        move.enters ? () => run(move.byRows ? ENTER_BY_ROWS : ENTER_BY_LIST, ids) : null,
      )
    },
  }
}

/** Sends all, which the connection runs one after the other, and waits for all. */
async function inOrder(
  before: (() => Promise<SqlResult>) | null,
  main: () => Promise<SqlResult>,
  after: (() => Promise<SqlResult>) | null,
): Promise<SqlResult> {
  const sent = [before?.(), main(), after?.()] as const
  const [, result] = await Promise.all(sent)
  return result
}

interface Move {
  readonly leaves: boolean
  readonly enters: boolean
  readonly byRows: boolean
  /** Which parameter names the jobs, from 0. */
  readonly param: number
}

function moveOf(statement: Statement): Move | null {
  if (typeof statement !== 'string') {
    if (statement.table !== 'job') return null
    if (statement.write === 'update' && !('state' in statement.set)) return null
    return { leaves: statement.write !== 'insert', enters: statement.write !== 'delete', byRows: true, param: 0 }
  }
  if (statement.startsWith('UPDATE millrace_job SET state = ')) {
    return { leaves: true, enters: true, byRows: false, param: 0 }
  }
  // A job that lives again: its ids are the second parameter.
  if (/^INSERT INTO millrace_job .* WHERE id IN LIST\(\$2 text\)$/.test(statement))
    return { leaves: false, enters: true, byRows: false, param: 1 }
  return null
}
