/**
 * `notify` of a caller's transaction: its commit itself is to wake whoever waits. These servers have nothing to listen to, and
 * the one row that counts hints would be locked until the caller commits, and everybody's hints with it. So the transaction
 * writes a row of its own, a notice, which locks nobody: with its commit the notice is there, with a rollback it never was.
 * Numbers of notices are given out before the commit, so a later one may come first: any that is there is news, whatever its number.
 *
 * Who waits sees notices beside what it looks at anyway (wake.ts). The first one who does takes them away, and then counts up the
 * hints, so that all others hear of them in the usual way: a worker that has no use for the job, too, tells those that do. Not in
 * one transaction: a program that stood still in it would hold the row of everybody's hints. One that dies in between loses a hint,
 * as may happen to any. Where nobody waits, notices stay until somebody does.
 */
import { int } from '../sql/rows.ts'
import { type RowsStatement, rowsJson, type Session, type Transaction } from '../sql/session.ts'
import type { MysqlDatabase } from './database.ts'

const GIVE = 'INSERT INTO millrace_notice (given_at) VALUES ($1)'
// Two who take at a time share what there is.
const NEXT = 'SELECT seq FROM millrace_notice ORDER BY seq LIMIT 1000 FOR UPDATE SKIP LOCKED'
const TAKE: RowsStatement = { write: 'delete', table: 'notice', key: { seq: 'int' } }
const COUNT_UP = 'UPDATE millrace_signal SET count = count + 1 WHERE id = 1'

/** Leaves a notice in a caller's transaction: its commit wakes whoever waits. */
export async function giveNotice(tx: Transaction): Promise<void> {
  await tx.query(GIVE, [tx.now])
}

/** Tells everybody that something changed. */
export async function countHint(session: Session): Promise<void> {
  await session.query(COUNT_UP)
}

/** Takes away notices whose transactions were committed, 1,000 at most, and gives how many: none where somebody else is taking them. */
export function takeNotices(db: MysqlDatabase): Promise<number> {
  return db.transact(async (tx) => {
    const { rows } = await tx.query(NEXT)
    if (rows.length > 0) await tx.query(TAKE, [rowsJson(rows.map(([seq]) => ({ seq: int(seq) })))])
    return rows.length
  })
}
