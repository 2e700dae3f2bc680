/** A job that crashed twice runs in a process, whatever its definition says: the third crash is its last, and harms nobody else. */
import { expect, test, vi } from 'vitest'
import * as handlers from './handlers.ts'
import { ended, scene } from './scene.ts'

test('a job that crashes its thread each time runs in a process the third time, and is quarantined', async () => {
  const { mill } = await scene()
  const told: unknown[] = []
  mill.on('job.settled', ({ outcome, reason, error }) => told.push([outcome, reason, error]))

  const { id } = await mill.enqueue(handlers.inThread, { how: 'exit7' })

  expect(await ended(mill, id)).toMatchObject({ state: 'failed', reason: 'quarantined', attempts: 0, crashes: 3 })
  expect(told).toEqual([
    ['retrying', undefined, "IsolateError: the job's thread ended itself with exit code 7"],
    ['retrying', undefined, "IsolateError: the job's thread ended itself with exit code 7"],
    ['failed', 'quarantined', "IsolateError: the job's process ended itself with exit code 7"],
  ])
})

test('a job that runs beside its worker and has crashed it twice runs in a process', async () => {
  const { mill, worker } = await scene()
  worker.pause()
  const { id } = await mill.enqueue(handlers.beside, { how: 'pid' })
  await crash(mill, id, 2)
  worker.resume()

  const info = await ended(mill, id)

  expect(info).toMatchObject({ state: 'completed', crashes: 2 })
  expect(info.result).not.toBe(process.pid)
})

test('it runs beside its worker when nobody knows where its handler could be loaded from', async () => {
  const { mill, worker } = await scene({}, { store: 'memory:' }, [handlers.beside])
  worker.pause()
  const { id } = await mill.enqueue(handlers.beside, { how: 'pid' })
  await crash(mill, id, 2)
  worker.resume()

  expect((await ended(mill, id)).result).toBe(process.pid)
})

test('one that completes in a transaction runs beside its worker, since no isolate has that, and the refusal is no attempt', async () => {
  const { mill, worker } = await scene()
  const pids: string[][] = []
  for (let i = 0; i < 2; i++) {
    worker.pause()
    const { id } = await mill.enqueue(handlers.beside, { how: 'completesLast' })
    await crash(mill, id, 2)
    worker.resume()

    // Here it is the store that has no transactions.
    const { state, attempts, error } = await ended(mill, id)
    expect({ state, attempts, stack: error?.stack }).toEqual({
      state: 'failed',
      attempts: 1,
      stack: expect.stringContaining('cannot take part in a transaction'),
    })
    pids.push((await mill.logs(id)).map(({ message }) => message))
  }

  const here = `pid ${process.pid}`
  expect(pids).toEqual([[expect.not.stringMatching(here), here], [here]])
})

test('one in a process whose worker was lost ten times is on record before it starts, and no sooner', async () => {
  const { mill, worker } = await scene()
  const start = vi.spyOn(mill.store.jobs, 'start')
  const starts: number[] = []
  for (const losses of [9, 10]) {
    worker.pause()
    const { id } = await mill.enqueue(handlers.inProcess, { how: 'fine' })
    for (let i = 0; i < losses; i++) {
      await mill.store.jobs.exchange({
        workerId: 'other',
        settle: [],
        claim: { workerId: 'other', queues: 'all', names: [handlers.inProcess.name], limit: 1, leaseMs: 60_000 },
      })
      expect(await mill.store.jobs.recover('other', null, 10)).toHaveLength(1)
    }
    worker.resume()
    expect(await ended(mill, id)).toMatchObject({ state: 'completed', crashes: 0 })
    starts.push(start.mock.calls.length)
  }

  expect(starts).toEqual([0, 1])
})

/** As if a worker had seen an isolate die under it so often. */
async function crash(mill: Awaited<ReturnType<typeof scene>>['mill'], id: string, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const { claimed } = await mill.store.jobs.exchange({
      workerId: 'other',
      settle: [],
      claim: { workerId: 'other', queues: 'all', names: [handlers.beside.name], limit: 1, leaseMs: 60_000 },
    })
    const lease = claimed[0]
    if (lease?.id !== id) throw new Error('another job was claimed')
    const settled = {
      id,
      epoch: lease.epoch,
      runMs: 1,
      to: 'retrying',
      delayMs: 0,
      error: null,
      crashed: true,
    } as const
    await mill.store.jobs.exchange({ workerId: 'other', settle: [settled] })
    await mill.store.jobs.promote(10)
  }
}
