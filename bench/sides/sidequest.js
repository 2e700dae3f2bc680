/**
 * Sidequest on SQLite at its best: WAL (prepared here), in one process with the inline runner instead of threads, without a
 * dashboard, polling each millisecond. It has no way to enqueue several jobs in one call.
 */
import Database from 'better-sqlite3'
import { Sidequest } from 'sidequest'
import './processes.js'
import { Noop } from './sidequest-job.js'
import { cpuShare, finish, inFlight, now, options, payload, Tally, timed, wait } from './timing.js'

const { scenario, role, path, count, concurrency } = options
const prepared = new Database(path)
prepared.pragma('journal_mode = WAL')
prepared.close()

const CONFIG = {
  backend: { driver: '@sidequest/sqlite-backend', config: path },
  logger: { level: 'error', json: false },
  queues: [{ name: 'default', concurrency: concurrency ?? 10 }],
  maxConcurrentJobs: concurrency ?? 10,
  fork: false,
  runner: 'inline',
  jobPollingInterval: 1,
  gracefulShutdown: false,
  dashboard: { enabled: false },
}
const enqueue = (input) => Sidequest.build(Noop).enqueue(input)
const start = (sawJob) => {
  globalThis.sawJob = sawJob
  return Sidequest.start(CONFIG)
}

const SCENARIOS = {
  a: () =>
    timed(count, async () => {
      for (let i = 0; i < count; i++) await enqueue(payload(i))
    }),
  b: () => timed(count, () => inFlight(100, count, (i) => enqueue(payload(i)))),
  async d() {
    await fill()
    return timed(count, async () => {
      const { promise, resolve } = Promise.withResolvers()
      let done = 0
      await start(() => ++done === count && resolve())
      await promise
      await completed(count)
    })
  },
}

const ROLES = {
  async fill() {
    await fill()
    process.exit(0)
  },
  async first() {
    await start()
    await completed(1)
    console.log('first job done')
  },
  async worker() {
    const tally = new Tally(options)
    await start(({ at }) => tally.seen(at))
    process.on('message', async ({ ask, ms }) => {
      if (ask === 'idleCpu') process.send({ idleCpu: await cpuShare(ms) })
    })
    process.send({ ready: true })
  },
  producer: () => inFlight(100, Number.POSITIVE_INFINITY, (i) => enqueue(payload(i, now()))),
  async pulse() {
    for (let i = 0; i < count; i++) {
      await enqueue(payload(i, now()))
      await wait(50)
    }
    process.exit(0)
  },
}

async function fill() {
  for (let i = 0; i < count; i++) await enqueue(payload(i))
}

async function completed(wanted) {
  while ((await Sidequest.getBackend().countJobs()).completed < wanted) await wait(1)
}

await Sidequest.configure(CONFIG)
if (role === undefined) finish(await SCENARIOS[scenario]())
else await ROLES[role]()
