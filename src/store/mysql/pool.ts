/** The pools of one store over `mysql2`. */
import { Pool } from '../sql/pool.ts'
import { Connection, type Purpose } from './connection.ts'
import { isLost, translateError } from './errors.ts'
import { LateStatements } from './late.ts'
import { describeTarget, type MysqlSettings } from './options.ts'

/** Makes a pool of connections for one purpose. */
export function mysqlPool(settings: MysqlSettings, size: number, purpose: Purpose = 'work'): Pool<Connection> {
  const where = describeTarget(settings)
  const late = new LateStatements(settings)
  return new Pool({
    where,
    size,
    deadlineMs: settings.deadlineMs,
    connect: (timeoutMs, signal) => Connection.open(settings, timeoutMs, purpose, signal),
    isLost,
    translate: (error) => translateError(error, where),
    onLate: ({ threadId }) => late.end(threadId),
  })
}

/** Runs what only reads: a connection that ended while nobody used it costs another try, not an error. */
export async function readOn<T>(pool: Pool<Connection>, fn: (connection: Connection) => Promise<T>): Promise<T> {
  const first = await pool.use(async (connection) => {
    try {
      return { value: await fn(connection) }
    } catch (error) {
      if (!connection.wasUsed || !isLost(error)) throw error
      connection.destroy()
      return null
    }
  })
  return first === null ? pool.use(fn) : first.value
}
