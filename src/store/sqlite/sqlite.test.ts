import { DatabaseSync } from 'node:sqlite'
import { tempStorePath } from '../../../test/support/temp-store.ts'
import { describeStore } from '../conformance/index.ts'
import { createSqliteStore } from './store.ts'

describeStore('sqlite', async (options) => {
  const path = tempStorePath()
  const open = async () => {
    const store = createSqliteStore({ path, durability: 'normal', ...options })
    await store.open()
    return store
  }
  const store = await open()
  const begin = async () => {
    const tx = new DatabaseSync(path)
    tx.exec('BEGIN IMMEDIATE')
    const end = async (how: 'commit' | 'rollback') => {
      tx.exec(how)
      tx.close()
    }
    return { tx, end }
  }
  return { store, begin, reopen: open, close: () => store.close(), url: `sqlite:${path}` }
})
