/** Messages to workers and nodes: each is a row until it is taken or its time is over. */
import { MESSAGES_AT_ONCE, type Message, type NewMessage, readVerb } from '../contract/index.ts'
import { type Columns, int, text } from './rows.ts'
import { type Database, type RowsStatement, rowsJson, type Transaction } from './session.ts'

const POST =
  'INSERT INTO millrace_message (recipient, verb, posted_by, posted_at, expires_at) VALUES ($1, $2, $3, $4, $5)'
const HAS_MESSAGES = 'SELECT 1 FROM millrace_message WHERE recipient = $1 LIMIT 1'
/** What `messagesOf` reads, in its order. */
export const MESSAGE_COLUMNS = 'recipient, verb, posted_by, posted_at, expires_at'
// Two who take for the same one at a time share what there is: neither waits, and none is given twice.
const NEXT_MESSAGES =
  `SELECT seq, ${MESSAGE_COLUMNS} FROM millrace_message WHERE recipient = $1 AND expires_at > $2 ORDER BY seq ` +
  `LIMIT ${MESSAGES_AT_ONCE} FOR UPDATE SKIP LOCKED`
const DELETE: RowsStatement = { write: 'delete', table: 'message', key: { seq: 'int' } }
const FORGET_MESSAGES =
  'DELETE FROM millrace_message WHERE seq IN (SELECT seq FROM millrace_message WHERE expires_at <= $1 ORDER BY expires_at ' +
  'LIMIT $2 FOR UPDATE SKIP LOCKED)'

/** The statements of this file, for the tests of their plans. */
export const MAILBOX_STATEMENTS = { HAS_MESSAGES, NEXT_MESSAGES, FORGET_MESSAGES } as const

/** See `ClusterFacet.post`. */
export async function post(tx: Transaction, { to, verb, by, ttlMs }: NewMessage): Promise<void> {
  await tx.query(POST, [to, verb, by, tx.now, Math.floor(tx.now + ttlMs)])
}

/** See `ClusterFacet.take`. Most of the time there is none: one reading says so. */
export async function take(db: Pick<Database, 'read' | 'transact'>, to: string): Promise<readonly Message[]> {
  const { rows } = await db.read((session) => session.query(HAS_MESSAGES, [to]))
  return rows.length === 0 ? [] : db.transact((tx) => takeOut(tx, to), 'urgent')
}

async function takeOut(tx: Transaction, to: string): Promise<readonly Message[]> {
  const { rows } = await tx.query(NEXT_MESSAGES, [to, tx.now])
  if (rows.length === 0) return []
  await tx.query(DELETE, [rowsJson(rows.map(([seq]) => ({ seq: int(seq) })))])
  return messagesOf(rows.map(([, ...columns]) => columns))
}

/** Deletes messages whose time is over, the longest over first. */
export async function forgetMessages(tx: Transaction, limit: number): Promise<void> {
  await tx.query(FORGET_MESSAGES, [tx.now, limit])
}

/** Rows of `MESSAGE_COLUMNS` as messages; one that asks for what this version does not know is left out. */
export function messagesOf(rows: readonly Columns[]): readonly Message[] {
  return rows.flatMap((row) => {
    const verb = readVerb(row[1])
    if (verb === null) return []
    return [{ to: text(row[0]), verb, by: text(row[2]), postedAt: int(row[3]), expiresAt: int(row[4]) }]
  })
}
