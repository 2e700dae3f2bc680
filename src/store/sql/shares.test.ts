import { describe, expect, test } from 'vitest'
import { Shares } from './shares.ts'

const NOW = 1_000
const FREE = 3

/** The counts of a pool of five, or of so many. */
function shares({ size = 5, worker = false, ...counts }: { size?: number; worker?: boolean } & Partial<Counts> = {}) {
  const made = Object.assign(new Shares(size), { count: size }, counts)
  if (worker) made.called(true, NOW)
  return made
}

type Counts = Pick<Shares, 'count' | 'ordinary' | 'ordinaryOpening'>

describe('calls that are not urgent', () => {
  test('may use all connections but one where no worker is, but two beside one', () => {
    expect(shares({ ordinary: 3 }).mayTake(false, 1, NOW)).toBe(true)
    expect(shares({ ordinary: 4 }).mayTake(false, FREE, NOW)).toBe(false)
    expect(shares({ ordinary: 2, worker: true }).mayTake(false, FREE, NOW)).toBe(true)
    expect(shares({ ordinary: 3, worker: true }).mayTake(false, FREE, NOW)).toBe(false)
  })

  test('leave the last one that is free to a worker, unless they have none at all', () => {
    expect(shares({ ordinary: 1, worker: true }).mayTake(false, 1, NOW)).toBe(false)
    expect(shares({ ordinary: 1, worker: true }).mayTake(false, 2, NOW)).toBe(true)
    expect(shares({ ordinary: 0, worker: true }).mayTake(false, 1, NOW)).toBe(true)
  })

  test.each([
    [1, 1],
    [2, 1],
    [3, 2],
    [4, 2],
    [5, 3],
    [20, 18],
  ])('of a pool of %i beside a worker use %i', (size, most) => {
    const may = Array.from({ length: size }, (_, ordinary) => shares({ size, ordinary, worker: true }))
    expect(may.filter((each) => each.mayTake(false, FREE, NOW))).toHaveLength(most)
    const opens = may.map((each) => Object.assign(each, { count: 0 }))
    expect(opens.filter((each) => each.mayOpen(false, NOW))).toHaveLength(most)
  })

  test("have the worker's share too, a minute after the last urgent call", () => {
    const made = shares({ ordinary: 3, worker: true })
    made.called(false, NOW + 59_000)
    expect(made.mayTake(false, 1, NOW + 59_999)).toBe(false)
    expect(made.mayTake(false, 1, NOW + 60_000)).toBe(true)
  })

  test('open no more than they may use', () => {
    expect(shares({ count: 3, ordinary: 1, ordinaryOpening: 1, worker: true }).mayOpen(false, NOW)).toBe(true)
    expect(shares({ count: 3, ordinary: 2, ordinaryOpening: 1, worker: true }).mayOpen(false, NOW)).toBe(false)
  })
})

test('urgent calls may have whatever is free, and open as long as there is room', () => {
  const all = shares({ count: 4, ordinary: 4 })
  expect(all.mayTake(true, 1, NOW)).toBe(true)
  expect(all.mayOpen(true, NOW)).toBe(true)
  all.count = 5
  expect(all.hasRoom).toBe(false)
  expect(all.mayOpen(true, NOW)).toBe(false)
})
