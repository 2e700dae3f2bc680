/**
 * graphile-worker: as its page on performance measures it (a local queue, batched completion, a connection for each job and
 * one more), or as it comes. It deletes what is done. https://worker.graphile.org/docs/performance
 */
import { Logger, makeWorkerUtils, run } from 'graphile-worker'
import pg from 'pg'
import { serve } from './side.js'
import { options, wait } from './timing.js'

const { url, concurrency, tuned } = options
const BEST = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
const logger = new Logger(() => (level, message) => level === 'error' && console.error(message))
const pool = new pg.Pool({ connectionString: url, ...(tuned && { max: 25 }) })
pool.on('error', console.error)
pool.on('connect', (client) => client.on('error', console.error))
const utils = await makeWorkerUtils({ pgPool: pool, logger })
await utils.migrate()

await serve({
  enqueue: (input) => utils.addJob('noop', input),
  enqueueMany: (inputs) => utils.addJobs(inputs.map((payload) => ({ identifier: 'noop', payload }))),
  start: (handler) =>
    run({
      pgPool: pool,
      logger,
      concurrency,
      noHandleSignals: true,
      taskList: { noop: async (input) => handler(input) },
      ...(tuned && { preset: { worker: BEST } }),
    }),
  async settled() {
    while ((await pool.query('SELECT FROM graphile_worker._private_jobs LIMIT 1')).rowCount > 0) await wait(1)
  },
  async close() {},
})
