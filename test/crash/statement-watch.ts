/**
 * Hears of every statement that this process sends, whatever its driver. The drivers' own classes are watched, at the place
 * where a statement leaves: `node:sqlite` as it runs one, `pg` as it writes one to its socket, `mysql2` as it writes a command.
 */
import { DatabaseSync, StatementSync } from 'node:sqlite'

/** What is told. */
export interface Listener {
  /** Right before a statement, `isCommit` when it makes a write durable; on a server also right after it was sent. */
  statement(isCommit: boolean): void
  /** Before the first statement of a session with a server, by the server's number. */
  session(id: number): void
}

/** Begins to watch the connections to stores of a kind. */
export const WATCHES = { sqlite: watchSqlite, postgres: watchPostgres, mysql: watchMysql } as const satisfies Readonly<
  Record<string, (listener: Listener) => void | Promise<void>>
>

function watchSqlite(listener: Listener): void {
  const told = (sql: string) => listener.statement(sql === 'COMMIT')
  for (const name of ['run', 'get', 'all'] as const) {
    const original: (...values: never[]) => unknown = StatementSync.prototype[name]
    Object.assign(StatementSync.prototype, {
      [name](this: StatementSync, ...values: never[]) {
        told(this.sourceSQL)
        return original.apply(this, values)
      },
    })
  }
  const exec = DatabaseSync.prototype.exec
  DatabaseSync.prototype.exec = function (sql) {
    // A text of many statements, like a migration, is as many chances to die.
    for (const one of sql.split(/;\s*(?=\n|PRAGMA|$)/).filter((part) => part.trim() !== '')) {
      told(one)
      exec.call(this, one)
    }
  }
}

/** A statement outside of a transaction is its own commit. */
async function watchPostgres({ statement, session }: Listener): Promise<void> {
  const { Client, Query } = (await import('pg')).default
  const known = new Set<number>()
  const query: (...values: never[]) => unknown = Client.prototype.query
  Object.assign(Client.prototype, {
    query(this: { readonly processID: number }, ...values: never[]) {
      if (!known.has(this.processID)) session(this.processID)
      known.add(this.processID)
      return query.apply(this, values)
    },
  })
  const inside = new WeakSet<object>()
  const submit = Query.prototype.submit
  Query.prototype.submit = function (connection) {
    // What the driver was given, whether a name stands for it by now or not.
    const text = String((this as unknown as { readonly text: unknown }).text)
    const isInside = inside.has(connection)
    if (/^BEGIN\b/.test(text)) inside.add(connection)
    if (/^(COMMIT|ROLLBACK)\b/.test(text)) inside.delete(connection)
    statement(text === 'COMMIT' || (!isInside && /^(WITH|INSERT|UPDATE|DELETE)\b/.test(text)))
    const result = submit.call(this, connection)
    statement(false)
    return result
  }
}

/** The first letter of a command that carries text, and that of a transaction's end in this store: see mysql/connection.ts. */
const QUERY = 3
const COMMIT = /^COMMIT$/

/** What the driver keeps to itself of a connection and a packet. */
interface Sender {
  readonly threadId: number
  readonly sequenceId: number
  writePacket(packet: { readonly buffer: Buffer }): void
}

async function watchMysql({ statement, session }: Listener): Promise<void> {
  const known = new Set<number>()
  const { Connection } = (await import('mysql2')).default
  // No type tells of it, and it is the one place that every command passes when its turn has come.
  const prototype = Connection.prototype as unknown as Sender
  const write = prototype.writePacket
  prototype.writePacket = function (packet) {
    // A greeting goes on with the numbers of the server's; a command begins with 0.
    if (this.sequenceId !== 0) return write.call(this, packet)
    if (!known.has(this.threadId)) session(this.threadId)
    known.add(this.threadId)
    // Before the command stands the packet's head of four bytes.
    statement(packet.buffer[4] === QUERY && COMMIT.test(packet.buffer.toString('utf8', 5)))
    write.call(this, packet)
    statement(false)
  }
}
