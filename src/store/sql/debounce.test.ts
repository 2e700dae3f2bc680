import { afterEach, expect, test, vi } from 'vitest'
import { Debounce } from './debounce.ts'

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

test('while claims find enough, ended jobs are told of within 200 ms after the last hint, or with the next', () => {
  vi.useFakeTimers()
  let told = 0
  const debounce = new Debounce(() => told++)
  const forMs = (length: number) => {
    const before = told
    for (let ms = 0; ms < length; ms++) {
      endedWhileBusy(debounce)
      vi.advanceTimersByTime(1)
    }
    return told - before
  }
  endedWhileBusy(debounce)
  expect(told).toBe(1)
  expect(forMs(2_000)).toBe(10)

  vi.advanceTimersByTime(1_000)
  const before = told
  debounce.due()
  expect(told).toBe(before + 1)
  endedWhileBusy(debounce)
  vi.advanceTimersByTime(50)
  debounce.due()
  expect(told).toBe(before + 2)
  vi.advanceTimersByTime(190)
  expect(told).toBe(before + 2)
  endedWhileBusy(debounce)
  vi.advanceTimersByTime(5)
  endedWhileBusy(debounce)
  debounce.found(false)
  expect(told).toBe(before + 3)
  debounce.found(false)
  vi.advanceTimersByTime(1_000)
  expect(told).toBe(before + 3)
})

test('ended jobs go with what comes at the end of a rest, and are forgotten when it is stopped', () => {
  vi.useFakeTimers()
  let told = 0
  const debounce = new Debounce(() => told++)
  debounce.due()
  endedWhileBusy(debounce)
  debounce.due()
  vi.advanceTimersByTime(10)
  expect(told).toBe(2)
  vi.advanceTimersByTime(1_000)
  expect(told).toBe(2)

  debounce.due()
  endedWhileBusy(debounce)
  debounce.stop()
  vi.advanceTimersByTime(1_000)
  expect(told).toBe(3)
})

function endedWhileBusy(debounce: Debounce): void {
  debounce.found(true)
  debounce.ended()
}
