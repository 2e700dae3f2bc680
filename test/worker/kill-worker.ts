/** A worker process for the kill tests: writes a line at the start and the end of every handler, and works until it is killed. */
import { appendFileSync } from 'node:fs'
import { defineJob, Millrace } from '../../src/index.ts'

const [, , store = '', ledger = ''] = process.argv
const mill = await Millrace.open({ store })
const noted = defineJob({
  name: 'noted',
  retry: false,
  run: (_: undefined, job) => {
    // One write to a file opened for appending: it is whole, and it outlives this process.
    appendFileSync(ledger, `start ${job.id} ${job.fence}\n`)
    appendFileSync(ledger, `end ${job.id} ${job.fence}\n`)
  },
})
mill.work([noted], { concurrency: 20, lease: '1s', heartbeat: '200ms', poll: '20ms' })
process.send?.('ready')
