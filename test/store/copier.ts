/**
 * A process that copies one store into another and says each page. Arguments: both URLs; then, if it is to end itself by SIGKILL,
 * the part and the moment: `written`, when a page of it is in the target and before the note of that, or `noted`, right after.
 */
import { copyStore } from '../../src/cli/copy-store.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import type { CopyFacet, StateFacet, Store } from '../../src/store/contract/index.ts'
import { exitWithParent } from '../support/parent.ts'

exitWithParent()
const [, , fromUrl = '', toUrl = '', part, moment] = process.argv
const [from, to] = await Promise.all([fromUrl, toUrl].map((url) => createStore(url)))
if (from === undefined || to === undefined) throw new Error('two URLs are needed')
await Promise.all([from.open(), to.open()])
await to.migrate()
const target = part === undefined ? to : mortal(to, part, moment === 'written')
const report = await copyStore(from, target, { onProgress: ({ step, done }) => console.log(`${step} ${done}`) })
console.log(`report ${JSON.stringify(report)}`)
await Promise.all([from.close(), to.close()])
process.exit(0)

/** The same store, whose process dies when a page of that part was written, or when that was noted. */
function mortal(store: Store, part: string, diesAtOnce: boolean): Store {
  let isWritten = false
  const copy: CopyFacet = {
    read: (...args) => store.copy.read(...args),
    async write(written, items) {
      await store.copy.write(written, items)
      isWritten = written === part
      if (isWritten && diesAtOnce) await die()
    },
  }
  const state: StateFacet = {
    get: (key) => store.state.get(key),
    list: (...args) => store.state.list(...args),
    async put(...args) {
      const version = await store.state.put(...args)
      if (isWritten) await die()
      return version
    },
  }
  return new Proxy(store, {
    get: (target, key) => (key === 'copy' ? copy : key === 'state' ? state : Reflect.get(target, key)),
  })
}

async function die(): Promise<never> {
  process.kill(process.pid, 'SIGKILL')
  // The signal ends it; nothing more may happen until it has.
  return new Promise(() => undefined)
}
