/** Messages to workers and nodes: each is a row until it is taken or its time is over. */
import { MESSAGES_AT_ONCE, type Message, type NewMessage } from '../contract/index.ts'
import { MESSAGE_COLUMNS, messagesOf } from '../sql/mailbox.ts'
import { int } from '../sql/rows.ts'
import type { Connection } from './connection.ts'

const POST = `INSERT INTO millrace_message (${MESSAGE_COLUMNS}) VALUES (?, ?, ?, ?, ?)`
const HAS_MESSAGES = 'SELECT 1 FROM millrace_message WHERE recipient = ? AND expires_at > ? LIMIT 1'
const NEXT_MESSAGES =
  `SELECT seq, ${MESSAGE_COLUMNS} FROM millrace_message WHERE recipient = ? AND expires_at > ? ORDER BY seq ` +
  `LIMIT ${MESSAGES_AT_ONCE}`
const DELETE = 'DELETE FROM millrace_message WHERE seq = ?'
const FORGET_MESSAGES =
  'DELETE FROM millrace_message WHERE seq IN (SELECT seq FROM millrace_message WHERE expires_at <= ? ORDER BY expires_at LIMIT ? + 0)'

/** The statements of this file, for the test of their plans. */
export const MAILBOX_STATEMENTS = { HAS_MESSAGES, NEXT_MESSAGES, FORGET_MESSAGES } as const

/** See `ClusterFacet.post`. */
export function post(c: Connection, { to, verb, by, ttlMs }: NewMessage): void {
  const now = c.now()
  c.sql(POST).run(to, verb, by, now, Math.floor(now + ttlMs))
}

/** Whether a message waits for this worker or node. */
export function hasMessages(c: Connection, to: string): boolean {
  return c.get(HAS_MESSAGES, to, c.now()) !== undefined
}

/** See `ClusterFacet.take`. */
export function take(c: Connection, to: string): readonly Message[] {
  const rows = c.all(NEXT_MESSAGES, to, c.now())
  for (const [seq] of rows) c.sql(DELETE).run(int(seq))
  return messagesOf(rows.map(([, ...columns]) => columns))
}

/** Deletes messages whose time is over, the longest over first. */
export function forgetMessages(c: Connection, now: number, limit: number): void {
  c.sql(FORGET_MESSAGES).run(now, limit)
}
