/**
 * A producer of its own process: each line of its stdin is a batch of jobs to enqueue. It writes down what it was told in the
 * producers' ledger, repeats what failed under the same id until it is acknowledged, and says `acked N` after each batch.
 */
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { newId } from '../../../../src/base/id.ts'
import type { JobDefinition } from '../../../../src/index.ts'
import { appendTo, now } from '../ledgers.ts'
import { type Inputs, type Kind, optionsOf } from './kinds.ts'
import { createKeyRing, defineJob, Millrace, StoreError } from './library.ts'

/** One line of stdin. */
export interface Batch {
  readonly kind: Kind
  readonly inputs: readonly Inputs[Kind][]
  /** How many jobs of the batch before each of these waits for, default none. */
  readonly parents?: number
  /** How long each may take, default what its kind says. */
  readonly timeoutMs?: number
}

const IN_FLIGHT = 20
const AGAIN_MS = 20
const { MILLRACE_LAB_FOLDER: folder = '.', MILLRACE_LAB_STORE: store = '', MILLRACE_LAB_KEYS: keys } = process.env
process.stdin.on('end', () => process.exit(1))
const ledger = appendTo(folder, 'producer')
const mill = await Millrace.open({
  store,
  ...(keys !== undefined && { codec: { keys: createKeyRing(JSON.parse(keys)) } }),
})
let acked = 0
let before: readonly string[] = []
console.log('ready')

for await (const line of createInterface({ input: process.stdin })) {
  // Only the laboratory writes here.
  const { kind, inputs, parents: count = 0, timeoutMs } = JSON.parse(line) as Batch
  const job = defineJob<unknown>(optionsOf(kind))
  const parents = count === 0 ? [] : before.slice(-count)
  const left = inputs.map((input) => ({ id: newId(), input }))
  before = left.map(({ id }) => id)
  const road = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      await enqueue(job, next.id, next.input, parents, timeoutMs)
      acked++
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, road))
  console.log(`acked ${acked}`)
}

async function enqueue(
  job: JobDefinition<unknown>,
  id: string,
  input: unknown,
  parents: readonly string[],
  timeoutMs: number | undefined,
): Promise<void> {
  const family = parents.length > 0 ? { parents } : {}
  const dependsOn = parents.map((parent) => ({ job: parent, onFailure: 'proceed' as const }))
  const options = {
    id,
    ...(dependsOn.length > 0 && { dependsOn }),
    ...(timeoutMs !== undefined && { timeout: timeoutMs }),
  }
  for (;;) {
    try {
      await mill.enqueue(job, input, options)
      ledger.write({ id, status: 'acked', at: now(), ...family })
      return
    } catch (error) {
      if (!(error instanceof StoreError && error.kind === 'transient')) throw error
      ledger.write({ id, status: 'unknown', at: now(), ...family })
      await pause(AGAIN_MS)
    }
  }
}
