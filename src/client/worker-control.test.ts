import { describe, expect, test } from 'vitest'
import { ManualClock, systemClock } from '../base/clock.ts'
import type { NodeRow, Store } from '../store/contract/index.ts'
import { createMemoryStore } from '../store/memory/store.ts'
import { askWorker, liveWorkers } from './worker-control.ts'

const ROW = {
  host: 'here',
  pid: 1,
  version: '0',
  names: [],
  queues: null,
  concurrency: 1,
  running: 0,
  node: null,
  status: 'running',
  health: null,
} as const satisfies Omit<NodeRow, 'id' | 'seenAt' | 'startedAt'>

type Row = Partial<typeof ROW> | Partial<Omit<NodeRow, 'seenAt' | 'startedAt'>>

async function open(clock = systemClock): Promise<Store> {
  const store = createMemoryStore({ clock })
  await store.open()
  await store.migrate()
  return store
}

const beat = (store: Store, id: string, row: Row = {}) => store.cluster.beat({ ...ROW, ...row, id })

/** Plays the workers: does `act` when a message for `to` has come. */
async function whenAsked(store: Store, to: string, act: () => Promise<unknown>): Promise<void> {
  await expect.poll(async () => (await store.cluster.take(to)).length, { timeout: 5_000, interval: 5 }).toBe(1)
  await act()
}

describe('a worker that is asked', () => {
  test.each([
    ['pause', 'paused', 'done'],
    ['pause', 'draining', 'done'],
    ['resume', 'running', 'done'],
    ['resume', 'draining', 'done'],
    ['stop', 'gone', 'done'],
    ['restart', 'gone', 'done'],
    ['pause', 'running', 'unanswered'],
    ['resume', 'paused', 'unanswered'],
    ['stop', 'running', 'unanswered'],
    ['stop', 'draining', 'draining'],
    ['restart', 'draining', 'draining'],
  ] as const)('to %s and is %s then: %s', async (verb, status, result) => {
    const store = await open()
    await beat(store, 'w', { status: verb === 'resume' ? 'paused' : 'running' })

    const [answer] = await Promise.all([
      askWorker(store, systemClock, 'w', verb, { timeout: '400ms', by: 'a test' }),
      whenAsked(store, 'w', () => (status === 'gone' ? store.cluster.remove('w') : beat(store, 'w', { status }))),
    ])

    expect(answer).toBe(result)
  })

  test('by the id of its node counts only when all of the node have answered; later ones are not waited for', async () => {
    const store = await open()
    for (const id of ['a', 'b']) await beat(store, id, { node: 'n' })
    await beat(store, 'other')

    const [half] = await Promise.all([
      askWorker(store, systemClock, 'n', 'restart', { timeout: '400ms' }),
      whenAsked(store, 'n', async () => {
        await store.cluster.remove('a')
        await beat(store, 'c', { node: 'n' })
      }),
    ])
    const [whole] = await Promise.all([
      askWorker(store, systemClock, 'n', 'restart', { timeout: '5s' }),
      whenAsked(store, 'n', () => Promise.all([store.cluster.remove('b'), store.cluster.remove('c')])),
    ])

    expect([half, whole]).toEqual(['unanswered', 'done'])
    expect((await liveWorkers(store)).map(({ id }) => id)).toEqual(['other'])
  })

  test.each([
    ['pause', 'running', ['w', 'w']],
    ['resume', 'paused', ['w', 'w']],
    ['stop', 'running', ['w', 'w']],
    ['restart', 'running', ['w', 'w']],
    ['stop', 'running', ['n', 'n']],
  ] as const)(
    'to %s and is silent for a minute from then on has not answered, until its row is taken away',
    async (verb, status, [id, to]) => {
      const clock = new ManualClock()
      const store = await open(clock)
      await beat(store, 'w', { node: 'n', status })
      const ask = () => askWorker(store, systemClock, id, verb, { timeout: '300ms' })

      const [answer] = await Promise.all([ask(), whenAsked(store, to, async () => clock.advance(60_000))])

      expect(answer).toBe('unanswered')
    },
  )

  test('to stop as a node, one of whose workers has been silent for a while: that one has not ended', async () => {
    const clock = new ManualClock()
    const store = await open(clock)
    await beat(store, 'blocked', { node: 'n' })
    clock.advance(40_000)
    await beat(store, 'well', { node: 'n' })
    const stop = (timeout: string, act: () => Promise<unknown>) =>
      Promise.all([askWorker(store, systemClock, 'n', 'stop', { timeout }), whenAsked(store, 'n', act)])

    const [half] = await stop('300ms', () => store.cluster.remove('well'))
    await beat(store, 'well', { node: 'n' })
    const [whole] = await stop('5s', () => Promise.all(['well', 'blocked'].map((id) => store.cluster.remove(id))))

    expect([half, whole]).toEqual(['unanswered', 'done'])
  })

  test('and is not there, or has been silent for half a minute, is missing, and nothing is left for it', async () => {
    const clock = new ManualClock()
    const store = await open(clock)
    await beat(store, 'old', { node: 'n' })
    clock.advance(30_001)

    for (const id of ['nobody', 'old', 'n']) {
      expect(await askWorker(store, clock, id, 'stop')).toBe('missing')
      expect(await store.cluster.take(id)).toEqual([])
    }
  })

  test('with a word, an option or a time that there is not is refused', async () => {
    const store = await open()
    await beat(store, 'w')

    await expect(askWorker(store, systemClock, 'w', 'kill' as 'stop')).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(askWorker(store, systemClock, 'w', 'stop', { wait: 1 } as never)).rejects.toMatchObject({
      code: 'OPTION_UNKNOWN',
    })
    await expect(askWorker(store, systemClock, 'w', 'stop', { timeout: 'soon' })).rejects.toMatchObject({
      code: 'DURATION_INVALID',
    })
    expect(await store.cluster.take('w')).toEqual([])
  })
})
