import { expect, test } from 'vitest'
import { Turns } from './turns.ts'

test('never rests while nobody else commits', () => {
  const turns = new Turns()

  for (let now = 0; now < 1_000; now++) expect(write(turns, 1, now)).toBe(0)
})

test('rests after it wrote for a whole turn beside somebody active', () => {
  const turns = new Turns()
  write(turns, 1, 0)
  for (const now of [10, 11, 12, 13]) expect(write(turns, 2, now)).toBe(0)

  expect(turns.rest(14)).toBeGreaterThan(0)
})

test('begins a new turn with each commit of somebody else', () => {
  const turns = new Turns()

  for (let now = 0; now < 300; now++) expect(write(turns, now >> 1, now)).toBe(0)
})

test('rests once a turn, not before each write', () => {
  const turns = new Turns()
  write(turns, 1, 0)
  for (const now of [10, 11, 12, 13]) write(turns, 2, now)
  const restMs = turns.rest(14)

  for (const after of [0, 1, 2, 3]) expect(write(turns, 2, 14 + restMs + after)).toBe(0)
  expect(turns.rest(14 + restMs + 4)).toBeGreaterThan(0)
})

test('does not rest before a write that comes after a pause', () => {
  const turns = new Turns()

  for (let now = 0; now < 1_000; now += 50) expect(write(turns, now, now)).toBe(0)
})

test('goes on without rests when the others have been silent for a while', () => {
  const turns = new Turns()
  write(turns, 1, 0)
  write(turns, 2, 10)
  turns.ended(110)

  expect(turns.rest(111)).toBe(0)
})

/** Writes for a moment and returns the rest that was asked for before it. */
function write(turns: Turns, version: number, now: number): number {
  const restMs = turns.rest(now)
  turns.began(version, now)
  turns.ended(now + 0.5)
  return restMs
}
