/** Handlers that do what no handler should: the attempt ends, its neighbours and the worker go on. */
import { expect, test } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'

const fine = defineJob({ name: 'fine', run: () => 'fine' })
const boom = () => {
  throw new Error('trapped')
}

type Then = (ok: (value: unknown) => void, no: (error: unknown) => void) => void

function thenable(then: Then, object: object = {}): unknown {
  return Object.defineProperty(object, 'then', { value: then })
}

test.each<[string, () => unknown, object]>([
  ['an object whose `then` getter throws', () => Object.defineProperty({}, 'then', { get: boom }), { state: 'failed' }],
  [
    'a proxy that refuses every question',
    () => new Proxy({}, { has: boom, get: boom, ownKeys: boom }),
    { state: 'failed' },
  ],
  ['a thenable that throws', () => thenable(boom), { state: 'failed', error: { message: 'trapped' } }],
  ['a thenable', () => thenable((ok) => ok(7)), { state: 'completed', result: 7 }],
  [
    'a callable thenable',
    () =>
      thenable(
        (ok) => ok(7),
        () => {},
      ),
    { state: 'completed', result: 7 },
  ],
  [
    'a thenable that answers twice, then throws',
    () =>
      thenable((ok, no) => {
        ok(1)
        no(new Error('no'))
        boom()
      }),
    { state: 'completed', result: 1 },
  ],
  ['a function', () => () => 1, { state: 'failed' }],
  ['a promise that rejects with nothing', () => Promise.reject(), { state: 'failed' }],
])('a handler that returns %s', async (_, make, expected) => {
  const mill = await openMill({ store: 'memory:' })
  const odd = defineJob({ name: 'odd', retry: false, run: make })
  const job = await mill.enqueue(odd)
  const neighbour = await mill.enqueue(fine)

  await mill.work([odd, fine], { drain: true }).done

  expect(await mill.get(job.id)).toMatchObject({ ...expected, attempts: 1 })
  expect(await mill.get(neighbour.id)).toMatchObject({ state: 'completed' })
})

test.each<[string, () => unknown]>([
  ['a proxy whose prototype cannot be asked for', () => new Proxy({}, { getPrototypeOf: boom, get: boom, has: boom })],
  [
    'an error whose every getter throws',
    () =>
      Object.defineProperties(new Error('x'), {
        name: { get: boom },
        message: { get: boom },
        stack: { get: boom },
        code: { get: boom },
        cause: { get: boom },
      }),
  ],
  ['undefined', () => undefined],
  ['a symbol', () => Symbol('s')],
  ['a function', () => boom],
  [
    'a revoked proxy',
    () => {
      const { proxy, revoke } = Proxy.revocable({}, {})
      revoke()
      return proxy
    },
  ],
  [
    'an error with itself as its cause',
    () => {
      const e = new Error('c')
      e.cause = e
      return e
    },
  ],
])('a handler that throws %s, at once or later', async (_, make) => {
  const mill = await openMill({ store: 'memory:' })
  const now = defineJob({
    name: 'now',
    retry: false,
    run: () => {
      throw make()
    },
  })
  const later = defineJob({ name: 'later', retry: false, run: () => Promise.reject(make()) })
  const jobs = [await mill.enqueue(now), await mill.enqueue(later)]
  const neighbour = await mill.enqueue(fine)

  await mill.work([now, later, fine], { drain: true }).done

  for (const { id } of jobs)
    expect(await mill.get(id)).toMatchObject({ state: 'failed', reason: 'exhausted', attempts: 1 })
  expect(await mill.get(neighbour.id)).toMatchObject({ state: 'completed' })
})
