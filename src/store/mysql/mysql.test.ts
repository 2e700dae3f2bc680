import { createConnection } from 'mysql2/promise'
import { describeOn } from '../../../test/support/servers.ts'
import { describeStore } from '../conformance/index.ts'
import { createMysqlStore } from './store.ts'

await describeOn('mysql', (server) => {
  // The least that a worker may: docs/mysql.md says what that is.
  describeStore('mysql, as worker', async (options) => {
    const url = server.borrowUrl()
    await server.create(url)
    const roles = await server.rolesOf(url)
    const migrator = createMysqlStore({ url: roles.migrator })
    await migrator.open()
    await migrator.migrate()
    await migrator.close()
    const open = async () => {
      const store = createMysqlStore({ url: roles.worker, ...options })
      await store.open()
      return store
    }
    const store = await open()
    const close = async () => {
      await store.close()
      await server.giveBack(url)
    }
    const begin = async () => {
      const tx = await createConnection(roles.worker)
      await tx.beginTransaction()
      const end = async (how: 'commit' | 'rollback') => {
        await tx[how]()
        await tx.end()
      }
      return { tx, end }
    }
    return { store, begin, reopen: open, close, url: roles.worker }
  })
})
