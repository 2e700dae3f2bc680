import { describe, expect, test } from 'vitest'
import { Shares } from './shares.ts'

const NOW = 1_000
const FREE = 3

type Counts = Shares['used'] & Pick<Shares, 'count' | 'opening' | 'ordinaryOpening'>

/** The counts of a pool of six, or of so many. */
function shares({ size = 6, worker = false, ...counts }: { size?: number; worker?: boolean } & Partial<Counts> = {}) {
  const { count = size, opening = 0, ordinaryOpening = 0, ...used } = counts
  const made = Object.assign(new Shares(size), { count, opening, ordinaryOpening })
  Object.assign(made.used, used)
  if (worker) made.called('urgent', NOW)
  return made
}

describe('ordinary calls', () => {
  test('may use all connections but one where no worker is, but three beside one', () => {
    expect(shares({ ordinary: 4 }).mayTake('ordinary', 1, NOW)).toBe(true)
    expect(shares({ ordinary: 5 }).mayTake('ordinary', FREE, NOW)).toBe(false)
    expect(shares({ ordinary: 2, worker: true }).mayTake('ordinary', FREE, NOW)).toBe(true)
    expect(shares({ ordinary: 3, worker: true }).mayTake('ordinary', FREE, NOW)).toBe(false)
  })

  test('leave the last one that is free to a worker, unless they have none at all and more may be open', () => {
    expect(shares({ ordinary: 1, count: 5, worker: true }).mayTake('ordinary', 1, NOW)).toBe(false)
    expect(shares({ ordinary: 1, count: 5, worker: true }).mayTake('ordinary', 2, NOW)).toBe(true)
    expect(shares({ ordinary: 0, count: 5, worker: true }).mayTake('ordinary', 1, NOW)).toBe(true)
    expect(shares({ ordinary: 0, count: 6, worker: true }).mayTake('ordinary', 1, NOW)).toBe(false)
    expect(shares({ ordinary: 0, size: 3, worker: true }).mayTake('ordinary', 1, NOW)).toBe(true)
  })

  test.each([
    [1, 1],
    [2, 1],
    [3, 2],
    [4, 2],
    [5, 2],
    [6, 3],
    [20, 17],
  ])('of a pool of %i beside a worker use %i', (size, most) => {
    const may = Array.from({ length: size }, (_, ordinary) => shares({ size, ordinary, worker: true }))
    expect(may.filter((each) => each.mayTake('ordinary', FREE, NOW))).toHaveLength(most)
    const opens = may.map((each) => Object.assign(each, { count: 0 }))
    expect(opens.filter((each) => each.mayOpen('ordinary', NOW))).toHaveLength(most)
  })

  test("have the worker's share too, a minute after its last call", () => {
    const made = shares({ ordinary: 3, worker: true })
    made.called('ordinary', NOW + 59_000)
    expect(made.mayTake('ordinary', 1, NOW + 59_999)).toBe(false)
    expect(made.mayTake('ordinary', 1, NOW + 60_000)).toBe(true)
    made.called('heartbeat', NOW + 60_000)
    expect(made.mayTake('ordinary', 1, NOW + 60_000)).toBe(false)
  })

  test('open no more than they may use', () => {
    expect(shares({ count: 3, ordinary: 1, ordinaryOpening: 1, worker: true }).mayOpen('ordinary', NOW)).toBe(true)
    expect(shares({ count: 3, ordinary: 2, ordinaryOpening: 1, worker: true }).mayOpen('ordinary', NOW)).toBe(false)
  })
})

describe('urgent calls', () => {
  test('leave the last one that is free to heartbeats, unless they have none at all and more may be open', () => {
    expect(shares({ urgent: 2, count: 5 }).mayTake('urgent', 2, NOW)).toBe(true)
    expect(shares({ urgent: 2, count: 5 }).mayTake('urgent', 1, NOW)).toBe(false)
    expect(shares({ urgent: 0, count: 5 }).mayTake('urgent', 1, NOW)).toBe(true)
    expect(shares({ urgent: 0, count: 6 }).mayTake('urgent', 1, NOW)).toBe(false)
    expect(shares({ urgent: 0, count: 6, opening: 1 }).mayTake('urgent', 1, NOW)).toBe(true)
  })

  test('share what is open for ten seconds after no more could be opened', () => {
    const made = shares({ urgent: 1, count: 2 })
    made.refused(NOW)
    expect(made.mayTake('urgent', 1, NOW + 9_999)).toBe(true)
    expect(made.mayTake('urgent', 1, NOW + 10_000)).toBe(false)
  })

  test.each([1, 2, 3])('may have all of a pool of %i, which is too small for one that only heartbeats use', (size) => {
    expect(shares({ size, urgent: size - 1 }).mayTake('urgent', 1, NOW)).toBe(true)
  })

  test('open as long as there is room, whatever the others use', () => {
    expect(shares({ count: 5, ordinary: 5 }).mayOpen('urgent', NOW)).toBe(true)
    expect(shares({ count: 6 }).mayOpen('urgent', NOW)).toBe(false)
  })
})

test('heartbeats may have whatever is free, and open as long as there is room', () => {
  expect(shares({ urgent: 3, ordinary: 2, heartbeat: 1 }).mayTake('heartbeat', 1, NOW)).toBe(true)
  expect(shares({ count: 5, urgent: 5 }).mayOpen('heartbeat', NOW)).toBe(true)
  expect(shares({ count: 6 }).mayOpen('heartbeat', NOW)).toBe(false)
})

test.each([4, 5, 6, 20])('beside all other calls that a pool of %i allows one is free for a heartbeat', (size) => {
  for (let ordinary = 0; ordinary <= size; ordinary++) {
    const made = shares({ size, worker: true })
    let free = size
    const take = (urgency: 'urgent' | 'ordinary') => {
      if (free === 0 || !made.mayTake(urgency, free, NOW)) return false
      made.used[urgency]++
      free--
      return true
    }
    for (let calls = 0; calls < ordinary; calls++) take('ordinary')
    while (take('urgent')) made.called('urgent', NOW)
    while (take('ordinary')) made.called('urgent', NOW)
    expect([ordinary, free]).toEqual([ordinary, 1])
  }
})
