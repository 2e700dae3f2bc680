import { expect, test } from 'vitest'
import type { ClaimedJob } from '../../store/contract/index.ts'
import { type Outlet, RunningJob } from '../running-job.ts'
import { answerCall, Calls } from './calls.ts'
import type { CallMessage, FromIsolate } from './message.ts'

/** An attempt as its worker holds it, and what it has asked the store for. */
function held(id: string, epoch: number) {
  const asked: unknown[] = []
  // No more of it is looked at here.
  const outlet = {
    checkpoint: async (_, value) => void asked.push(value),
    restore: async () => asked.push('restore'),
  } as Partial<Outlet> as Outlet
  const handler = { definition: { timeoutMs: 1_000 } } as RunningJob['handler']
  const claimed = { id, epoch, timeoutMs: null, payload: new Uint8Array() } as Partial<ClaimedJob> as ClaimedJob
  return { job: new RunningJob(claimed, handler, 0, outlet), asked }
}

/** The calls of an attempt inside its isolate, and what they send. */
function callsOf(id: string, fence: number) {
  const sent: FromIsolate[] = []
  return { calls: new Calls({ id, fence }, (message) => sent.push(message)), sent }
}

test.each([
  ['another job', 'other', 2],
  ['an earlier attempt', 'job', 1],
])('a call of %s is refused, and asks the store for nothing', async (_, id, fence) => {
  const { job, asked } = held('job', 2)
  const { calls, sent } = callsOf(id, fence)
  void calls.checkpoint('stray')
  void calls.restore()

  const answers = await Promise.all(sent.map((message) => answerCall(job, message as CallMessage)))

  const refused = { kind: 'answer', jobId: id, fence, error: { code: 'LEASE_LOST' } }
  expect(answers).toMatchObject([refused, refused])
  expect(asked).toEqual([])
})

test('an answer to another attempt is dropped', async () => {
  const { calls } = callsOf('job', 2)
  const restored = calls.restore()

  calls.hear({ kind: 'answer', jobId: 'other', fence: 2, call: 1, text: '"of another job"' })
  calls.hear({ kind: 'answer', jobId: 'job', fence: 1, call: 1, text: '"of an earlier attempt"' })
  calls.hear({ kind: 'answer', jobId: 'job', fence: 2, call: 1, text: '"its own"' })

  expect(await restored).toBe('its own')
})

test('an attempt that is over asks for nothing, and is told so, as is what has waited for an answer', async () => {
  const { calls, sent } = callsOf('job', 1)
  const waiting = calls.restore()

  calls.close()

  for (const call of [waiting, calls.restore(), calls.checkpoint('late')])
    await expect(call).rejects.toMatchObject({ code: 'LEASE_LOST', message: expect.stringContaining('job has ended') })
  expect(sent).toHaveLength(1)
})
