/**
 * Ends what a server still does for connections that were given up. A client that goes away ends nothing by itself: a long
 * statement runs on to its end with all its locks. MariaDB ends any statement at the deadline (`max_statement_time`), MySQL
 * only a SELECT (`max_execution_time`). So whoever gives a connection up at its deadline has the server told by another one.
 *
 * It is a help and no more: one short connection at a time, within a second each to connect and to say it, and none for a
 * while after that went wrong, since a server that is out of reach is the usual reason of being late.
 */
import { Connection } from './connection.ts'
import type { MysqlSettings } from './options.ts'

/** How long connecting may take, and what is said then, in milliseconds. */
const WITHIN_MS = 1_000
/** So long nobody tries after it went wrong, in milliseconds. */
const AGAIN_MS = 5_000
const ANY_OF_OURS = '%millrace\\_%'
const IS_OURS = 'SELECT 1 FROM information_schema.processlist WHERE id = ? AND db = database() AND info LIKE ?'

/** The statements of one store that are past their deadline. */
export class LateStatements {
  readonly #settings: MysqlSettings
  readonly #threads: number[] = []
  #ending: Promise<void> | undefined
  #notBefore = 0

  constructor(settings: MysqlSettings) {
    this.#settings = settings
  }

  /** Ends a connection on the server, by its number there, if it runs a statement of ours. Resolves when that was tried. */
  end(threadId: number | undefined): Promise<void> {
    if (threadId === undefined || performance.now() < this.#notBefore) return Promise.resolve()
    this.#threads.push(threadId)
    this.#ending ??= this.#endAll()
    return this.#ending
  }

  async #endAll(): Promise<void> {
    while (this.#threads.length > 0) {
      try {
        await endThreads(this.#settings, this.#threads.splice(0), ANY_OF_OURS)
      } catch {
        // Out of reach, or refused: then the statement ends by itself, as it would have without us.
        this.#notBefore = performance.now() + AGAIN_MS
        this.#threads.length = 0
      }
    }
    this.#ending = undefined
  }
}

/**
 * Ends connections on the server, by their numbers there, by a connection of its own: those that run a statement like this.
 * Rejects when the server cannot be told within two seconds.
 */
export async function endThreads(settings: MysqlSettings, threadIds: readonly number[], like: string): Promise<void> {
  const other = await Connection.open(settings, WITHIN_MS)
  const late = setTimeout(() => other.destroy(), WITHIN_MS)
  try {
    for (const threadId of threadIds) {
      // Behind a balancer the number may be another server's, or somebody else's.
      const { rows } = await other.execute(IS_OURS, [threadId, like])
      // allow sql: a number
      if (rows.length > 0) await other.run(`KILL ${Number(threadId)}`)
    }
  } finally {
    clearTimeout(late)
    other.destroy()
  }
}
