/** The whole suite as worker through PgBouncer in transaction mode, where no session is ours for longer than a transaction. */
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { lacks } from '../../../test/support/needs.ts'
import { pgbouncerProgram, startPgbouncer } from '../../../test/support/pgbouncer.ts'
import { describeOn } from '../../../test/support/servers.ts'
import { tally } from '../../../test/support/tally.ts'
import { describeStore, type OpenStore } from '../conformance/index.ts'
import { createPostgresStore } from './store.ts'

const program = pgbouncerProgram()

describe.skipIf(lacks('pgbouncer', program !== null))('through PgBouncer', async () => {
  if (program === null) return
  await describeOn('postgres', async (server) => {
    const user = decodeURIComponent(new URL(server.url).username)
    const through = await startPgbouncer(program, server.url, [`stats_users = ${user}`])
    // What is borrowed comes back with its tables.
    const migrated = new Set<string>()
    const open: OpenStore = async (options) => {
      const direct = server.borrowUrl()
      const roles = await server.rolesOf(direct)
      if (!migrated.has(direct)) {
        const migrator = createPostgresStore({ url: through(roles.migrator) })
        await migrator.open()
        await migrator.migrate()
        await migrator.close()
        migrated.add(direct)
      }
      const url = through(roles.worker)
      const reopen = async () => {
        const store = createPostgresStore({ url, ...options })
        await store.open()
        return store
      }
      const store = await reopen()
      const close = async () => {
        await store.close()
        await server.giveBack(direct)
      }
      // The app's own transaction goes through the pooler too.
      const begin = async () => {
        const tx = new pg.Client({ connectionString: url })
        await tx.connect()
        await tx.query('BEGIN')
        const end = async (how: 'commit' | 'rollback') => {
          await tx.query(how)
          await tx.end()
        }
        return { tx, end }
      }
      return { store, begin, reopen, close, url }
    }
    // Each statement is planned anew here, which makes the sequences slow; the driver itself is held to all of them.
    describeStore('postgres behind a pooler, as worker', open, { sequences: 10 })

    it('says that nobody is notified: what is new is found by polling', async () => {
      const store = createPostgresStore({ url: through(server.freshUrl()) })

      expect(store.capabilities.push).toBe(false)
    })

    it('took a session of the server for each transaction, and so gave few to many', async () => {
      const console = new URL(through(server.url))
      console.pathname = '/pgbouncer'
      console.search = ''
      const client = new pg.Client({ connectionString: console.href })
      await client.connect()
      const { rows } = await client.query('SHOW STATS_TOTALS')
      await client.end()

      const transactions = rows.reduce((sum, row) => sum + Number(row.xact_count), 0)
      tally({ transactions })
      expect(transactions).toBeGreaterThan(1_000)
    })
  })
})
