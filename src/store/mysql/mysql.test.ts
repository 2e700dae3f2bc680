import { describeOn } from '../../../test/support/servers.ts'
import { describeStore } from '../conformance/index.ts'
import { createMysqlStore } from './store.ts'

await describeOn('mysql', (server) => {
  describeStore('mysql', async (options) => {
    const url = server.borrowUrl()
    await server.create(url)
    const open = async () => {
      const store = createMysqlStore({ url, ...options })
      await store.open()
      return store
    }
    const store = await open()
    const close = async () => {
      await store.close()
      await server.giveBack(url)
    }
    return { store, reopen: open, close, url }
  })
})
