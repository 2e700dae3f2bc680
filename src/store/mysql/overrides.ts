/**
 * Shared statements that MySQL and MariaDB are asked in other words. They have no partial index: what waits is read from
 * the ready table, which lies in the order of (state, queue, priority, run time, id); what is due, runs, stops or waits for
 * a key from one index of the job table over `phase` and `due_at` (see schema.ts).
 */
import { COUNTED_TO } from '../../core/job/limits.ts'
import { CONTROL_STATEMENTS } from '../sql/control.ts'
import { REMEMBERED_STATEMENTS } from '../sql/copy-remembered.ts'
import { DUE_STATEMENTS } from '../sql/due.ts'
import { LEASE_STATEMENTS } from '../sql/lease.ts'
import { MAILBOX_STATEMENTS } from '../sql/mailbox.ts'
import { QUEUE_STATEMENTS } from '../sql/queues.ts'

// allow sql: conditions of this file
const counted = (where: string) => `SELECT count(*) FROM (SELECT 1 FROM ${where} LIMIT ${COUNTED_TO}) AS n`

/** The other words, by the shared ones. */
export const OVERRIDES: ReadonlyMap<string, string> = new Map([
  [
    DUE_STATEMENTS.DUE,
    'SELECT id FROM millrace_job FORCE INDEX (job_due) WHERE phase = 1 AND due_at <= $1 ORDER BY due_at LIMIT $2 ' +
      'FOR UPDATE SKIP LOCKED',
  ],
  [
    DUE_STATEMENTS.EXPIRED,
    'SELECT id FROM millrace_job FORCE INDEX (job_expiry) WHERE expires_at <= $1 AND state <> 3 ' +
      'ORDER BY expires_at, id LIMIT $2',
  ],
  [
    DUE_STATEMENTS.NEXT,
    'SELECT min(due_at) FROM millrace_job WHERE phase = 1 UNION ALL (SELECT expires_at FROM millrace_job ' +
      'FORCE INDEX (job_expiry) WHERE expires_at IS NOT NULL AND state <> 3 ORDER BY expires_at LIMIT 1)',
  ],
  [
    DUE_STATEMENTS.BLOCKED,
    'SELECT id FROM millrace_job FORCE INDEX (job_due) WHERE phase = 5 AND due_at IN HASHES($1) ' +
      'AND blocked_on IN LIST($1 text) ORDER BY due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED',
  ],
  [
    LEASE_STATEMENTS.EXPIRED_LEASES,
    'SELECT id FROM millrace_job FORCE INDEX (job_due) WHERE phase IN (3, 4) AND due_at <= $1 ORDER BY due_at, id LIMIT $2',
  ],
  [
    LEASE_STATEMENTS.HELD_BY,
    'SELECT id FROM millrace_job FORCE INDEX (job_due) WHERE phase IN (3, 4) AND worker_id = $1 LIMIT $2',
  ],
  [
    LEASE_STATEMENTS.FIRST_LEASE,
    'SELECT due_at FROM millrace_job FORCE INDEX (job_due) WHERE phase IN (3, 4) AND due_at IS NOT NULL LIMIT 1',
  ],
  [
    QUEUE_STATEMENTS.RUNNING,
    // A group is sorted by MariaDB and by MySQL 5.7 unless told not to; their order is nobody's.
    'SELECT queue, count(*) FROM (SELECT queue FROM millrace_job FORCE INDEX (job_due) WHERE phase IN (3, 4) ' +
      'LIMIT 100000) AS n GROUP BY queue ORDER BY NULL',
  ],
  [QUEUE_STATEMENTS.PENDING, counted('millrace_ready WHERE state = 2 AND queue_key = QUEUE($1)')],
  [QUEUE_STATEMENTS.WAITING, counted('millrace_ready WHERE state = $1 AND queue_key = QUEUE($2)')],
  [
    QUEUE_STATEMENTS.CLEARABLE_PENDING,
    'SELECT id FROM millrace_ready WHERE state = 2 AND queue_key = QUEUE($1) LIMIT $2',
  ],
  [
    QUEUE_STATEMENTS.CLEARABLE_WAITING,
    'SELECT id FROM millrace_ready WHERE state = $3 AND queue_key = QUEUE($1) LIMIT $2',
  ],
  [QUEUE_STATEMENTS.FINISHED, counted('millrace_archive WHERE queue_key = QUEUE($1) AND state = $2')],
  [
    QUEUE_STATEMENTS.NEWEST_TIMES,
    QUEUE_STATEMENTS.NEWEST_TIMES.replace(
      'WHERE queue = $1',
      'FORCE INDEX (archive_finished) WHERE queue_key = QUEUE($1)',
    ),
  ],
  [
    MAILBOX_STATEMENTS.NEXT_MESSAGES,
    MAILBOX_STATEMENTS.NEXT_MESSAGES.replace(
      'millrace_message WHERE',
      'millrace_message FORCE INDEX (message_to) WHERE',
    ),
  ],
  [
    MAILBOX_STATEMENTS.FORGET_MESSAGES,
    'DELETE FROM millrace_message WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2',
  ],
  [CONTROL_STATEMENTS.FORGET_IDS, 'DELETE FROM millrace_done WHERE done_at <= $1 ORDER BY done_at LIMIT $2'],
  [
    CONTROL_STATEMENTS.OLD_KEYS,
    CONTROL_STATEMENTS.OLD_KEYS.replace('millrace_unique u ', 'millrace_unique u FORCE INDEX (unique_until) '),
  ],
  [
    CONTROL_STATEMENTS.TOO_OLD,
    CONTROL_STATEMENTS.TOO_OLD.replace(
      'archive a WHERE queue = $1',
      'archive a FORCE INDEX (archive_finished) WHERE queue_key = QUEUE($1)',
    ),
  ],
  [
    // The order of the index, which begins with what ids of a row have in common, is that of the last ids.
    REMEMBERED_STATEMENTS.ROWS,
    'SELECT last_id, first_id, done_at, ids FROM millrace_done FORCE INDEX (done_ids) WHERE ' +
      '(bucket = LEFT(CAST($1 AS BINARY), 10) AND last_id >= $1) OR bucket > LEFT(CAST($1 AS BINARY), 10) ' +
      'ORDER BY bucket, last_id, first_id LIMIT $2',
  ],
  [
    REMEMBERED_STATEMENTS.INSERT,
    REMEMBERED_STATEMENTS.INSERT.replace('(first_id', '(bucket, first_id').replace(
      'SELECT v.first_id, v.last_id, v.done_at, v.ids',
      "SELECT LEFT(v.first_id, 10), v.first_id, v.last_id, v.done_at, CONCAT(',', v.ids, ',')",
    ),
  ],
])
