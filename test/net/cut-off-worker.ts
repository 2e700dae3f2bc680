/**
 * A worker process whose network a test takes away. The first job that it gets it holds until it is aborted. Told `call MS`, it
 * enqueues for so long; told `repeat`, it enqueues what was refused again, under the same ids, until all of it is acknowledged.
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
  readonly ended: number
  readonly longestMs: number
  /** Answers other than that the store is out of reach. */
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
const AGAIN_MS = 20
/** Where a call is refused at once, others are to be refused later, and few enough that all are soon done. */
const ROUND_MS = 200

exitWithParent()
const [, , store = '', lease = '', restart] = process.argv
const mill = await Millrace.open({ store })
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

async function call(forMs: number): Promise<Calls> {
  const end = now() + forMs
  const [wrong, times]: [string[], number[]] = [[], []]
  let begun = 0
  const one = async () => {
    const id = newId()
    const from = now()
    begun++
    refused.push(id)
    const answer = await mill.enqueue(quick, 1, { id }).then(() => 'accepted', codeOf)
    if (answer !== 'STORE_UNREACHABLE') wrong.push(answer)
    times.push(now() - from)
  }
  while (now() < end) {
    await Promise.all(Array.from({ length: AT_ONCE }, one))
    await pause(ROUND_MS)
  }
  return { begun, ended: times.length, longestMs: Math.max(...times), wrong }
}

async function repeat(): Promise<Repeats> {
  const from = now()
  const seen = { created: 0, existing: 0, firstMs: Number.POSITIVE_INFINITY }
  const one = async (id: string) => {
    for (;;) {
      const answer = await mill.enqueue(quick, 1, { id }).then(({ status }) => status, codeOf)
      if (answer === 'created' || answer === 'existing') {
        seen[answer]++
        seen.firstMs = Math.min(seen.firstMs, now() - from)
        return
      }
      if (answer !== 'STORE_UNREACHABLE') throw new Error(`${id}: ${answer}`)
      await pause(AGAIN_MS)
    }
  }
  await Promise.all(refused.map(one))
  return seen
}

function codeOf(error: unknown): string {
  if (error instanceof StoreError && error.kind === 'transient') return error.code
  return String(error)
}
