/**
 * plainjob at its best: its own settings (WAL, synchronous = NORMAL), prepared by its own code, a quiet logger, and workers
 * that poll each millisecond. One of its workers runs one job at a time: concurrency n is n workers in one process.
 */
import Database from 'better-sqlite3'
import { better, defineQueue, defineWorker, JobStatus } from 'plainjob'
import './processes.js'
import { cpuShare, finish, inFlight, now, options, payload, payloads, Tally, timed, wait } from './timing.js'

const { scenario, role, path, count, concurrency } = options
const quiet = { debug() {}, info() {}, warn() {}, error: console.error }
const queue = defineQueue({ connection: better(new Database(path)), logger: quiet })

const SCENARIOS = {
  a: () =>
    timed(count, async () => {
      for (let i = 0; i < count; i++) queue.add('noop', payload(i))
    }),
  // It is synchronous: calls in flight are one after the other.
  b: () => timed(count, () => inFlight(100, count, async (i) => queue.add('noop', payload(i)))),
  c: () => timed(count, async () => fill()),
  async d() {
    fill()
    return timed(count, async () => {
      const { promise, resolve } = Promise.withResolvers()
      let done = 0
      const workers = startWorkers(async () => void (++done === count && resolve()))
      await promise
      await Promise.all(workers.map((worker) => worker.stop()))
      while (queue.countJobs({ status: JobStatus.Done }) < count) await new Promise(setImmediate)
    })
  },
}

const ROLES = {
  async fill() {
    fill()
    process.exit(0)
  },
  async first() {
    const options = { queue, logger: quiet, pollIntervall: 1, onCompleted: () => console.log('first job done') }
    void defineWorker('noop', async () => {}, options).start()
  },
  async worker() {
    const tally = new Tally(options)
    startWorkers(async (job) => tally.seen(JSON.parse(job.data).at))
    process.on('message', async ({ ask, ms }) => {
      if (ask === 'idleCpu') process.send({ idleCpu: await cpuShare(ms) })
    })
    process.send({ ready: true })
  },
  async producer() {
    for (let i = 0; ; i++) {
      queue.add('noop', payload(i, now()))
      // A producer that never yields could not be told to stop.
      if (i % 100 === 0) await new Promise(setImmediate)
    }
  },
  async pulse() {
    for (let i = 0; i < count; i++) {
      queue.add('noop', payload(i, now()))
      await wait(50)
    }
    process.exit(0)
  },
}

function startWorkers(run) {
  const workers = Array.from({ length: concurrency }, () =>
    defineWorker('noop', run, { queue, logger: quiet, pollIntervall: 1 }),
  )
  for (const worker of workers) void worker.start()
  return workers
}

function fill() {
  for (let i = 0; i < count; i += 1000) queue.addMany('noop', payloads(i, Math.min(1000, count - i)))
}

if (role === undefined) finish(await SCENARIOS[scenario]())
else await ROLES[role]()
