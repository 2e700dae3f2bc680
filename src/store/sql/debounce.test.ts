import { afterEach, expect, test, vi } from 'vitest'
import { Debounce, type RestRange } from './debounce.ts'

afterEach(() => {
  vi.useRealTimers()
})

test('tells single news at once, however regular they are', () => {
  vi.useFakeTimers()
  let told = 0
  const debounce = new Debounce(() => told++)

  for (let i = 1; i <= 100; i++) {
    debounce.due()
    expect(told).toBe(i)
    vi.advanceTimersByTime(10)
  }
})

test('tells what comes too often each 50 ms at most, and the last of it always', () => {
  vi.useFakeTimers()
  let told = 0
  const debounce = new Debounce(() => told++)
  const second = () => {
    for (let ms = 0; ms < 1_000; ms++) {
      debounce.due()
      vi.advanceTimersByTime(1)
    }
  }
  second()
  const first = told
  second()

  expect(first).toBeLessThanOrEqual(25)
  expect(told - first).toBe(20)
  const before = told
  debounce.due()
  vi.advanceTimersByTime(50)
  expect(told).toBeGreaterThan(before)
  vi.advanceTimersByTime(1_000)
  const quiet = told
  debounce.due()
  expect(told).toBe(quiet + 1)
})

test('lets a caller tell by itself, and says nothing once it is stopped', () => {
  vi.useFakeTimers()
  let told = 0
  const debounce = new Debounce(() => told++)

  expect(debounce.mayTell()).toBe(true)
  expect(debounce.mayTell()).toBe(false)
  debounce.due()
  debounce.stop()
  vi.advanceTimersByTime(100)

  expect(told).toBe(0)
})

test('rests as long as its owner says, and ends a rest that is too long by now', () => {
  vi.useFakeTimers()
  let told = 0
  let longer: RestRange | undefined = { leastMs: 200, mostMs: 200 }
  const debounce = new Debounce(
    () => told++,
    () => longer,
  )
  const forMs = (length: number) => {
    for (let ms = 0; ms < length; ms++) {
      debounce.due()
      vi.advanceTimersByTime(1)
    }
  }
  forMs(1_000)
  expect(told).toBeLessThanOrEqual(6)
  const before = told
  forMs(2_000)

  expect(told - before).toBe(10)
  const long = told
  longer = undefined
  debounce.due()
  vi.advanceTimersByTime(51)
  expect(told).toBe(long + 1)
  forMs(200)
  const short = told
  forMs(1_000)
  expect(told - short).toBe(20)
})
