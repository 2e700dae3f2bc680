import { describeOn } from '../../../test/support/servers.ts'
import { describeStore } from '../conformance/index.ts'
import { createPostgresStore } from './store.ts'

// The suite asks what is written, not whether a power cut spares it: waiting for the disk costs most of its time.
process.env.PGOPTIONS = '-c synchronous_commit=off'

await describeOn('postgres', (server) => {
  describeStore('postgres', async (options) => {
    const url = server.borrowUrl()
    const open = async () => {
      const store = createPostgresStore({ url, ...options })
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
