/**
 * A worker process for the kill tests: works until it is killed. Each handler writes a line at its start and its end to a
 * log of this process. Arguments: the store, the folder of the logs, the lease (default 1s).
 */
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineJob, Millrace } from '../../src/index.ts'
import { exitWithParent } from '../support/parent.ts'

exitWithParent()
const [, , store = '', folder = '', lease = '1s'] = process.argv
const log = join(folder, `${process.pid}.log`)
const mill = await Millrace.open({ store })
const noted = defineJob({
  name: 'noted',
  retry: false,
  run: async (ms: number, job) => {
    // One write to a file opened for appending: it is whole, and it outlives this process.
    appendFileSync(log, `start ${job.id} ${job.fence}\n`)
    if (ms > 0) await new Promise((done) => setTimeout(done, ms))
    appendFileSync(log, `end ${job.id} ${job.fence}\n`)
  },
})
// A server may be away for longer than the watchdog waits.
mill.work([noted], { concurrency: 10, lease, heartbeat: '200ms', poll: '20ms', restart: true })
console.log('ready')
