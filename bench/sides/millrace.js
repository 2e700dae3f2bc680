/** Millrace, built, as an app uses it: no schema, no options but the concurrency. One process per scenario. */
import { fork } from 'node:child_process'
import { defineJob, Millrace } from '../../dist/index.js'
import { inFlight, payload, percentiles, timed } from '../measure.js'

const { scenario, path, durability, count, concurrency, seconds, role } = JSON.parse(process.argv[2])
const open = () => Millrace.open({ store: `sqlite:${path}?durability=${durability}` })
const latencies = []
const noop = defineJob({ name: 'noop', run: async () => {} })
const stamped = defineJob({ name: 'stamped', run: async ({ at }) => void latencies.push(Date.now() - at) })

const SCENARIOS = {
  async a(mill) {
    return timed(count, async () => {
      for (let i = 0; i < count; i++) await mill.enqueue(noop, payload(i))
    })
  },
  async b(mill) {
    return timed(count, () => inFlight(100, count, (i) => mill.enqueue(noop, payload(i))))
  },
  async c(mill) {
    return timed(count, async () => {
      for (let i = 0; i < count; i += 1000)
        await mill.enqueueMany(
          noop,
          Array.from({ length: 1000 }, (_, k) => payload(i + k)),
        )
    })
  },
  async d(mill) {
    await SCENARIOS.c(mill)
    const result = await timed(count, () => mill.work([noop], { concurrency, drain: true }).done)
    const kept = await mill.count({ state: 'completed' }, count + 1)
    if (kept.count !== count) throw new Error(`${kept.count} of ${count} were completed`)
    return result
  },
  /** A producer at full speed in another process, and this worker. */
  async h(mill) {
    const producer = fork(import.meta.filename, [JSON.stringify({ ...JSON.parse(process.argv[2]), role: 'producer' })])
    const worker = mill.work([stamped], { concurrency: 50 })
    const done = await new Promise((resolve) => setTimeout(() => resolve(worker.jobsDone), seconds * 1000))
    const gone = new Promise((resolve) => producer.once('exit', resolve))
    producer.kill()
    await gone
    return { perSecond: done / seconds, ...percentiles(latencies) }
  },
}

const mill = await open()
if (role === 'producer')
  await inFlight(100, Number.POSITIVE_INFINITY, (i) => mill.enqueue(stamped, { ...payload(i), at: Date.now() }))
else {
  const result = await SCENARIOS[scenario](mill)
  await mill.close()
  console.log(JSON.stringify(result))
}
