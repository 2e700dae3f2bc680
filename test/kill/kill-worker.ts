/**
 * A worker process for the kill tests: works until it is killed. Each handler writes a line at its start and its end to
 * the ledger of effects. Arguments: the store, the folder of the ledger, the lease (default 1s).
 */
import { defineJob, Millrace } from '../../src/index.ts'
import { appendTo, now } from '../faults/lab/ledgers.ts'
import { exitWithParent } from '../support/parent.ts'

exitWithParent()
const [, , store = '', folder = '', lease = '1s'] = process.argv
const effects = appendTo(folder, 'effects')
const mill = await Millrace.open({ store })
const noted = defineJob({
  name: 'noted',
  retry: false,
  run: async (ms: number, job) => {
    const run = { id: job.id, epoch: job.fence, attempt: job.attempt, pid: process.pid }
    effects.write({ ...run, phase: 'start', at: now() })
    if (ms > 0) await new Promise((done) => setTimeout(done, ms))
    effects.write({ ...run, phase: 'end', end: 'returned', at: now() })
  },
})
// A server may be away for longer than the watchdog waits.
mill.work([noted], { concurrency: 10, lease, heartbeat: '200ms', poll: '20ms', restart: true })
console.log('ready')
