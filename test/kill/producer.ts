/**
 * A process that enqueues until it is killed: single jobs, many in flight, and batches. It writes down each promise before
 * it asks and each answer. Arguments: the store, the log.
 */
import { appendFileSync } from 'node:fs'
import { defineJob, Millrace } from '../../src/index.ts'
import { exitWithParent } from '../support/parent.ts'

const [, , store = '', log = ''] = process.argv
exitWithParent()
const mill = await Millrace.open({ store })
const job = defineJob({ name: 'job', run: (_: number) => undefined })
const say = (line: string) => appendFileSync(log, `${line}\n`)
console.log('ready')

for (let round = 0; ; round++) {
  const tag = `${process.pid}-${round}`
  const size = [1, 7, 100, 400][round % 4] ?? 1
  const inputs = Array.from({ length: size }, (_, i) => i)
  if (round % 2 === 0) {
    say(`asked ${tag} ${size}`)
    for (const { id } of await mill.enqueueMany(job, inputs, { tags: [tag] })) say(`created ${id}`)
    say(`answered ${tag}`)
  } else {
    await Promise.all(inputs.map(async (input) => say(`created ${(await mill.enqueue(job, input)).id}`)))
  }
}
