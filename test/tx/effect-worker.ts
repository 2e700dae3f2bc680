/**
 * A worker process for the kill tests: each job writes one row and completes itself in the same transaction. A job whose input
 * names a point stands still there in its first run, says so, and waits for the end. Arguments: the store.
 */
import { defineJob, Millrace } from '../../src/index.ts'
import { exitWithParent } from '../support/parent.ts'
import { beginOn } from './begin.ts'

exitWithParent()
const [, , store = ''] = process.argv
const mill = await Millrace.open({ store })
const effect = defineJob({
  name: 'effect',
  run: async (point: string, job): Promise<string> => {
    const isFirst = (await mill.get(job.id))?.losses === 0
    const reached = async (here: string) => {
      if (point !== here || !isFirst) return
      console.log(`${here} ${job.id}`)
      await new Promise(() => undefined)
    }
    const user = await beginOn(store)
    try {
      await user.write(job.id)
      await reached('effect')
      await job.completeIn(user.tx, 'together')
      await reached('completion')
    } catch (error) {
      // Left open it would hold the job's row for as long as this process lives: nobody else could claim it.
      await user.end('rollback')
      throw error
    }
    await user.end('commit')
    await reached('commit')
    return 'returned'
  },
})
mill.work([effect], { concurrency: 10, lease: '1s', heartbeat: '200ms', poll: '20ms' })
console.log('ready')
