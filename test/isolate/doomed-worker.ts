/** A worker that is going to be killed: says which process runs its job, and what the handler has said. */
import { Millrace } from '../../src/index.ts'
import { exitWithParent } from '../support/parent.ts'
import { ENTRY } from './entry.ts'
import { inProcess } from './handlers.ts'

exitWithParent()
const how = process.argv[2] ?? 'idle'
const mill = await Millrace.open({ store: 'memory:' })
mill.work([inProcess], { entry: ENTRY })

const first = await mill.enqueue(inProcess, { how: 'pid' })
console.log(`isolate ${await first.result({ timeout: '30s' })}`)
if (how !== 'idle') {
  const { id } = await mill.enqueue(inProcess, { how })
  for (let line = ''; line === ''; ) {
    await new Promise(setImmediate)
    line = (await mill.logs(id))[0]?.message ?? ''
    if (line !== '') console.log(`handler said ${line}`)
  }
}
