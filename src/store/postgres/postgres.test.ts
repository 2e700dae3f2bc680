import pg from 'pg'
import { describeOn } from '../../../test/support/servers.ts'
import { describeStore } from '../conformance/index.ts'
import { createPostgresStore } from './store.ts'

// The suite asks what is written, not whether a power cut spares it: waiting for the disk costs most of its time.
process.env.PGOPTIONS = '-c synchronous_commit=off'

await describeOn('postgres', (server) => {
  // The least that a worker may: docs/postgresql.md says what that is.
  describeStore('postgres, as worker', async (options) => {
    const url = server.borrowUrl()
    const roles = await server.rolesOf(url)
    const migrator = createPostgresStore({ url: roles.migrator })
    await migrator.open()
    await migrator.migrate()
    await migrator.close()
    const open = async () => {
      const store = createPostgresStore({ url: roles.worker, ...options })
      await store.open()
      return store
    }
    const store = await open()
    const close = async () => {
      await store.close()
      await server.giveBack(url)
    }
    const begin = async () => {
      const tx = new pg.Client({ connectionString: roles.worker })
      await tx.connect()
      await tx.query('BEGIN')
      const end = async (how: 'commit' | 'rollback') => {
        await tx.query(how)
        await tx.end()
      }
      return { tx, end }
    }
    return { store, begin, reopen: open, close, url: roles.worker }
  })
})
