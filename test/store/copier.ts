/** A process that copies one store into another and says each page. Arguments: both URLs. */
import { copyStore } from '../../src/cli/copy-store.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import { exitWithParent } from '../support/parent.ts'

exitWithParent()
const [, , fromUrl = '', toUrl = ''] = process.argv
const [from, to] = await Promise.all([fromUrl, toUrl].map((url) => createStore(url)))
if (from === undefined || to === undefined) throw new Error('two URLs are needed')
await Promise.all([from.open(), to.open()])
await to.migrate()
const report = await copyStore(from, to, { onProgress: ({ step, done }) => console.log(`${step} ${done}`) })
console.log(`report ${JSON.stringify(report)}`)
await Promise.all([from.close(), to.close()])
process.exit(0)
