/**
 * plainjob at its best: its own settings (WAL, synchronous = NORMAL), prepared by its own code, a quiet logger, and workers
 * that poll each millisecond. One of its workers runs one job at a time: concurrency n is n workers in one process.
 */
import Database from 'better-sqlite3'
import { better, defineQueue, defineWorker, JobStatus } from 'plainjob'
import { serve } from './side.js'
import { now, options, payload } from './timing.js'

const quiet = { debug() {}, info() {}, warn() {}, error: console.error }
const queue = defineQueue({ connection: better(new Database(options.path)), logger: quiet })

const side = {
  // It is synchronous: calls in flight are one after the other.
  enqueue: (input) => queue.add('noop', input),
  enqueueMany: (inputs) => queue.addMany('noop', inputs),
  start(handler) {
    for (let i = 0; i < options.concurrency; i++) {
      const run = async ({ data }) => handler(JSON.parse(data))
      void defineWorker('noop', run, { queue, logger: quiet, pollIntervall: 1 }).start()
    }
  },
  async settled(count) {
    while (queue.countJobs({ status: JobStatus.Done }) < count) await new Promise(setImmediate)
  },
  close() {},
}

await serve(side, {
  roles: {
    async producer() {
      for (let i = 0; ; i++) {
        side.enqueue(payload(i, now()))
        // A producer that never yields could not be told to stop.
        if (i % 100 === 0) await new Promise(setImmediate)
      }
    },
  },
})
