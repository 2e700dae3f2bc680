/** plainjob at its best: its own settings (WAL, synchronous = NORMAL), prepared by its own code; workers poll each millisecond. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { better, defineQueue, defineWorker, JobStatus } from 'plainjob'
import { inFlight, payload, percentiles, timed } from '../measure.js'

const { scenario, path, count, concurrency, seconds, role } = JSON.parse(process.argv[2])
const quiet = { debug() {}, info() {}, warn() {}, error: console.error }
const queue = defineQueue({ connection: better(new Database(path)), logger: quiet })
const latencies = []

/** plainjob runs one job at a time in a worker; concurrency is that many workers in one process. */
function startWorkers(n, run) {
  const workers = Array.from({ length: n }, () => defineWorker('noop', run, { queue, logger: quiet, pollIntervall: 1 }))
  for (const worker of workers) void worker.start()
  return workers
}

const SCENARIOS = {
  async a() {
    return timed(count, async () => {
      for (let i = 0; i < count; i++) queue.add('noop', payload(i))
    })
  },
  async b() {
    // It is synchronous: calls in flight are one after the other.
    return timed(count, () => inFlight(100, count, async (i) => queue.add('noop', payload(i))))
  },
  async c() {
    return timed(count, async () => {
      for (let i = 0; i < count; i += 1000)
        queue.addMany(
          'noop',
          Array.from({ length: 1000 }, (_, k) => payload(i + k)),
        )
    })
  },
  async d() {
    await SCENARIOS.c()
    return timed(count, async () => {
      const { promise, resolve } = Promise.withResolvers?.() ?? withResolvers()
      let done = 0
      const workers = startWorkers(concurrency, async () => void (++done === count && resolve()))
      await promise
      await Promise.all(workers.map((worker) => worker.stop()))
      while (queue.countJobs({ status: JobStatus.Done }) < count) await new Promise(setImmediate)
    })
  },
  async h() {
    const options = JSON.stringify({ ...JSON.parse(process.argv[2]), role: 'producer' })
    const producer = fork(fileURLToPath(import.meta.url), [options])
    const end = Date.now() + seconds * 1000
    let done = 0
    // Its loop goes on in microtasks while there are jobs, so no timer fires: the handler looks at the clock.
    await new Promise((resolve) => {
      startWorkers(50, async (job) => {
        const now = Date.now()
        if (now >= end) resolve()
        done++
        latencies.push(now - JSON.parse(job.data).at)
      })
    })
    const total = done
    producer.kill()
    return { perSecond: total / seconds, ...percentiles(latencies) }
  },
}

function withResolvers() {
  let resolve
  const promise = new Promise((r) => {
    resolve = r
  })
  return { promise, resolve }
}

if (role === 'producer') {
  for (let i = 0; ; i++) {
    queue.add('noop', { ...payload(i), at: Date.now() })
    // A producer that never yields could not be told to stop.
    if (i % 100 === 0) await new Promise(setImmediate)
  }
} else {
  console.log(JSON.stringify(await SCENARIOS[scenario]()))
  process.exit(0)
}
