import { describe, expect, test } from 'vitest'
import { Shares } from './shares.ts'

/** The counts of a pool of five. */
function shares(counts: Partial<Pick<Shares, 'count' | 'opening' | 'ordinary' | 'ordinaryOpening' | 'hasUrgent'>>) {
  return Object.assign(new Shares(5), counts)
}

describe('calls that are not urgent', () => {
  test('may use all connections but one where no worker is, but two beside one', () => {
    expect(shares({ count: 5, ordinary: 3 }).mayTake(false)).toBe(true)
    expect(shares({ count: 5, ordinary: 4 }).mayTake(false)).toBe(false)
    expect(shares({ count: 5, ordinary: 2, hasUrgent: true }).mayTake(false)).toBe(true)
    expect(shares({ count: 5, ordinary: 3, hasUrgent: true }).mayTake(false)).toBe(false)
  })

  test('leave two beside a worker that are open: those that are being opened do not count', () => {
    expect(shares({ count: 5, opening: 2, ordinary: 1, hasUrgent: true }).mayTake(false)).toBe(false)
    expect(shares({ count: 5, opening: 1, ordinary: 1, hasUrgent: true }).mayTake(false)).toBe(true)
  })

  test('have one at a time, however few there are', () => {
    expect(shares({ count: 1, hasUrgent: true }).mayTake(false)).toBe(true)
    for (const size of [1, 2]) {
      const few = Object.assign(new Shares(size), { count: size, hasUrgent: true })
      expect(few.mayTake(false)).toBe(true)
      few.ordinary = 1
      expect(few.mayTake(false)).toBe(false)
      expect(few.mayOpen(false)).toBe(false)
    }
  })

  test('open no more than they may use', () => {
    expect(shares({ count: 3, ordinary: 1, ordinaryOpening: 1, hasUrgent: true }).mayOpen(false)).toBe(true)
    expect(shares({ count: 3, ordinary: 2, ordinaryOpening: 1, hasUrgent: true }).mayOpen(false)).toBe(false)
  })
})

test('urgent calls may have whatever is free, and open as long as there is room', () => {
  const all = shares({ count: 4, opening: 4, ordinary: 4 })
  expect(all.mayTake(true)).toBe(true)
  expect(all.mayOpen(true)).toBe(true)
  all.count = 5
  expect(all.hasRoom).toBe(false)
  expect(all.mayOpen(true)).toBe(false)
})
