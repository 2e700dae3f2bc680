/** F-04: a worker is stopped, another claims its jobs and runs them, and the first goes on and makes every write about them. */
import { join } from 'node:path'
import { createStore } from '../../../../src/runtime/store-url.ts'
import { insertJobs, recordOf, takeOver } from '../../../stale/take-over.ts'
import { Fleet } from '../fleet.ts'
import { appendTo, now } from '../ledgers.ts'
import type { Scenario, Size } from '../scenario.ts'

const ROUNDS: Readonly<Record<Size, number>> = { short: 1, long: 10 }
const JOBS = 50
const TAKE_OVER_MS = 90_000

/** The scenario. */
export const aba: Scenario = {
  name: 'aba',
  fault: 'F-04',
  summary: 'every write of a worker that went on while another runs its jobs is refused',
  leaseMs: { short: 100, long: 100 },
  async run(lab, size) {
    const store = await createStore(lab.url)
    await store.open()
    lab.onEnd(() => store.close())
    const ledger = appendTo(lab.folder, 'producer')
    let [pauses, refused] = [0, 0]
    const wrong: string[] = []
    for (let round = 0; round < ROUNDS[size]; round++) {
      const ids = await insertJobs(store, JOBS)
      for (const id of ids) ledger.write({ id, status: 'acked', at: now() })
      const file = join(import.meta.dirname, '../../../stale/stale-worker.ts')
      const stale = lab.child(file, [lab.url, `${JOBS}`, `${lab.leaseMs}`])
      await stale.line(`claimed ${JOBS}`)
      const go = Fleet.stop(lab, [stale])
      const current = await takeOver(store, JOBS, TAKE_OVER_MS)
      const before = JSON.stringify(await recordOf(store, ids))
      go()
      pauses++
      stale.tell('go')
      // What the process says when it is done.
      const accepted: Readonly<Record<string, number>> = JSON.parse((await stale.line('done ')).slice('done '.length))
      for (const [kind, count] of Object.entries(accepted)) {
        refused += JOBS - count
        if (count > 0) wrong.push(`${count} stale writes were accepted: ${kind}`)
      }
      if (JSON.stringify(await recordOf(store, ids)) !== before) wrong.push('stale writes changed what is on record')
      const settle = current.map(({ id, epoch }) => ({ id, epoch, runMs: 1, to: 'completed' as const, result: null }))
      const { settled } = await store.jobs.exchange({ workerId: 'current', settle })
      const unsettled = settled.filter((answer) => answer !== 'settled').length
      if (unsettled > 0) wrong.push(`${unsettled} jobs could not be settled by whoever ran them`)
    }
    ledger.close()
    return { fired: { pauses }, wrong, refused }
  },
}
