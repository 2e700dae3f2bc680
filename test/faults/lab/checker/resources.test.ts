/** I16 on histories made by hand: what processes hold in the end, and errors that reached nobody. */
import { expect, test } from 'vitest'
import type { Holding } from '../holdings.ts'
import { judge } from './checker.ts'
import { GOOD, W1, W2 } from './hand-made.ts'
import type { History } from './history.ts'

const held = (pid: number, role: Holding['role'], descriptors: number): Holding => ({ pid, role, descriptors })
const violations = (more: Partial<History>) => judge({ ...GOOD, ...more }).violations
const before = [held(W1, 'worker', 20), held(W2, 'worker', 25), held(1, 'node', 40)]

test('a process that holds more than the first of its kind and what it opens by and by is told', () => {
  const after = [held(7, 'worker', 50), held(1, 'node', 65)]

  expect(violations({ holdings: { before, after } })).toEqual([
    { invariant: 'I16', text: 'worker 7 holds 50 descriptors; the first held 25' },
    { invariant: 'I16', text: 'node 1 holds 65 descriptors; the first held 40' },
  ])
})

test('one that holds as much more as a pool and two threads do is not, nor one of a kind that nobody has seen at the start', () => {
  const after = [held(7, 'worker', 49), held(1, 'node', 12), held(8, 'alone', 500)]

  expect(violations({ holdings: { before, after } })).toEqual([])
})

test('an error that reached nobody is told', () => {
  expect(violations({ uncaught: ['a rejection that no handler caught Error: oh'] })).toEqual([
    { invariant: 'I16', text: 'an error reached nobody: a rejection that no handler caught Error: oh' },
  ])
})
