/** What crosses between a worker and the isolate that runs its job: everything that a handler is given and gives. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createKeyRing, Millrace } from '../../src/index.ts'
import * as handlers from './handlers.ts'
import { ended, KINDS, type Scene, scene, sceneOn } from './scene.ts'

const sealed = () => ({
  store: 'memory:',
  codec: { keys: createKeyRing({ active: 'k1', keys: { k1: randomBytes(32) } }), requireEncryption: true },
})

let shared: Scene
beforeAll(async () => {
  shared = sceneOn(await Millrace.open({ store: 'memory:' }))
})
afterAll(() => shared.mill.close())

describe.each(KINDS)('a job in a %s', (kind, job) => {
  test('gets its input and the facts about it, and gives its result back', async () => {
    const { mill, send } = shared
    const sent = await send(job, 'facts', { priority: 'high', tags: ['a', 'b'] })

    const facts = await sent.result({ timeout: '30s' })

    const info = await mill.get(sent.id)
    expect(facts).toEqual({
      ...{ id: sent.id, name: job.name, queue: 'default', priority: 10, attempt: 1, tags: ['a', 'b'], fence: 1 },
      createdAt: info?.createdAt.toISOString(),
    })
  })

  test('gets any JSON as its input and gives any back', async () => {
    const { mill } = shared
    const text = 'é\u2028"\\\u0000😀'.repeat(50_000)

    const sent = await mill.enqueue(job, { how: 'echo', text })

    expect(await sent.result({ timeout: '30s' })).toEqual({ how: 'echo', text })
  })

  test('tells its progress and its log', async () => {
    const { mill, send } = shared

    const { id } = await send(job, 'tells')
    const info = await ended(mill, id)

    expect(info).toMatchObject({ progress: 0.25, progressNote: 'a quarter', result: 'told' })
    expect((await mill.logs(id)).map(({ level, message }) => [level, message])).toEqual([
      ['info', 'one'],
      ['warn', 'two'],
    ])
  })

  test('leaves checkpoints for its next attempt', async () => {
    const { mill } = await scene()

    const sent = await mill.enqueue(job, { how: 'checkpoints' }, { retry: { attempts: 3, delay: 0 } })

    expect(await sent.result({ timeout: '30s' })).toEqual({ at: 3, before: { at: 2, before: { at: 1 } } })
  })

  test('that floods its log is heard to the last line, as far as lines are kept', async () => {
    const { mill, send } = shared

    const { id } = await send(job, 'logs')
    await ended(mill, id)

    const lines = await mill.logs(id, { limit: 1_000 })
    expect(lines.at(-1)?.message).toBe('line 4999')
    expect(lines.length).toBeLessThanOrEqual(1_000)
  })

  test('ends by what it throws: name, code, message, stack and causes', async () => {
    const { mill, send } = shared

    const info = await ended(mill, (await send(job, 'throws')).id)

    expect(info).toMatchObject({ state: 'failed', reason: 'exhausted', attempts: 1 })
    expect(info.error).toMatchObject({ name: 'TypeError', code: 'EWRONG', message: 'wrong' })
    expect(info.error?.stack).toMatch(/^TypeError: wrong\n {4}at .*handlers\.ts/)
    expect(info.error?.stack).toContain('Caused by: RangeError: deeper')
  })

  test.each([
    ['Discard', 'discards', { state: 'failed', reason: 'discarded', error: { code: 'DISCARDED', message: 'no use' } }],
    ['what JSON cannot carry', 'returnsMap', { state: 'failed', error: { code: 'PAYLOAD_NOT_JSON' } }],
    ['completeIn', 'completes', { state: 'failed', error: { code: 'ISOLATE_REFUSED' } }],
  ])('may not do without an answer: %s', async (_, how, expected) => {
    const { mill, send } = shared

    expect(await ended(mill, (await send(job, how)).id)).toMatchObject(expected)
  })

  test.each([
    ['snoozes', { state: 'scheduled', attempts: 0 }],
    ['retriesLater', { state: 'retrying', attempts: 1, error: { message: 'the other side asks' } }],
  ])('%s for an hour', async (how, expected) => {
    const { mill, send } = shared
    const settled = Promise.withResolvers<void>()
    const forget = mill.on('job.settled', () => settled.resolve())

    const { id } = await send(job, how, { retry: 5 })
    await settled.promise
    forget()

    const info = await mill.get(id)
    expect(info).toMatchObject(expected)
    expect(Number(info?.runAt) - Date.now()).toBeGreaterThan(3_500_000)
  })

  test('hears that it was cancelled, with the reason that its signal gives beside the worker too', async () => {
    const { mill, send } = shared
    const { id } = await send(job, 'heeds')
    await expect.poll(async () => (await mill.logs(id)).length, { timeout: 30_000 }).toBe(1)

    expect(await mill.cancel(id)).toMatchObject([{ outcome: 'cancelling' }])

    expect(await ended(mill, id)).toMatchObject({
      state: 'cancelled',
      reason: 'requested',
      error: { name: 'AbortError', message: 'the job was cancelled' },
    })
  })

  test('hears of its timeout, and ends in time when it heeds its signal', async () => {
    const { mill, send } = await scene({ grace: '30s' })

    const { id } = await send(job, 'heeds', { timeout: '100ms' })

    expect(await ended(mill, id)).toMatchObject({
      state: 'failed',
      error: { name: 'TimeoutError', message: 'the job ran longer than its timeout' },
    })
  })

  test('has its input and result checked and brought to the present where it runs', async () => {
    const { mill } = shared
    const checked = handlers.checked[kind]

    const good = await mill.enqueue(checked, { n: '7' })
    const old = await mill.enqueue({ ...checked, version: 1, input: undefined }, { n: 'seven' } as never)
    const bad = await mill.enqueue({ ...checked, input: undefined }, { n: 'seven' })
    const badResult = await mill.enqueue(checked, { n: -1 })

    expect(await good.result({ timeout: '30s' })).toEqual({ twice: 14 })
    expect(await old.result({ timeout: '30s' })).toEqual({ twice: 10 })
    expect(await ended(mill, bad.id)).toMatchObject({
      state: 'failed',
      reason: 'payload',
      error: { code: 'PAYLOAD_INVALID' },
    })
    expect(await ended(mill, badResult.id)).toMatchObject({ state: 'failed', error: { code: 'RESULT_INVALID' } })
  })

  test('is sealed and opened by the worker alone', async () => {
    const { mill, send } = await scene({}, sealed())

    const { id } = await send(job, 'tells')
    const info = await ended(mill, id)

    expect(info).toMatchObject({ result: 'told', progressNote: 'a quarter', isUnreadable: false })
    const stored = Buffer.from((await mill.store.jobs.get(id))?.result ?? [])
    expect(stored.length).toBeGreaterThan(0)
    expect(stored.includes('told')).toBe(false)
  })

  test('has the middleware of its worker around it', async () => {
    const seen: unknown[] = []
    const { ended: end } = await scene({
      middleware: [
        async (context, next) => {
          const before = context.attempt
          try {
            return await next()
          } catch (error) {
            seen.push(before, (error as Error).name, (error as Error).cause)
            throw error
          }
        },
      ],
    })

    await end(job, 'throws')

    expect(seen).toEqual([1, 'TypeError', expect.objectContaining({ name: 'RangeError', message: 'deeper' })])
  })

  test('that was cancelled while middleware was at work never begins, and takes no room', async () => {
    const atWork = Promise.withResolvers<void>()
    const begun: string[] = []
    const { mill, send, result } = await scene({
      isolates: { size: 1 },
      middleware: [
        async ({ id, signal }, next) => {
          if (begun.push(id) === 1) {
            atWork.resolve()
            await once(signal, 'abort')
          }
          return await next()
        },
      ],
    })
    const { id } = await send(job, 'heeds')
    await atWork.promise

    await mill.cancel(id)

    expect(await ended(mill, id)).toMatchObject({ state: 'cancelled', error: { message: 'the job was cancelled' } })
    expect(await mill.logs(id)).toEqual([])
    expect(await result(job, 'fine')).toBe('fine')
  })
})
