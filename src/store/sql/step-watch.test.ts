import { expect, it } from 'vitest'
import { StepWatch } from './step-watch.ts'

const CROWDED = new Error('too many connections')
/** More than fit into the shortest patience. */
const ASKS = 6

/** A watch over an answer that comes after so many asks, each of which meets this; and how often it gave up. */
function watching(ask: () => Promise<boolean>, asks: number) {
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

  expect(await over).toBe('done')
  expect(givenUp()).toBe(0)
})

it.each([
  ['is at work on nothing', async () => false],
  ['does not answer', () => Promise.reject(new Error('timeout'))],
])('a server that %s for a deadline is given up, and the call is late', async (_, ask) => {
  const { over, givenUp } = watching(ask, Number.POSITIVE_INFINITY)

  await expect(over).rejects.toMatchObject({ kind: 'transient', code: 'STORE_UNREACHABLE' })
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
