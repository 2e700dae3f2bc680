/** A whole worker whose handlers run until somebody makes the file `wake`; then they report and return `stale`. Arguments: the store, that file. */
import { existsSync } from 'node:fs'
import { defineJob, Millrace } from '../../src/index.ts'
import { exitWithParent } from '../support/parent.ts'

exitWithParent()
const [, , store = '', wake = ''] = process.argv
const mill = await Millrace.open({ store })
const job = defineJob({
  name: 'job',
  retry: false,
  run: async (_: number, context) => {
    console.log(`started ${context.id}`)
    // Deaf to its signal, as a handler may be.
    while (!existsSync(wake)) await new Promise((next) => setTimeout(next, 5))
    context.progress(1, 'stale')
    context.log('stale')
    return 'stale'
  },
})
mill.work([job], { concurrency: 100, lease: '2s', heartbeat: '400ms' })
mill.on('lease.lost', ({ jobId }) => console.log(`lost ${jobId}`))
