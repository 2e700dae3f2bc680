import { expect, test } from 'vitest'
import { claimedJob } from '../../test/support/claimed-job.ts'
import { Telemetry } from '../base/telemetry.ts'
import { defineJob } from '../job/define-job.ts'
import { bind } from '../job/handle.ts'
import { giveUp } from './give-up.ts'
import { type AbortWhy, type Outlet, RunningJob } from './running-job.ts'

const outlet: Outlet = {
  progress: () => undefined,
  log: () => undefined,
  completeIn: async () => undefined,
  checkpoint: async () => undefined,
  restore: async () => undefined,
}

/** Gives up a job that was told to stop for `why`, in an isolate or not, and says what became of it. */
async function giveUpOne(why: AbortWhy | undefined, isIsolated: boolean, isOver = false) {
  const handler = bind(defineJob({ name: 'a', timeout: '1s', run: () => undefined }))
  const job = new RunningJob(claimedJob(), handler, 0, outlet)
  if (why !== undefined) job.abort(why, 0)
  job.isOver = isOver
  const said: unknown[] = []
  const telemetry = new Telemetry()
  telemetry.on('job.abandoned', (event) => said.push(event.why))
  giveUp(job, {
    telemetry,
    isolates: { kill: () => isIsolated },
    executor: {
      sealError: async (of, error) => {
        // A handler that ends now comes too late.
        expect(of.isOver).toBe(true)
        return { error: null, errorLine: String(error) }
      },
    },
    onEnd: (_, { end, errorLine }) => said.push(errorLine === undefined ? end.kind : [end.kind, errorLine]),
    onLeft: () => said.push('left'),
  })
  await new Promise(setImmediate)
  return said
}

test.each<[AbortWhy | undefined, isIsolated: boolean, said: readonly unknown[]]>([
  [
    'timeout',
    false,
    [['timedOut', 'TimeoutError: the job ran longer than its timeout of 1000 ms and ignored its signal']],
  ],
  ['cancelled', false, [['cancelled', 'TimeoutError: the job was cancelled and ignored its signal']]],
  ['stopping', false, ['released']],
  [undefined, false, ['released']],
  ['lease-lost', false, ['left']],
  // It ends when its isolate is gone, and says so itself.
  ['timeout', true, []],
  ['cancelled', true, []],
  ['stopping', true, []],
  // Nothing that it says is settled any more.
  ['lease-lost', true, ['left']],
])('a handler that ignores %s, in an isolate: %s, ends so: %j', async (why, isIsolated, said) => {
  expect(await giveUpOne(why, isIsolated)).toEqual([why ?? 'stopping', ...said])
})

test('an attempt that is over is not given up, and nobody is told', async () => {
  expect(await giveUpOne('timeout', false, true)).toEqual([])
})
