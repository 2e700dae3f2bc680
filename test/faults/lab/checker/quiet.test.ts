/** I13 on histories made by hand: the quiet time before a run is judged. */
import { expect, test } from 'vitest'
import type { FaultLine } from '../ledgers.ts'
import { judge } from './checker.ts'
import { GOOD, W2 } from './hand-made.ts'
import type { History } from './history.ts'

const { quiet } = GOOD
const told = (history: History) => judge(history).violations.map(({ invariant, text }) => `${invariant}: ${text}`)
const withFault = (fault: FaultLine): History => ({ ...GOOD, faults: [...GOOD.faults, fault] })

test('a quiet time that was too short is told', () => {
  expect(told({ ...GOOD, quiet: { ...quiet, to: quiet.from + quiet.leastMs - 1 } })).toEqual([
    'I13: the quiet time lasted 2999 ms, 3000 were to',
  ])
})

test('so is a fault in it, or one that lasts into it', () => {
  const within = quiet.from + 10
  expect(told(withFault({ kind: 'kill', pid: 999, from: within, to: null }))).toContain(
    'I13: a kill fell into the quiet time',
  )
  for (const to of [within, null])
    expect(told(withFault({ kind: 'stop', pid: 999, from: 90, to }))).toContain('I13: a stop fell into the quiet time')
  expect(told(withFault({ kind: 'stall', pid: 999, from: within, to: within + 1 }))).toEqual([])
})

test('so is a job that begins in it', () => {
  const at = quiet.from + 10
  const late: History = {
    ...GOOD,
    effects: GOOD.effects.map((line) => (line.id === 'released' && line.epoch === 2 ? { ...line, pid: W2, at } : line)),
  }

  expect(told(late)).toContain('I13: released began under 2 in the quiet time')
})
