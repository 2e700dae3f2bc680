import { beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { StepWatch } from './step-watch.ts'

const CROWDED = new Error('too many connections')
/** More than fit into the shortest patience. */
const ASKS = 6
const SECOND_MS = 1_000
const MINUTE_MS = 60_000

beforeEach(() => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
})

/** A watch over an answer that comes after so many asks, each of which meets this; and how often it gave up. */
function watching(ask: () => Promise<boolean>, asks: number, pooled: { readonly queueMs?: number } = {}) {
  let asked = 0
  let givenUp = 0
  let answer = (_: string): void => undefined
  let fail = (_: Error): void => undefined
  const promise = new Promise<string>((resolve, reject) => {
    answer = resolve
    fail = reject
  })
  const watch = new StepWatch({
    where: 'db h',
    deadlineMs: 1,
    ...pooled,
    connect: async () => {
      if (++asked === asks) answer('done')
      return { close: async () => undefined, destroy: () => undefined }
    },
    isAtWork: ask,
    isCrowded: (error) => error === CROWDED,
    giveUp() {
      givenUp++
      fail(new Error('destroyed'))
    },
  })
  return { over: watch.over(promise), givenUp: () => givenUp }
}

it.each([
  ['is at work', async () => true],
  ['takes no more connections', async () => Promise.reject(CROWDED)],
])('a server that %s is waited for', async (_, ask) => {
  const { over, givenUp } = watching(ask, ASKS)

  await vi.advanceTimersByTimeAsync(MINUTE_MS)

  expect(await over).toBe('done')
  expect(givenUp()).toBe(0)
})

it.each([
  ['is at work on nothing', async () => false],
  ['does not answer', () => Promise.reject(new Error('timeout'))],
])('a server that %s for a deadline is given up, and the call is late', async (_, ask) => {
  const { over, givenUp } = watching(ask, Number.POSITIVE_INFINITY)
  const refused = expect(over).rejects.toMatchObject({ kind: 'transient', code: 'STORE_UNREACHABLE' })

  await vi.advanceTimersByTimeAsync(MINUTE_MS)

  await refused
  expect(givenUp()).toBe(1)
})

it('however short the deadline, a server that is far away has ten seconds', async () => {
  const { over, givenUp } = watching(async () => false, Number.POSITIVE_INFINITY)
  const refused = expect(over).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })

  await vi.advanceTimersByTimeAsync(9 * SECOND_MS)
  const before = givenUp()
  await vi.advanceTimersByTimeAsync(10 * SECOND_MS)

  await refused
  expect([before, givenUp()]).toEqual([0, 1])
})

it('a pooler that lets the question in and keeps it waiting is waited for, and not for ever', async () => {
  const pooled = { queueMs: 10 * MINUTE_MS }
  const { over, givenUp } = watching(() => Promise.reject(new Error('timeout')), Number.POSITIVE_INFINITY, pooled)
  const refused = expect(over).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })

  await vi.advanceTimersByTimeAsync(9 * MINUTE_MS)
  const before = givenUp()
  await vi.advanceTimersByTimeAsync(2 * MINUTE_MS)

  await refused
  expect([before, givenUp()]).toEqual([0, 1])
})

it('a server behind a pooler that says it is at work on nothing is given up as any other', async () => {
  const { over, givenUp } = watching(async () => false, Number.POSITIVE_INFINITY, { queueMs: 10 * MINUTE_MS })
  const refused = expect(over).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })

  await vi.advanceTimersByTimeAsync(MINUTE_MS)

  await refused
  expect(givenUp()).toBe(1)
})

it('an answer that fails by itself fails as it says', async () => {
  const watch = new StepWatch({
    where: 'db h',
    deadlineMs: 1,
    connect: () => Promise.reject(new Error('not asked')),
    isAtWork: async () => false,
    isCrowded: () => false,
    giveUp: () => undefined,
  })

  await expect(watch.over(Promise.reject(CROWDED))).rejects.toBe(CROWDED)
})
