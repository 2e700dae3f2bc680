/** What a database does by itself within a minute of being filled, done at once, so that every side is measured as it runs on. */
import { options } from './timing.js'

/**
 * On PostgreSQL: vacuums and analyzes the database. Without its statistics a peer's plans may be those of an empty table
 * (graphile-worker: 12,000 jobs a second instead of 30,000 of 100,000). MySQL counts as it writes; SQLite's stores count nothing.
 */
export async function analyze() {
  if (options.url?.startsWith('postgres') !== true) return
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: options.url })
  await client.connect()
  await client.query('VACUUM (ANALYZE)')
  await client.end()
}
