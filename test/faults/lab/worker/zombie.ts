/** What a handler tries to say whose lease may have gone. */
import { newId } from '../../../../src/base/id.ts'
import type { JobContext } from '../../../../src/index.ts'
import { beginOn } from '../../../tx/begin.ts'
import { appendTo, now } from '../ledgers.ts'
import { type Inputs, optionsOf } from './kinds.ts'
import { defineJob, Millrace, MillraceError } from './library.ts'

const { MILLRACE_LAB_FOLDER: folder = '.', MILLRACE_LAB_STORE: store = '' } = process.env

/** Tries everything, then ends as told. `tell` hears of each try that was answered. */
export async function speak(
  job: JobContext,
  ends: Inputs['zombie']['ends'],
  tell: (what: string, answer: 'accepted' | 'refused') => void,
): Promise<void> {
  job.progress(1, `epoch ${job.fence}`)
  job.log(`epoch ${job.fence}`)
  await keepCheckpoint(job, tell)
  if (ends === 'completes') await completeWithChild(job, tell)
  if (ends === 'throws' && job.fence === 1) throw new Error('epoch 1')
}

/** Refused means that the lease is another's; whatever else goes wrong is no answer. */
async function keepCheckpoint(
  job: JobContext,
  tell: (what: string, answer: 'accepted' | 'refused') => void,
): Promise<void> {
  try {
    await job.checkpoint({ epoch: job.fence })
  } catch (error) {
    if (!(error instanceof MillraceError && error.code === 'LEASE_LOST')) throw error
    tell('checkpoint', 'refused')
    return
  }
  tell('checkpoint', 'accepted')
}

/** A child and the completion in one transaction: of a stale attempt neither must come to be. */
async function completeWithChild(
  job: JobContext,
  tell: (what: string, answer: 'accepted' | 'refused') => void,
): Promise<void> {
  const mill = await Millrace.open({ store })
  const begun = await beginOn(store)
  const id = newId()
  let answer: 'accepted' | 'refused' = 'accepted'
  try {
    await mill.enqueue(defineJob<unknown>(optionsOf('work')), { ms: 0 }, { id, tx: begun.tx })
    await job.completeIn(begun.tx, { epoch: job.fence })
    await begun.end('commit')
    appendTo(folder, 'producer').write({ id, status: 'acked', at: now() })
  } catch {
    // As it has to be when the lease is another's: what was enqueued beside it goes with the transaction.
    answer = 'refused'
    await begun.end('rollback')
  }
  tell('completeIn', answer)
  await mill.close()
}
