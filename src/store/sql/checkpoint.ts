/**
 * What a running attempt leaves for the next one. It stands beside its job among the large values, so that it goes wherever they
 * go. The fast statements that leave nothing of a job but its id look at its row alone: at its first claim, which is all they take,
 * the payload of a job with a checkpoint moves beside it too, which tells them that there is more.
 */
import type { Lease, ReportResult } from '../contract/index.ts'
import { BYTES_FIELD, int } from './rows.ts'
import type { Session, Transaction } from './session.ts'

const LOCK_HELD =
  'SELECT epoch, CASE WHEN payload IS NULL THEN 0 ELSE 1 END AS is_inline FROM millrace_job WHERE id = $1 AND epoch = $2 ' +
  'AND worker_id = $3 AND state = 3 FOR UPDATE'
const MOVE_PAYLOAD = [
  'INSERT INTO millrace_bytes (job_id, field, data) SELECT id, 1, payload FROM millrace_job WHERE id = $1',
  'UPDATE millrace_job SET payload = NULL WHERE id = $1',
] as const
const REPLACE = 'UPDATE millrace_bytes SET data = $1 WHERE job_id = $2 AND field = $3'
const INSERT = 'INSERT INTO millrace_bytes (job_id, field, data) VALUES ($1, $2, $3)'
const READ = 'SELECT data FROM millrace_bytes WHERE job_id = $1 AND field = $2'

/** See `JobsFacet.saveCheckpoint`. */
export async function saveCheckpoint(
  tx: Transaction,
  workerId: string,
  { id, epoch }: Lease,
  bytes: Uint8Array,
): Promise<ReportResult> {
  const [held] = (await tx.query(LOCK_HELD, [id, epoch, workerId])).rows
  if (held === undefined) return 'lost'
  const isFirst = epoch === 1 && int(held[1]) === 1
  if (isFirst) for (const sql of MOVE_PAYLOAD) await tx.query(sql, [id])
  const { changes } = await tx.query(REPLACE, [bytes, id, BYTES_FIELD.checkpoint])
  if (changes === 0) await tx.query(INSERT, [id, BYTES_FIELD.checkpoint, bytes])
  return 'written'
}

/** See `JobsFacet.checkpoint`. */
export async function readCheckpoint(session: Session, id: string): Promise<Uint8Array | null> {
  const data = (await session.query(READ, [id, BYTES_FIELD.checkpoint])).rows[0]?.[0]
  return data instanceof Uint8Array ? data : null
}
