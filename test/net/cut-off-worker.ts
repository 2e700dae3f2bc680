/**
 * A worker process whose network a test takes away. The first job that it gets it holds until it is aborted. Told `call MS`, it
 * enqueues for so long, and says `calling` once it does; told `repeat`, it enqueues what was refused again, under the same ids, until
 * all of it is acknowledged.
 * Arguments: the store, the lease in milliseconds, `restart` if it is to go on after a loss.
 */
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { newId } from '../../src/base/id.ts'
import { defineJob, Millrace, StoreError } from '../../src/index.ts'
import { now } from '../faults/lab/ledgers.ts'
import { exitWithParent } from '../support/parent.ts'

/** What came of `call`. `longestMs`: that the slowest took. */
export interface Calls {
  readonly begun: number
  readonly accepted: number
  readonly refused: number
  readonly longestMs: number
  /** Refusals other than that the store is out of reach. */
  readonly wrong: readonly string[]
}

/** What came of `repeat`: of the refused calls some had been carried out. `firstMs`: until the first was acknowledged. */
export interface Repeats {
  readonly created: number
  readonly existing: number
  readonly firstMs: number
}

/** A run of the job that is held. */
export interface Moment {
  readonly id: string
  /** By the clock of `now()`. */
  readonly at: number
}

const AT_ONCE = 10
/** Where a call is refused at once, others are to be refused later, and few enough that all are soon done. */
const ROUNDS = 10

exitWithParent()
const [, , store = '', lease = '', restart] = process.argv
const mill = await patiently(() => Millrace.open({ store }))
const refused: string[] = []
const say = (word: string, what: Moment | Calls | Repeats) => console.log(`${word} ${JSON.stringify(what)}`)
let runs = 0
const held = defineJob({
  name: 'held',
  run: async (_: undefined, { id, signal }) => {
    say('begun', { id, at: now() })
    if (++runs > 1) return 'near'
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    say('aborted', { id, at: now() })
    return 'aborted'
  },
})
const quick = defineJob({ name: 'quick', run: (input: number) => input })
const options = { concurrency: 1, maxPrefetch: 0, heartbeat: Number(lease) / 5, poll: 20, grace: 100 } as const
const worker = mill.work([held, quick], { ...options, lease: Number(lease), restart: restart === 'restart' })
createInterface({ input: process.stdin }).on('line', async (line) => {
  const [word, ms] = line.split(' ')
  if (word === 'call') say('called', await call(Number(ms)))
  else say('repeated', await repeat())
})
// One that is not to go on ends by the error of this.
await worker.done

/** On a busy machine a server may take longer than the deadline, which is short. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (codeOf(error) !== 'STORE_UNREACHABLE') throw error
    }
  }
}

async function call(forMs: number): Promise<Calls> {
  const end = now() + forMs
  const [wrong, times]: [string[], number[]] = [[], []]
  let [begun, accepted] = [0, 0]
  const one = async () => {
    const id = newId()
    const from = now()
    begun++
    const answer = await mill.enqueue(quick, 1, { id }).then(() => 'accepted', codeOf)
    if (answer === 'accepted') accepted++
    else refused.push(id)
    if (answer !== 'accepted' && answer !== 'STORE_UNREACHABLE') wrong.push(answer)
    times.push(now() - from)
  }
  console.log('calling')
  while (now() < end) {
    await Promise.all(Array.from({ length: AT_ONCE }, one))
    await pause(forMs / ROUNDS)
  }
  return { begun, accepted, refused: refused.length, longestMs: Math.max(...times), wrong }
}

async function repeat(): Promise<Repeats> {
  const from = now()
  const seen = { created: 0, existing: 0, firstMs: Number.POSITIVE_INFINITY }
  const one = async (id: string) => {
    const { status } = await patiently(() => mill.enqueue(quick, 1, { id }))
    if (status === 'created' || status === 'existing') seen[status]++
    seen.firstMs = Math.min(seen.firstMs, now() - from)
  }
  await Promise.all(refused.map(one))
  return seen
}

function codeOf(error: unknown): string {
  if (error instanceof StoreError && error.kind === 'transient') return error.code
  return String(error)
}
