import { describeStore } from '../conformance/index.ts'
import { createMemoryStore } from './store.ts'

describeStore('memory', async (options) => {
  const store = createMemoryStore(options)
  await store.open()
  return { store, reopen: async () => store, close: () => store.close() }
})
