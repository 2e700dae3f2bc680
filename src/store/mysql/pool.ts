/** The pools of one store over `mysql2`. */
import { Pool, type Tries } from '../sql/pool.ts'
import { Connection } from './connection.ts'
import { isLost, numberOf, translateError } from './errors.ts'
import { LateStatements } from './late.ts'
import { describeTarget, type MysqlSettings } from './options.ts'
import type { Purpose } from './prepare.ts'

/** Waited for a lock in vain. */
const WAITED = 1205

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
  const tries = pool.tries()
  const read = async (connection: Connection) => {
    try {
      return { value: await fn(connection) }
    } catch (error) {
      if (!connection.wasUsed || !isLost(error)) throw error
      connection.destroy()
      return null
    }
  }
  const first = await pool.use(read, 'ordinary', tries)
  return first === null ? pool.use(fn, 'ordinary', tries) : first.value
}

/** Notes among the tries of a call that one failed since it waited for a lock in vain. To be called before anything else is sent. */
export function noteWait(tries: Tries, error: unknown): void {
  if (numberOf(error) === WAITED) tries.waited = error
}
