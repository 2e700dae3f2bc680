/** What a running attempt leaves for the next one. Why its payload may move, `sql/checkpoint.ts` says. */
import type { Lease, ReportResult } from '../contract/index.ts'
import { BYTES_FIELD, int } from '../sql/rows.ts'
import type { Connection } from './connection.ts'
import { INSERT_BYTES } from './finish.ts'
import { orLost } from './lease.ts'
import { bytesOf } from './read.ts'

const HELD = 'SELECT payload IS NOT NULL FROM millrace_job WHERE id = ? AND epoch = ? AND worker_id = ? AND state = 3'
const COPY_PAYLOAD =
  'INSERT OR REPLACE INTO millrace_bytes (job_id, field, data) SELECT id, 1, payload FROM millrace_job WHERE id = ?'
const DROP_PAYLOAD = 'UPDATE millrace_job SET payload = NULL WHERE id = ?'

/** See `JobsFacet.saveCheckpoint`. */
export function saveCheckpoint(c: Connection, workerId: string, lease: Lease, bytes: Uint8Array): ReportResult {
  const { id, epoch } = lease
  const held = c.get(HELD, id, epoch, workerId)
  if (held === undefined) return 'lost'
  if (epoch === 1 && int(held[0]) === 1) {
    const moved = orLost(() => {
      c.sql(COPY_PAYLOAD).run(id)
      return c.sql(DROP_PAYLOAD).run(id)
    })
    // A damaged row stays as it is; what was copied of it is overwritten or goes with it.
    if (moved === undefined) return 'lost'
  }
  c.sql(INSERT_BYTES).run(id, BYTES_FIELD.checkpoint, bytes)
  return 'written'
}

/** See `JobsFacet.checkpoint`. */
export function readCheckpoint(c: Connection, id: string): Uint8Array | null {
  return bytesOf(c, id, BYTES_FIELD.checkpoint)
}
