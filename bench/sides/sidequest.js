/**
 * Sidequest at its best: WAL on SQLite (prepared here) and a pool of 50 on the servers, in one process with the inline runner
 * instead of threads, without a dashboard, polling each millisecond. It has no way to enqueue several jobs in one call.
 */
import Database from 'better-sqlite3'
import { Sidequest } from 'sidequest'
import { serve } from './side.js'
import { Noop } from './sidequest-job.js'
import { options, wait } from './timing.js'

const { url, path, concurrency, backend = 'sqlite' } = options
if (backend === 'sqlite') {
  const prepared = new Database(path)
  prepared.pragma('journal_mode = WAL')
  prepared.close()
}
const config = backend === 'sqlite' ? path : { connection: url, pool: { min: 5, max: 50 } }

const CONFIG = {
  backend: { driver: `@sidequest/${backend}-backend`, config },
  logger: { level: 'error', json: false },
  queues: [{ name: 'default', concurrency: concurrency ?? 10 }],
  maxConcurrentJobs: concurrency ?? 10,
  fork: false,
  runner: 'inline',
  jobPollingInterval: 1,
  gracefulShutdown: false,
  dashboard: { enabled: false },
}
await Sidequest.configure(CONFIG)

await serve({
  enqueue: (input) => Sidequest.build(Noop).enqueue(input),
  start(handler) {
    globalThis.sawJob = handler
    return Sidequest.start(CONFIG)
  },
  async settled(count) {
    while ((await Sidequest.getBackend().countJobs()).completed < count) await wait(1)
  },
  async close() {},
})
