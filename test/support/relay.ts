/**
 * A process that passes connections on: from where it listens to where it connects, each `{ "path" }` or `{ "host", "port" }` as
 * JSON. It says `listens PORT`, PORT is undefined for a path. Ends with whoever started it.
 */
import { connect, createServer, type NetConnectOpts } from 'node:net'
import { exitWithParent } from './parent.ts'

exitWithParent()
const [, , from = '{}', to = '{}'] = process.argv
// test/support/cable.ts wrote it.
const target = JSON.parse(to) as NetConnectOpts
const listener = createServer((near) => {
  const far = connect(target)
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    one.setNoDelay(true)
    one.pipe(other)
    one.on('error', () => undefined)
    one.on('close', () => other.destroy())
  }
})
listener.listen(JSON.parse(from), () => {
  const address = listener.address()
  console.log(`listens ${typeof address === 'object' ? address?.port : undefined}`)
})
