import { expect, test } from 'vitest'
import { Turns } from './turns.ts'

test('never rests while nobody else commits', () => {
  const turns = new Turns()

  for (let now = 0; now < 1_000; now++) {
    turns.began(1, now)
    expect(turns.rest(now)).toBe(0)
  }
})

test('rests after it wrote for a whole turn beside somebody active', () => {
  const turns = new Turns()
  turns.began(1, 0)
  turns.began(2, 10)

  expect(turns.rest(13)).toBe(0)
  expect(turns.rest(14)).toBeGreaterThan(0)
})

test('begins a new turn with each commit of somebody else', () => {
  const turns = new Turns()
  turns.began(1, 0)
  for (let now = 3; now < 300; now += 3) {
    turns.began(now, now)
    expect(turns.rest(now + 2)).toBe(0)
  }
})

test('rests once a turn, not before each write', () => {
  const turns = new Turns()
  turns.began(1, 0)
  turns.began(2, 10)
  const restMs = turns.rest(20)

  expect(turns.rest(20 + restMs)).toBe(0)
  expect(turns.rest(20 + restMs + 4)).toBeGreaterThan(0)
})

test('goes on without rests when the others have been silent for a while', () => {
  const turns = new Turns()
  turns.began(1, 0)
  turns.began(2, 10)

  expect(turns.rest(111)).toBe(0)
})
