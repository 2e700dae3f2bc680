import { expect, test } from 'vitest'
import type { ClaimedJob } from '../../store/contract/index.ts'
import { type Outlet, RunningJob } from '../running-job.ts'
import { IsolatedAttempt } from './isolated-attempt.ts'
import type { ToIsolate } from './message.ts'
import type { IsolateListener } from './pool.ts'

test('the answer to a call that the handler did not wait for is not sent when another may have the isolate', async () => {
  const saved = Promise.withResolvers<void>()
  const answers: ToIsolate[] = []
  const heard: IsolateListener[] = []
  const attempt = new IsolatedAttempt({
    job: attemptOf('job', { checkpoint: () => saved.promise }),
    in: 'process',
    memoryMib: undefined,
    entry: [],
    input: '',
    onBegan: () => {},
    onLeft: () => {},
  })
  attempt.begin({
    begin: (_message, _body, _memoryMib, listener) => {
      heard.push(listener)
      return { send: (message) => answers.push(message), kill: () => {} }
    },
    close: async () => {},
  })
  const call = { kind: 'call', jobId: 'job', fence: 1, verb: 'checkpoint', text: '1' } as const

  heard[0]?.onMessage({ ...call, call: 1 }, '')
  heard[0]?.onMessage({ kind: 'done', end: { kind: 'returned' }, left: [], isCollecting: false }, '1')
  saved.resolve()
  await new Promise(setImmediate)

  expect(await attempt.done).toBe(1)
  expect(answers).toEqual([])
})

/** An attempt whose handler runs elsewhere, as its worker holds it. */
function attemptOf(id: string, outlet: Partial<Outlet>): RunningJob {
  const handler = { definition: { timeoutMs: 1_000 } } as RunningJob['handler']
  // No more of them is looked at here.
  const claimed = { id, epoch: 1, timeoutMs: null, payload: new Uint8Array() } as Partial<ClaimedJob> as ClaimedJob
  return new RunningJob(claimed, handler, 0, outlet as Outlet)
}
