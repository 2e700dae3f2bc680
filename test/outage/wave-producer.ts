/**
 * A process that enqueues as many jobs as each line of its stdin says, under the same id until each is acknowledged, whatever
 * becomes of the server meanwhile. It logs what was acknowledged, and says `acknowledged N` when a wave is through.
 * Arguments: the store, the log.
 */
import { appendFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { newId } from '../../src/base/id.ts'
import { defineJob, Millrace, StoreError } from '../../src/index.ts'
import { exitWithParent } from '../support/parent.ts'

const IN_FLIGHT = 20
const AGAIN_MS = 20
/** How long a handler takes at most: longer than it takes to enqueue the others. */
const MOST_MS = 60

exitWithParent()
const [, , store = '', log = ''] = process.argv
const mill = await Millrace.open({ store })
const noted = defineJob({ name: 'noted', retry: false, run: (_: number) => undefined })
let total = 0
console.log('ready')

for await (const line of createInterface({ input: process.stdin })) {
  const ids = Array.from({ length: Number(line) }, () => newId())
  await Promise.all(Array.from({ length: IN_FLIGHT }, () => enqueueFrom(ids)))
  total += Number(line)
  console.log(`acknowledged ${total}`)
}

async function enqueueFrom(ids: string[]): Promise<void> {
  for (let id = ids.pop(); id !== undefined; id = ids.pop()) {
    while (!(await isAcknowledged(id))) await pause(AGAIN_MS)
    appendFileSync(log, `${id}\n`)
  }
}

async function isAcknowledged(id: string): Promise<boolean> {
  try {
    await mill.enqueue(noted, Math.floor(Math.random() * MOST_MS), { id })
    return true
  } catch (error) {
    if (error instanceof StoreError && error.kind === 'transient') return false
    throw error
  }
}
