/**
 * Vacuum of the hot table under load. A claim from the head of its index (see front.ts) steps over the entries of all jobs
 * that are gone until a vacuum takes them out. Autovacuum looks once a minute by default, in which a busy worker leaves a
 * million behind. So a store that has settled many jobs asks for a vacuum itself: seldom, since each walks every index.
 *
 * It costs at most one part in 20 of the time, passes when another vacuum is at work, and a role that may not vacuum is
 * told so by the server in a warning that nobody hears: then it is autovacuum's alone, as before.
 */
import type { PostgresDatabase } from './database.ts'

const EACH_JOBS = 200_000
/** A pause of so many times what the last one took. */
const REST = 20
const VACUUM = 'VACUUM (TRUNCATE false, SKIP_LOCKED) millrace_job'

/** Vacuums the hot table when many jobs have left it. */
export class Vacuum {
  readonly #db: PostgresDatabase
  #settled = 0
  #notBefore = 0
  #isRunning = false

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

  async #run(): Promise<void> {
    const from = performance.now()
    const text = this.#db.dialect.compile(VACUUM)
    // What fails here fails nobody: autovacuum does the same work, later.
    await this.#db.pool.use((connection) => connection.run(text)).catch(() => undefined)
    this.#notBefore = performance.now() + REST * (performance.now() - from)
    this.#isRunning = false
  }
}
