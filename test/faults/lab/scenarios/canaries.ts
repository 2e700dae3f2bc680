/** Jobs of a healthy queue, one after the other, each when the one before has its result. */
import { newId } from '../../../../src/base/id.ts'
import { defineJob } from '../../../../src/index.ts'
import type { Laboratory } from '../laboratory.ts'
import { appendTo, now } from '../ledgers.ts'
import { optionsOf } from '../worker/kinds.ts'

/** Sends canaries until it is over. How long each took, from its enqueue to its result. */
export async function canaries(lab: Laboratory, isOver: (sung: number) => boolean): Promise<readonly number[]> {
  const mill = await lab.mill()
  const job = defineJob<unknown>(optionsOf('canary'))
  const ledger = appendTo(lab.folder, 'producer')
  const times: number[] = []
  do {
    const begun = now()
    const id = newId()
    const one = await mill.enqueue(job, { ms: 0 }, { id })
    ledger.write({ id, status: 'acked', at: now() })
    await one.result({ timeout: '60s' })
    times.push(now() - begun)
  } while (!isOver(times.length))
  ledger.close()
  return times
}
