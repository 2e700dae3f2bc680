/**
 * Millrace, built, as an app uses it: no schema, no options but the concurrency and `dedicated` (a worker of a process of its own, as
 * `millrace work` is), and retention 0 where nothing is kept.
 */
import { pathToFileURL } from 'node:url'
import { defineJob, Millrace } from '../../dist/index.js'
import { analyze } from './analyze.js'
import { ownCpu } from './proc.js'
import { appFolder, tell } from './processes.js'
import { serve } from './side.js'
import { cpuShare, now, options, payload, payloads, Tally, timed, wait } from './timing.js'

const { path, durability, count, concurrency, kept = true } = options
const url = options.url ?? `sqlite:${path}?durability=${durability}`
const mill = await Millrace.open({ store: url, ...(!kept && { retention: { completed: 0 } }) })
const noop = defineJob({ name: 'noop', run: async () => {} })
const telling = (handler) => defineJob({ name: 'noop', run: async (input) => handler(input) })

const side = {
  enqueue: (input) => mill.enqueue(noop, input),
  enqueueMany: (inputs) => mill.enqueueMany(noop, inputs),
  close: () => mill.close(),
}

const HANDLERS = {
  plain: () => noop,
  async zod() {
    const { z } = await import('zod')
    return defineJob({ name: 'noop', input: z.object({ id: z.number(), text: z.string() }), run: async () => {} })
  },
  async ts() {
    return (await import(pathToFileURL(appFolder(url, 'ts').handlers).href)).default
  },
}

const SCENARIOS = {
  /** From the worker's start to the last result durable: it stops by itself when nothing is left. */
  async d() {
    const handler = await HANDLERS[options.handler ?? 'plain']()
    await fill()
    await analyze()
    const figures = await timed(count, () => mill.work([handler], { concurrency, dedicated: true, drain: true }).done)
    const [completed, pending] = await Promise.all(
      ['completed', 'pending'].map((state) => mill.count({ state }, count + 1)),
    )
    // Where nothing is kept, what is done may stay for the minutes that ids are remembered.
    if (pending.count > 0 || (kept && completed.count !== count))
      throw new Error(`of ${count}, ${completed.count} are completed and ${pending.count} pending`)
    return figures
  },
}

const ROLES = {
  /** Fills and finishes: `count` results kept. */
  async keep() {
    await fill()
    await mill.work([noop], { concurrency: 100, drain: true }).done
  },
  /** Ends at the first job done. */
  async first() {
    mill.on('job.settled', () => console.log('first job done'))
    await mill.work([noop], { concurrency, dedicated: true }).done
  },
  async worker() {
    const tally = new Tally(options)
    const stopped = Promise.withResolvers()
    const errors = []
    mill.on('store.failed', ({ operation, error }) => errors.push(`${operation}: ${error}`))
    mill.on('lease.lost', ({ jobId }) => errors.push(`lease of ${jobId} lost`))
    const worker = mill.work([telling(({ at }) => tally.seen(at))], { concurrency, dedicated: true })
    process.on('message', async ({ ask, ms }) => {
      if (ask === 'idleCpu') process.send({ idleCpu: await cpuShare(ms) })
      if (ask === 'stop') {
        await worker.stop()
        await tell({ stopped: { ...tally.figures(), errors } })
        stopped.resolve()
      }
    })
    process.send({ ready: true })
    await worker.done
    await stopped.promise
  },
  /** One of several workers: begins when told, ends when nothing is left, and tells which jobs it ran until when. */
  async fleet() {
    const ran = []
    const begin = new Promise((resolve) => process.once('message', resolve))
    process.send({ ready: true })
    await begin
    const cpu = ownCpu()
    let lastAt = 0
    const handler = telling(({ id }) => {
      ran.push(id)
      lastAt = now()
    })
    await mill.work([handler], { concurrency, dedicated: true, drain: true }).done
    await tell({ fleet: { ran, lastAt, cpu: cpu() } })
  },
  /** Calls for some seconds, `width` in flight, `gapMs` between an answer and the next; how long each took. */
  async caller() {
    const { seconds, width, gapMs } = options
    const endAt = now() + seconds * 1000
    const took = []
    const errors = []
    let made = 0
    const loop = async () => {
      while (now() < endAt) {
        const at = now()
        await mill.enqueue(noop, payload(made, at)).then(
          () => made++,
          (error) => errors.push(String(error)),
        )
        took.push(now() - at)
        if (gapMs > 0) await wait(gapMs)
      }
    }
    await Promise.all(Array.from({ length: width }, loop))
    await tell({ called: { made, errors, took } })
  },
}

async function fill() {
  for (let i = 0; i < count; i += 1000) await side.enqueueMany(payloads(i, Math.min(1000, count - i)))
}

await serve(side, { scenarios: SCENARIOS, roles: ROLES })
