/**
 * Shared statements that PostgreSQL is asked in other words: its indexes know lines instead of states, leases have a table of
 * their own (schema.ts), and remembered ids have no key, since many share a row.
 */
import { CONTROL_STATEMENTS } from '../sql/control.ts'
import { REMEMBERED_STATEMENTS } from '../sql/copy-remembered.ts'
import { DUE_STATEMENTS } from '../sql/due.ts'
import { LEASE_STATEMENTS } from '../sql/lease.ts'
import { QUEUE_STATEMENTS } from '../sql/queues.ts'

/** A large claim leaves its jobs in the line of those that are ready; in no other line is anybody but whose it is. */
function inLine(text: string): string {
  return text
    .replaceAll('state <> 2 AND state <> 3 AND state = ', 'line <> 2 AND line <> 3 AND line = ')
    .replaceAll('state <> 2 AND state <> 3', 'line <> 2 AND line <> 3')
    .replaceAll('state <> 3', 'line <> 3 AND state <> 3')
    .replaceAll('state IN (1, 4)', 'line IN (1, 4)')
    .replaceAll('state = 2', 'line = 2 AND state = 2')
}

const { PENDING_NAMES, WAITING_NAMES, PENDING, WAITING, OLDEST, CLEARABLE_PENDING, CLEARABLE_WAITING } =
  QUEUE_STATEMENTS
const IN_LINE = [
  ...[PENDING_NAMES, WAITING_NAMES, PENDING, WAITING, OLDEST, CLEARABLE_PENDING, CLEARABLE_WAITING],
  ...[DUE_STATEMENTS.DUE, DUE_STATEMENTS.EXPIRED, DUE_STATEMENTS.NEXT],
]

/** The other words, by the shared ones. */
export const OVERRIDES: ReadonlyMap<string, string> = new Map([
  ...IN_LINE.map((text) => [text, inLine(text)] as const),
  [
    QUEUE_STATEMENTS.RUNNING,
    'SELECT queue, count(*) FROM (SELECT queue FROM millrace_job WHERE id = ANY (ARRAY(SELECT DISTINCT job_id ' +
      'FROM (SELECT unnest(job_ids) AS job_id FROM millrace_lease LIMIT 100000) AS l)) AND state = 3) AS n GROUP BY queue',
  ],
  // As settles lock them (settle-sql.ts), which go on beside it.
  [LEASE_STATEMENTS.LOCK_HELD, LEASE_STATEMENTS.LOCK_HELD.replace('ORDER BY id', 'ORDER BY ctid')],
  [
    // The places of all running jobs stand in their leases.
    LEASE_STATEMENTS.HELD_BY,
    'SELECT id FROM millrace_job WHERE id = ANY (ARRAY(SELECT DISTINCT job_id FROM (SELECT unnest(job_ids) AS job_id ' +
      'FROM millrace_lease) AS l)) AND state = 3 AND worker_id = $1 LIMIT $2',
  ],
  [LEASE_STATEMENTS.FIRST_LEASE, 'SELECT min(until_at) FROM millrace_lease'],
  [
    // And places where nobody claims any more.
    CONTROL_STATEMENTS.FORGET_IDS,
    'WITH old AS (DELETE FROM millrace_front WHERE ctid = ANY (ARRAY(SELECT ctid FROM millrace_front WHERE abs(until_at) <= $1 FOR UPDATE SKIP LOCKED))) ' +
      'DELETE FROM millrace_done WHERE ctid = ANY (ARRAY(SELECT ctid FROM millrace_done WHERE done_at <= $1 ORDER BY done_at ' +
      'LIMIT $2 FOR UPDATE SKIP LOCKED))',
  ],
  // Ids of one row are an array.
  [REMEMBERED_STATEMENTS.ROWS, REMEMBERED_STATEMENTS.ROWS.replace(', ids ', ", array_to_string(ids, ',') ")],
  [REMEMBERED_STATEMENTS.INSERT, REMEMBERED_STATEMENTS.INSERT.replace('v.ids ', "string_to_array(v.ids, ',') ")],
])
