/**
 * Whatever is wrong with what a caller passes is a typed error before anything is written: a stable code, the value or its
 * place, and what to do. Callers in plain JavaScript pass anything, so the types are put aside here.
 */
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createKeyRing, defineConfig, defineJob, Millrace, MillraceError, shape } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'

const plain = defineJob({ name: 'plain', run: (input: unknown) => input })
type Loose = Record<string, (...args: unknown[]) => unknown> & {
  queues: Record<string, (...args: unknown[]) => unknown>
}

/** The error of a call, which must be one of ours with something to do. */
async function refusal(call: () => unknown): Promise<MillraceError> {
  const error = await Promise.resolve()
    .then(call)
    .then(
      (value) => new Error(`accepted: ${String(value)}`),
      (each: unknown) => each,
    )
  expect(error, String(error)).toBeInstanceOf(MillraceError)
  const ours = error as MillraceError
  expect(ours.code).toMatch(/^[A-Z_]+$/)
  expect(ours.hint ?? '', `${ours.message} says what to do`).not.toBe('')
  return ours
}

describe('Millrace.open refuses', () => {
  test.each<[unknown, string, string]>([
    [null, 'CONFIG_INVALID', 'null'],
    [{ stoer: 'x' }, 'OPTION_UNKNOWN', 'store'],
    [{ store: 5 }, 'STORE_URL', '5'],
    [{ store: null }, 'STORE_URL', 'null'],
    [{ store: '' }, 'STORE_URL', '""'],
    [{ store: './jobs.db' }, 'STORE_URL', './jobs.db'],
    [{ store: 'sqlite:' }, 'STORE_URL', 'no file'],
    [{ store: 'sqlite:100%.db' }, 'STORE_URL', '%25'],
    [{ store: 'sqlite:a.db?durabilty=full' }, 'STORE_URL', 'durabilty'],
    [{ store: 'sqlite:a.db?durability=some' }, 'STORE_URL', 'some'],
    [{ store: 'sqlite:a.db?busy=soon' }, 'DURATION_INVALID', 'soon'],
    [{ store: 'memory:', retention: { completed: 'long' } }, 'DURATION_INVALID', 'retention.completed'],
    [{ store: 'memory:', retention: { complted: '1d' } }, 'OPTION_UNKNOWN', 'completed'],
    [{ store: 'memory:', codec: { key: 'x' } }, 'OPTION_UNKNOWN', 'keys'],
    [{ store: 'memory:', codec: 5 }, 'CONFIG_INVALID', 'number'],
    [{ store: 'memory:', codec: { keys: 'k1:abc' } }, 'KEY_INVALID', 'createKeyRing'],
    [{ store: 'memory:', codec: { requireEncryption: true } }, 'CONFIG_INVALID', 'requireEncryption'],
    [{ store: 'memory:', codec: { maxBytes: 1e9 } }, 'CONFIG_INVALID', '1000000000'],
  ])('%j', async (options, code, said) => {
    const error = await refusal(() => Millrace.open(options as never))

    expect(error.code).toBe(code)
    expect(`${error.message} ${error.hint}`).toContain(said)
  })

  test.each([
    'postgres://ana:geheim@db/app',
    'postgress://ana:ge/heim@db/app',
    'ana:geheim@db/app',
    'postgres://ana:12?geheim@db/app',
    'postgres://db/app?user=ana&password=geheim',
    'mysql://db/app?password=geheim',
    'sqlite:a.db?password=geheim',
    './jobs.db?password=geheim',
  ])('a password in a URL, without showing it: %s', async (store) => {
    const error = await refusal(() => Millrace.open({ store }))

    expect(JSON.stringify([error.message, error.fields, error.hint])).not.toMatch(/heim/)
  })
})

describe('defineJob refuses', () => {
  test.each<[unknown, string, string]>([
    [undefined, 'CONFIG_INVALID', 'object'],
    [{}, 'NAME_INVALID', 'job name'],
    [{ name: 'x', timeot: 1 }, 'OPTION_UNKNOWN', 'timeout'],
    [{ name: 'x', timeout: 'soon' }, 'DURATION_INVALID', 'soon'],
    [{ name: 'x', timeout: 0 }, 'DEFINITION_INVALID', 'timeout'],
    [{ name: 'x', version: 0 }, 'DEFINITION_INVALID', '0'],
    [{ name: 'x', queue: 'a/b' }, 'NAME_INVALID', 'a/b'],
    [{ name: 'x', priority: 'hihg' }, 'CONFIG_INVALID', 'high'],
    [{ name: 'x', retry: { attempts: 0 } }, 'CONFIG_INVALID', 'attempts'],
    [{ name: 'x', retry: { backof: 'fixed' } }, 'OPTION_UNKNOWN', 'backoff'],
    [{ name: 'x', input: 5 }, 'DEFINITION_INVALID', 'input'],
    [{ name: 'x', output: {} }, 'DEFINITION_INVALID', 'output'],
    [{ name: 'x', run: 5 }, 'DEFINITION_INVALID', 'run'],
    [{ name: 'x', aliases: 'y' }, 'DEFINITION_INVALID', 'aliases'],
    [{ name: 'x', upgrade: { 1: 'y' } }, 'DEFINITION_INVALID', 'upgrade'],
  ])('%j', async (options, code, said) => {
    const error = await refusal(() => (defineJob as (o: unknown) => unknown)(options))

    expect(error.code).toBe(code)
    expect(`${error.message} ${error.hint}`).toContain(said)
  })
})

describe('an opened Millrace refuses', () => {
  const call = (name: string, ...args: unknown[]) => [name, args] as const
  const option = (value: unknown) => call('enqueue', plain, 1, value)

  test.each<[readonly [string, readonly unknown[]], string]>([
    [call('enqueue', undefined, 1), 'DEFINITION_INVALID'],
    [call('enqueue', 'plain', 1), 'DEFINITION_INVALID'],
    [call('enqueue', plain, 1, null), 'CONFIG_INVALID'],
    [option({ dealy: '5m' }), 'OPTION_UNKNOWN'],
    [option({ delay: -1 }), 'DURATION_INVALID'],
    [option({ delay: null }), 'DURATION_INVALID'],
    [option({ delay: '1m', runAt: new Date() }), 'CONFIG_INVALID'],
    [option({ runAt: 'tomorrow' }), 'CONFIG_INVALID'],
    [option({ runAt: new Date('x') }), 'CONFIG_INVALID'],
    [option({ runAt: null }), 'CONFIG_INVALID'],
    [option({ priority: 101 }), 'CONFIG_INVALID'],
    [option({ queue: 'a b' }), 'NAME_INVALID'],
    [option({ queue: 'x'.repeat(65) }), 'NAME_INVALID'],
    [option({ unique: 5 }), 'CONFIG_INVALID'],
    [option({ unique: '' }), 'CONFIG_INVALID'],
    [option({ unique: { key: 'a', onConflict: 'x' } }), 'CONFIG_INVALID'],
    [option({ unique: { key: 'a', within: 'x' } }), 'DURATION_INVALID'],
    [option({ dependsOn: 5 }), 'CONFIG_INVALID'],
    [option({ dependsOn: [null] }), 'CONFIG_INVALID'],
    [option({ dependsOn: 'nope' }), 'CONFIG_INVALID'],
    [option({ dependsOn: { job: { id: 5 } } }), 'CONFIG_INVALID'],
    [option({ dependsOn: { job: plain, onFailure: 'explode' } }), 'CONFIG_INVALID'],
    [option({ retry: 'often' }), 'CONFIG_INVALID'],
    [option({ timeout: 0 }), 'CONFIG_INVALID'],
    [option({ expiresIn: 'x' }), 'DURATION_INVALID'],
    [option({ tags: 'x' }), 'NAME_INVALID'],
    [option({ tags: Array.from({ length: 33 }, (_, i) => `t${i}`) }), 'NAME_INVALID'],
    [option({ id: 5 }), 'CONFIG_INVALID'],
    [option({ tx: 5 }), 'CONFIG_INVALID'],
    [call('enqueueMany', plain, 5), 'CONFIG_INVALID'],
    [call('enqueueMany', plain, [1, 2], { unique: 'x' }), 'OPTION_UNKNOWN'],
    [call('enqueueMany', plain, [1, 2], { id: 'x' }), 'OPTION_UNKNOWN'],
    [call('list', { state: 'pendign' }), 'CONFIG_INVALID'],
    [call('list', { limit: 0 }), 'CONFIG_INVALID'],
    [call('list', { limit: 201 }), 'CONFIG_INVALID'],
    [call('list', { cursor: 5 }), 'CONFIG_INVALID'],
    [call('list', { order: 'up' }), 'CONFIG_INVALID'],
    [call('list', { queue: 5 }), 'CONFIG_INVALID'],
    [call('list', { tag: 5 }), 'CONFIG_INVALID'],
    [call('list', { createdAfter: 'yesterday' }), 'CONFIG_INVALID'],
    [call('list', { nme: 'x' }), 'OPTION_UNKNOWN'],
    [call('count', {}, 0), 'CONFIG_INVALID'],
    [call('count', { nme: 'x' }), 'OPTION_UNKNOWN'],
    [call('logs', 'x', { limit: 'all' }), 'CONFIG_INVALID'],
    [call('result', 'x', { timeut: '1s' }), 'OPTION_UNKNOWN'],
    [call('result', 'x', { timeout: 'x' }), 'DURATION_INVALID'],
    [call('why', 'nope'), 'JOB_NOT_FOUND'],
    [call('result', 'nope'), 'JOB_NOT_FOUND'],
    [call('cancel', undefined), 'CONFIG_INVALID'],
    [call('cancel', ['x', 5]), 'CONFIG_INVALID'],
    [call('reprioritise', 'x', 'hihg'), 'CONFIG_INVALID'],
    [call('move', 'x', ''), 'NAME_INVALID'],
    [call('reschedule', 'x', 'tomorrow'), 'CONFIG_INVALID'],
    [call('on', 'job.setled', () => {}), 'CONFIG_INVALID'],
    [call('work', plain), 'HANDLER_MISSING'],
    [call('work', [5]), 'HANDLER_MISSING'],
    [call('work', [defineJob({ name: 'no-run' })]), 'HANDLER_MISSING'],
    [call('work', [plain, defineJob({ name: 'plain', run: () => 2 })]), 'DEFINITION_INVALID'],
    [call('work', [plain], { concurency: 1 }), 'OPTION_UNKNOWN'],
    [call('work', [plain], { lease: '1s', heartbeat: '900ms' }), 'CONFIG_INVALID'],
    [call('queues.stats', 'nope'), 'QUEUE_NOT_FOUND'],
    [call('queues.resume', 'nope'), 'QUEUE_NOT_FOUND'],
    [call('queues.clear', 'nope'), 'QUEUE_NOT_FOUND'],
    [call('queues.clear', 'nope', { states: ['x'] }), 'CONFIG_INVALID'],
    [call('queues.pause', ''), 'NAME_INVALID'],
    [call('queues.pause', 'a', { why: 'x' }), 'OPTION_UNKNOWN'],
  ])('%j with %s', async ([name, args], code) => {
    const mill = (await openMill({ store: 'memory:' })) as unknown as Loose
    const [facet, method] = name.includes('.') ? [mill.queues, name.split('.')[1]] : [mill, name]

    const error = await refusal(() => facet[method ?? '']?.(...args))

    expect(error.code, error.message).toBe(code)
    expect(await (mill.count as () => unknown)()).toEqual({ count: 0, capped: false })
  })

  test('a job of a schema it does not fit, and names the place', async () => {
    const mill = await openMill({ store: 'memory:' })
    const { z } = await import('zod')
    const resize = defineJob({ name: 'resize', input: z.object({ to: z.object({ width: z.number() }) }) })

    const error = await refusal(() => mill.enqueue(resize, { to: { width: 'wide' } } as never))

    expect(error).toMatchObject({
      code: 'PAYLOAD_INVALID',
      fields: { name: 'resize', complaints: [{ path: 'to.width' }] },
    })
  })
})

test('what is right is not refused', async () => {
  const keys = createKeyRing({
    active: 'k1',
    keys: { k1: randomBytes(32) },
  })
  const mill = await Millrace.open({ store: 'memory:', codec: { keys, pad: true }, retention: { completed: 0 } })
  const typed = defineJob({ name: 'typed', input: shape<{ a: number }>(), aliases: ['old'], upgrade: { 1: (x) => x } })

  expect(await mill.enqueue(typed, { a: 1 }, { runAt: Date.now(), unique: { key: 'a', within: '1h' } })).toBeTruthy()
  expect(defineConfig({ handlers: ['a', 'b'] })).toEqual({ handlers: ['a', 'b'] })
  await mill.close()
})
