/** Shared statements that PostgreSQL is asked in other words: remembered ids have no key, many share a row. */
import { CONTROL_STATEMENTS } from '../sql/control.ts'

/** The other words, by the shared ones. */
export const OVERRIDES: ReadonlyMap<string, string> = new Map([
  [
    CONTROL_STATEMENTS.FORGET_IDS,
    'DELETE FROM millrace_done WHERE ctid = ANY (ARRAY(SELECT ctid FROM millrace_done WHERE done_at <= $1 ORDER BY done_at ' +
      'LIMIT $2 FOR UPDATE SKIP LOCKED))',
  ],
])
