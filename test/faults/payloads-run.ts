/**
 * A process that enqueues payloads of 1 MiB that hardly compress, by twos and threes and by many at once, runs them, and looks at what
 * came of each. Arguments: the URL of a store, how many, and how many are enqueued before they are run; what was run is removed.
 * At the end it says `done` with how many came back wrong, how far its memory grew at most, and how long each part took.
 */
import { defineJob, Millrace } from '../../src/index.ts'
import { exitWithParent } from '../support/parent.ts'
import { hashOf, noise } from './filling.ts'

/** What it says. Memory in MiB, times in seconds. */
export interface PayloadsRun {
  readonly done: number
  readonly wrong: number
  readonly grownMib: number
  readonly enqueueS: number
  readonly runS: number
  readonly readS: number
}

/** One byte less, with its quotation marks, than what would be refused. */
const CHARACTERS = 2 ** 20 - 2
/** So many inputs are made at once. */
const BATCH = 16
const MIB = 2 ** 20

const echoes = defineJob({ name: 'echoes', timeout: '10m', run: (input: string) => input })

exitWithParent()
const [, , store = '', count = '', ahead = ''] = process.argv
const mill = await Millrace.open({ store, codec: { compress: false } })
const before = process.memoryUsage.rss()
const took = { enqueue: 0, run: 0, read: 0 }
let [done, wrong] = [0, 0]
while (done < Number(count)) {
  const from = done
  const most = Math.min(Number(ahead), Number(count) - from)
  const ids = await timed('enqueue', () => enqueued(from, most))
  await timed('run', () => mill.work([echoes], { drain: true, concurrency: 4 }).done)
  wrong += await timed('read', () => wrongOf(ids, from))
  done += most
}
// Kilobytes; the largest it ever was.
const grownMib = Math.round((process.resourceUsage().maxRSS * 1_024 - before) / MIB)
const [enqueueS, runS, readS] = [took.enqueue, took.run, took.read].map((ms) => Math.round(ms / 100) / 10)
console.log(`done ${JSON.stringify({ done, wrong, grownMib, enqueueS, runS, readS })}`)
await mill.close()
process.exit(0)

/** Enqueues so many, every second batch one by one, at the same time. */
async function enqueued(from: number, most: number): Promise<readonly string[]> {
  const ids: string[] = []
  for (let at = 0; at < most; at += BATCH) {
    const inputs = Array.from({ length: Math.min(BATCH, most - at) }, (_, i) => noise(from + at + i, CHARACTERS))
    const isAtOnce = (at / BATCH) % 2 === 0
    const jobs = await (isAtOnce
      ? mill.enqueueMany(echoes, inputs)
      : Promise.all(inputs.map((input) => mill.enqueue(echoes, input))))
    ids.push(...jobs.map(({ id }) => id))
  }
  return ids
}

/** How many did not come back as they were sent, payload or result. They are removed. */
async function wrongOf(ids: readonly string[], from: number): Promise<number> {
  let count = 0
  for (const [i, id] of ids.entries()) {
    const hash = hashOf(noise(from + i, CHARACTERS))
    const job = await mill.get(id)
    if (job?.state !== 'completed' || hashOf(job.input) !== hash || hashOf(job.result) !== hash) count++
  }
  await mill.remove(ids)
  return count
}

async function timed<T>(what: keyof typeof took, part: () => Promise<T>): Promise<T> {
  const begun = performance.now()
  const value = await part()
  took[what] += performance.now() - begun
  return value
}
