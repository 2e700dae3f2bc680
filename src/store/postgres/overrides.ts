/** Shared statements that PostgreSQL is asked in other words: about remembered ids, many of which share a row. */
import { CONTROL_STATEMENTS } from '../sql/control.ts'
import { LEDGER_STATEMENTS } from '../sql/ledger.ts'

/** The other words, by the shared ones. */
export const OVERRIDES: ReadonlyMap<string, string> = new Map([
  [LEDGER_STATEMENTS.REMEMBERED, 'SELECT v.id, 5, 1 FROM unnest($1::text[]) AS v(id) WHERE REMEMBERED(v.id)'],
  [
    CONTROL_STATEMENTS.FORGET_IDS,
    'DELETE FROM millrace_done WHERE ctid = ANY (ARRAY(SELECT ctid FROM millrace_done WHERE done_at <= $1 ORDER BY done_at ' +
      'LIMIT $2 FOR UPDATE SKIP LOCKED))',
  ],
])
