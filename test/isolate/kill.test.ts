/** Handlers that do not end by themselves (RELIABILITY F-11): they are killed, with all that they have started. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { startChild } from '../support/child.ts'
import * as handlers from './handlers.ts'
import { ended, isAlive, KINDS, loggedNumber, scene } from './scene.ts'

const WAIT = { timeout: 30_000 }
const pidIn = (text: string) => Number(/\d+/.exec(text)?.[0])

describe.each(KINDS)('a handler in a %s', (kind, job) => {
  test.each(['neverEnds', 'blocks', 'ignoresAbort'])('that %s is killed at its timeout and the grace', async (how) => {
    const { mill, send, result } = await scene()
    const abandoned: unknown[] = []
    mill.on('job.abandoned', (event) => abandoned.push(event))

    const { id } = await send(job, how, { timeout: '200ms' })
    const beside = await send(job, 'fine')

    expect(await beside.result({ timeout: '30s' })).toBe('fine')
    expect(await ended(mill, id)).toMatchObject({
      ...{ state: 'failed', reason: 'exhausted', attempts: 1, crashes: 0 },
      error: {
        name: 'TimeoutError',
        message: `the job ran longer than its timeout of 200 ms and ignored its signal; its ${kind} was killed`,
      },
    })
    expect(abandoned).toMatchObject([{ jobId: id, why: 'timeout' }])
    expect(await result(job, 'fine')).toBe('fine')
  })

  test('that blocks is killed when it is cancelled, and the worker notices nothing meanwhile', async () => {
    const { mill, send } = await scene({ lease: '600ms' })
    const lost: unknown[] = []
    mill.on('lease.lost', (event) => lost.push(event))
    const { id } = await send(job, 'blocks')
    await expect.poll(async () => (await mill.logs(id)).length, WAIT).toBe(1)
    const until = performance.now() + 2_000
    let most = 0
    for (let last = performance.now(); last < until; ) {
      await new Promise(setImmediate)
      most = Math.max(most, performance.now() - last)
      last = performance.now()
    }

    await mill.cancel(id)

    expect(await ended(mill, id)).toMatchObject({ state: 'cancelled', reason: 'requested', losses: 0 })
    expect(lost).toEqual([])
    expect(most).toBeLessThan(600)
  })

  test('that blocks is killed when its worker stops, and its attempt is not counted', async () => {
    const { mill, worker, send } = await scene()
    const { id } = await send(job, 'blocks')
    await expect.poll(async () => (await mill.logs(id)).length, WAIT).toBe(1)

    await worker.stop()

    expect(await mill.get(id)).toMatchObject({ state: 'pending', attempts: 0, crashes: 0, losses: 0 })
  })
})

describe('the processes that a handler in a process has started', () => {
  test('are killed with it', async () => {
    const { mill, send } = await scene()

    const { id } = await send(handlers.inProcess, 'forks', { timeout: '300ms' })
    await ended(mill, id)

    const pid = (await loggedNumber(mill, id, 'pid')) ?? 0
    expect(pid).toBeGreaterThan(0)
    await expect.poll(() => isAlive(pid), WAIT).toBe(false)
  })

  test('are killed when it leaves them behind', async () => {
    const { result } = await scene()

    const pid = Number(await result(handlers.inProcess, 'forksAndReturns'))

    expect(pid).toBeGreaterThan(0)
    await expect.poll(() => isAlive(pid), WAIT).toBe(false)
  })
})

describe('a worker that is killed', () => {
  test.each(['forks', 'blocks', 'idle'])('takes its processes with it: %s', async (how) => {
    const worker = startChild(new URL('./doomed-worker.ts', import.meta.url).pathname, [how])
    const isolate = pidIn(await worker.line('isolate '))
    const said = how === 'idle' ? '' : await worker.line('handler said ')
    const grandchild = how === 'forks' ? pidIn(said) : undefined
    onTestFinished(() => {
      // Only when the test has failed is there one.
      if (isAlive(isolate)) process.kill(isolate, 'SIGKILL')
    })
    expect(isAlive(isolate)).toBe(true)

    await worker.kill()

    await expect.poll(() => isAlive(isolate), WAIT).toBe(false)
    if (grandchild !== undefined) await expect.poll(() => isAlive(grandchild), WAIT).toBe(false)
  })
})
