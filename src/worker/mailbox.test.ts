import { expect, onTestFinished, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import type { Message, MessageVerb, Store } from '../store/contract/index.ts'
import { createMemoryStore } from '../store/memory/store.ts'
import { Mailbox } from './mailbox.ts'

/** A store whose looks into the mailbox are counted, and whose hints come when the test says. */
async function office() {
  const clock = new ManualClock()
  const inner = createMemoryStore({ clock })
  await inner.open()
  await inner.migrate()
  let looks = 0
  let isAway = false
  let hintsWithin = false
  const listeners = new Set<() => void>()
  const hint = () => {
    for (const listener of listeners) listener()
  }
  const cluster: Store['cluster'] = {
    ...inner.cluster,
    take: (to) => {
      looks++
      if (hintsWithin) hint()
      return isAway ? Promise.reject(new Error('away')) : inner.cluster.take(to)
    },
  }
  const wake: Store['wake'] = {
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const jobs = inner.jobs
  const store = { cluster, wake, jobs } as unknown as Store
  const got: [string, MessageVerb][] = []
  const errors: unknown[] = []
  const box = (to: string, name = to) => {
    const onMessage = ({ verb }: Message) => got.push([name, verb])
    const made = new Mailbox({ store: () => store, clock, to, onMessage, onError: (error) => errors.push(error) })
    made.start()
    onTestFinished(() => made.stop())
    return made
  }
  const pass = async (ms: number) => {
    clock.advance(ms)
    await new Promise((resolve) => setImmediate(resolve))
  }
  const post = (to: string, verb: MessageVerb) => inner.cluster.post({ to, verb, by: 'a test', ttlMs: 60_000 })
  return {
    box,
    pass,
    post,
    got,
    errors,
    listeners,
    hint,
    setHintsWithin: (value: boolean) => {
      hintsWithin = value
    },
    looks: () => looks,
    setAway: (value: boolean) => {
      isAway = value
    },
  }
}

test('messages are found by looking every two seconds, in the order in which they were left', async () => {
  const { box, pass, post, got, looks } = await office()
  box('w')
  await pass(500)
  await post('w', 'pause')
  await post('w', 'stop')
  await post('else', 'resume')

  await pass(1_999)
  expect(got).toEqual([])
  await pass(1)

  expect(got).toEqual([
    ['w', 'pause'],
    ['w', 'stop'],
  ])
  await pass(2_000)
  expect([looks(), got.length]).toEqual([3, 2])
})

test('a hint makes it look at once, but a thousand hints twice a second at most', async () => {
  const { box, pass, post, got, looks, hint } = await office()
  box('w')
  await pass(500)
  await pass(1_000)
  await post('w', 'resume')
  hint()
  await pass(0)
  expect(got).toEqual([['w', 'resume']])

  for (let i = 0; i < 1_000; i++) {
    hint()
    await pass(1)
  }

  expect(looks()).toBe(4)
})

test('a hint that comes while it looks is another look half a second later, not at once', async () => {
  const { box, pass, looks, setHintsWithin } = await office()
  box('w')
  await pass(500)
  setHintsWithin(true)

  for (let i = 0; i < 400; i++) await pass(10)

  expect(looks()).toBeGreaterThan(5)
  expect(looks()).toBeLessThan(10)
})

test('of two takers of one id each message reaches one', async () => {
  const { box, pass, post, got } = await office()
  box('w', 'first')
  box('w', 'second')
  await post('w', 'pause')

  await pass(5_000)

  expect(got).toHaveLength(1)
})

test('a store that fails is told of and asked again, and a stop ends the looks and the hints', async () => {
  const { box, pass, post, got, errors, looks, hint, listeners, setAway } = await office()
  const made = box('w')
  setAway(true)
  await post('w', 'pause')
  await pass(500)
  expect(errors).toHaveLength(1)
  setAway(false)
  await pass(1_000)
  expect(got).toEqual([['w', 'pause']])

  await made.stop()
  const before = looks()
  hint()
  await pass(60_000)

  expect([looks(), listeners.size]).toEqual([before, 0])
})
