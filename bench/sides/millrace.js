/** Millrace, built, as an app uses it: no schema, no options but the concurrency. */
import { pathToFileURL } from 'node:url'
import { defineJob, Millrace } from '../../dist/index.js'
import { appFolder, tell } from './processes.js'
import { cpuShare, finish, inFlight, now, options, payload, payloads, Tally, timed, wait } from './timing.js'

const { scenario, role, path, durability, count, concurrency } = options
const url = `sqlite:${path}?durability=${durability}`
const mill = await Millrace.open({ store: url })
const noop = defineJob({ name: 'noop', run: async () => {} })

const SCENARIOS = {
  a: () =>
    timed(count, async () => {
      for (let i = 0; i < count; i++) await mill.enqueue(noop, payload(i))
    }),
  b: () => timed(count, () => inFlight(100, count, (i) => mill.enqueue(noop, payload(i)))),
  c: () => timed(count, fill),
  /** From the worker's start to the last result durable. */
  async d() {
    const handler = await HANDLERS[options.handler ?? 'plain']()
    await fill()
    const figures = await timed(count, () => mill.work([handler], { concurrency, drain: true }).done)
    const kept = await mill.count({ state: 'completed' }, count + 1)
    if (kept.count !== count) throw new Error(`${kept.count} of ${count} were completed`)
    return figures
  },
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

const ROLES = {
  fill,
  /** Fills and finishes: `count` results kept. */
  async keep() {
    await fill()
    await mill.work([noop], { concurrency: 100, drain: true }).done
  },
  /** Ends at the first job done. */
  async first() {
    mill.on('job.settled', () => console.log('first job done'))
    await mill.work([noop], { concurrency }).done
  },
  async worker() {
    const tally = new Tally(options)
    const told = Promise.withResolvers()
    const errors = []
    mill.on('store.failed', ({ operation, error }) => errors.push(`${operation}: ${error}`))
    mill.on('lease.lost', ({ jobId }) => errors.push(`lease of ${jobId} lost`))
    const worker = mill.work([defineJob({ name: 'noop', run: async ({ at }) => tally.seen(at) })], { concurrency })
    process.on('message', async ({ ask, ms }) => {
      if (ask === 'idleCpu') process.send({ idleCpu: await cpuShare(ms) })
      if (ask === 'stop') {
        await worker.stop()
        await tell({ stopped: { ...tally.figures(), errors } })
        told.resolve()
      }
    })
    process.send({ ready: true })
    await worker.done
    await told.promise
  },
  producer: () => inFlight(100, Number.POSITIVE_INFINITY, (i) => mill.enqueue(noop, payload(i, now()))),
  /** One job each 50 ms. */
  async pulse() {
    for (let i = 0; i < count; i++) {
      await mill.enqueue(noop, payload(i, now()))
      await wait(50)
    }
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
  for (let i = 0; i < count; i += 1000) await mill.enqueueMany(noop, payloads(i, Math.min(1000, count - i)))
}

if (role === undefined) {
  const figures = await SCENARIOS[scenario]()
  await mill.close()
  finish(figures)
} else {
  await ROLES[role]()
  await mill.close()
  process.exit(0)
}
