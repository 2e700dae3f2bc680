/**
 * Vacuum of the hot table under load. A claim from the head of its index (see front.ts) steps over the entries of all jobs
 * that are gone until a vacuum takes them out. Autovacuum looks once a minute by default, in which a busy worker leaves a
 * million behind. So a store that has settled many jobs asks for a vacuum itself: seldom, since each walks every index.
 *
 * It costs at most one part in 20 of the time, passes when another vacuum is at work, and a role that may not vacuum is
 * told so by the server in a warning that nobody hears: then it is autovacuum's alone, as before.
 *
 * A vacuum that is ended has done next to nothing, and of a large table it takes minutes. So it has five, on a connection of its
 * own that is no call's, and ends with its store: on the server too, where that can tell (PostgreSQL 14 and newer, no pooler in
 * between). No more, since a migration that alters the table has to wait for it.
 */
import { Connection } from './connection.ts'
import type { PostgresDatabase } from './database.ts'

const EACH_JOBS = 200_000
/** A pause of so many times what the last one took. */
const REST = 20
const CONNECT_MS = 10_000
/** How long one may take: well below what a migration waits for a lock (`MIGRATION_WAIT_S`). A timer here ends it. */
const LONGEST_MS = 300_000
const VACUUM = 'VACUUM (TRUNCATE false, SKIP_LOCKED) millrace_job'
/** Otherwise a server learns only from its answer that nobody waits for it. */
const ENDS_WITH_CLIENT = "SET client_connection_check_interval = '1s'"

/** Vacuums the hot table when many jobs have left it. */
export class Vacuum {
  readonly #db: PostgresDatabase
  #settled = 0
  #notBefore = 0
  #isRunning = false
  /** Ends what is under way. */
  #ending = new AbortController()

  constructor(db: PostgresDatabase) {
    this.#db = db
  }

  /** Counts jobs that left the hot table; vacuums it, beside the caller's way, when there were many. */
  settled(count: number): void {
    this.#settled += count
    if (this.#settled < EACH_JOBS || this.#isRunning || performance.now() < this.#notBefore) return
    this.#settled = 0
    this.#isRunning = true
    void this.#run()
  }

  /** Ends what is under way. */
  close(): void {
    this.#ending.abort()
  }

  async #run(): Promise<void> {
    const from = performance.now()
    this.#ending = new AbortController()
    const { signal } = this.#ending
    // What fails here fails nobody: autovacuum does the same work, later.
    await this.#db.pool.apart(() => this.#vacuum(signal)).catch(() => undefined)
    this.#notBefore = performance.now() + REST * (performance.now() - from)
    this.#isRunning = false
  }

  async #vacuum(signal: AbortSignal): Promise<void> {
    const { dialect, settings } = this.#db
    // The server's own limits, which are parts of a deadline, come after that timer.
    const connection = await Connection.open({ ...settings, deadlineMs: 2 * LONGEST_MS }, CONNECT_MS, signal)
    const giveUp = () => connection.destroy()
    const timer = setTimeout(giveUp, LONGEST_MS)
    signal.addEventListener('abort', giveUp)
    if (signal.aborted) giveUp()
    try {
      // Behind a pooler the session is not ours to set; and older servers do not know it.
      if (settings.pooler === 'none') await connection.run(ENDS_WITH_CLIENT).catch(() => undefined)
      await connection.run(dialect.compile(VACUUM))
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
      if (!connection.isBroken) await connection.close()
    }
  }
}
