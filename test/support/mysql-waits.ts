/** Waiting until a session waits for a lock of MySQL's or MariaDB's. */
import type { Connection, RowDataPacket } from 'mysql2/promise'

/** One row for each session in the database of the test that waits for a lock. */
export const WAITING_FOR_A_LOCK =
  'SELECT t.trx_id FROM information_schema.innodb_trx t JOIN information_schema.processlist p ' +
  "ON p.id = t.trx_mysql_thread_id WHERE t.trx_state = 'LOCK WAIT' AND p.db = database()"

/**
 * InnoDB tells of transactions what it has told before, unless nobody has asked for 100 ms: who asks each 20 ms is told of the
 * same moment for ever. Other tests ask the same server, too.
 */
export const ASK_AGAIN_MS = 250

/** Asks on `client`, a session in the database of the test, until another one there waits for a lock. */
export async function untilSomebodyWaits(client: Connection): Promise<void> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const [rows] = await client.query<RowDataPacket[]>(WAITING_FOR_A_LOCK)
    if (rows.length > 0) return
    if (performance.now() > deadline) throw new Error('nobody waited for a lock within 20 s')
    await client.query('DO sleep(?)', [ASK_AGAIN_MS / 1_000])
  }
}
