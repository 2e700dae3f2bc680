/**
 * Sidequest at its best: WAL on SQLite (prepared here) and a pool of 50 on the servers, in one process with the inline runner
 * instead of threads, without a dashboard, polling each millisecond; or as it comes, but for the concurrency and a dashboard that
 * would take a port: jobs run in threads of a process of their own. It has no way to enqueue several jobs in one call.
 */
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { Sidequest } from 'sidequest'
import { hear } from './elsewhere.js'
import { serve } from './side.js'
import { Noop } from './sidequest-job.js'
import { options, wait } from './timing.js'

const { url, path, concurrency, backend = 'sqlite', asIs } = options
if (backend === 'sqlite') {
  const prepared = new Database(path)
  prepared.pragma('journal_mode = WAL')
  prepared.close()
}
const config = backend === 'sqlite' ? path : { connection: url, ...(!asIs && { pool: { min: 5, max: 50 } }) }
const BEST = { fork: false, runner: 'inline', jobPollingInterval: 1 }

const CONFIG = {
  backend: { driver: `@sidequest/${backend}-backend`, config },
  logger: { level: 'error', json: false },
  queues: [{ name: 'default', concurrency: concurrency ?? 10 }],
  maxConcurrentJobs: concurrency ?? 10,
  ...(!asIs && BEST),
  gracefulShutdown: false,
  dashboard: { enabled: false },
}
await Sidequest.configure(CONFIG)

await serve({
  enqueue: (input) => Sidequest.build(Noop).enqueue(input),
  async start(handler) {
    if (asIs) hear(join(dirname(path), 'began'), handler)
    else globalThis.sawJob = handler
    await Sidequest.start(CONFIG)
  },
  async settled(count) {
    while ((await Sidequest.getBackend().countJobs()).completed < count) await wait(1)
  },
  async close() {},
})
