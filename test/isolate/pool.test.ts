/** How isolates are kept: warm between jobs, replaced when they are not clean, ended when nobody needs them. */
import { describe, expect, test } from 'vitest'
import * as handlers from './handlers.ts'
import { ended, isAlive, KINDS, scene } from './scene.ts'

const WAIT = { timeout: 30_000 }
const { inProcess, tightProcess } = handlers

describe.each(KINDS)('a %s', (_, job) => {
  test('runs one job after another', async () => {
    const { result } = await scene()

    const ids = [await result(job, 'place'), await result(job, 'place'), await result(job, 'place')]

    expect(new Set(ids).size).toBe(1)
  })

  test('is replaced when a job has left a timer in it', async () => {
    const { result } = await scene()

    const first = await result(job, 'place')
    await result(job, 'leavesTimer')
    const second = await result(job, 'place')

    expect(second).not.toBe(first)
  })

  test('is replaced when a job was aborted in the middle of something', async () => {
    const { mill, send, result } = await scene()

    const first = await result(job, 'place')
    await ended(mill, (await send(job, 'leavesHandle', { timeout: '100ms' })).id)
    const second = await result(job, 'place')

    expect(second).not.toBe(first)
  })

  test('stays when a job was aborted and has heeded its signal', async () => {
    const { mill, send, result } = await scene()

    const first = await result(job, 'place')
    await ended(mill, (await send(job, 'heeds', { timeout: '100ms' })).id)
    const second = await result(job, 'place')

    expect(second).toBe(first)
  })

  test('is one of no more than `size`, and the jobs beyond that wait with their timeouts not yet counting', async () => {
    const { mill, send, result } = await scene({ isolates: { size: 1 }, grace: 0 })
    const first = await result(job, 'place')

    const slow = await send(job, 'neverEnds', { timeout: '400ms' })
    const waiting = await send(job, 'place', { timeout: '200ms' })

    expect(typeof (await waiting.result({ timeout: '30s' }))).toBe('string')
    expect(await ended(mill, slow.id)).toMatchObject({ state: 'failed', error: { name: 'TimeoutError' } })
    expect(await mill.get(waiting.id)).toMatchObject({ attempts: 1 })
    expect(typeof first).toBe('string')
  })

  test('that a cancelled job waits for is not needed any more', async () => {
    const { mill, send } = await scene({ isolates: { size: 1 } })
    const busy = await send(job, 'heeds', { timeout: '1h' })
    const { id } = await send(job, 'fine')
    await expect.poll(async () => (await mill.logs(busy.id)).length, WAIT).toBe(1)

    await mill.cancel(id)

    expect(await ended(mill, id)).toMatchObject({ state: 'cancelled', reason: 'requested' })
    await mill.cancel(busy.id)
    expect(await ended(mill, busy.id)).toMatchObject({ state: 'cancelled' })
  })
})

describe('a process', () => {
  test('ends when it has been idle for long enough', async () => {
    const { result } = await scene({ isolates: { idle: '50ms' } })

    const pid = Number(await result(inProcess, 'pid'))

    await expect.poll(() => isAlive(pid), WAIT).toBe(false)
  })

  test('makes room for one with another limit', async () => {
    const { result } = await scene({ isolates: { size: 1 } })

    const roomy = Number(await result(inProcess, 'pid'))
    const tight = Number(await result(tightProcess, 'pid'))

    expect(tight).not.toBe(roomy)
    await expect.poll(() => isAlive(roomy), WAIT).toBe(false)
  })

  test('ends with its worker', async () => {
    const { result, worker } = await scene()
    const pid = Number(await result(inProcess, 'pid'))

    await worker.stop()

    expect(isAlive(pid)).toBe(false)
  })

  test('leaves signals that everybody gets to its worker', async () => {
    const { result } = await scene()
    const pid = Number(await result(inProcess, 'pid'))

    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) process.kill(pid, signal)

    expect(await result(inProcess, 'pid')).toBe(pid)
  })

  test('that is killed while it rests is replaced, and the next job notices nothing', async () => {
    const { mill, send, result } = await scene()
    const pid = Number(await result(inProcess, 'pid'))

    process.kill(pid, 'SIGKILL')
    const info = await ended(mill, (await send(inProcess, 'pid')).id)

    expect(info).toMatchObject({ state: 'completed', attempts: 1, crashes: 0 })
    expect(info.result).not.toBe(pid)
  })
})
