/** The checker on attempts that were ended with their isolate. */
import { expect, test } from 'vitest'
import type { EffectLine } from '../ledgers.ts'
import { judge } from './checker.ts'
import { ended, GOOD, job, line, ran, W1, withJobs } from './hand-made.ts'
import type { AttemptRecord, History } from './history.ts'

const pulse = (epoch: number, at: number): EffectLine => ({ ...line('crashed', epoch, W1, at), phase: 'pulse' })
const OUTCOMES = [ended(1, 'retrying'), ended(2, 'retrying'), ended(3, 'failed')]

/** A job of one attempt that has crashed its isolate three times, the first time heard of last at `lastAt`. */
function crashing(lastAt: number, crashes: number, outcomes: readonly AttemptRecord[] = OUTCOMES): History {
  const crashed = job('crashed', outcomes, {
    name: 'in-thread',
    state: 'failed',
    reason: 'quarantined',
    attempts: 0,
    crashes,
  })
  const starts = outcomes.flatMap(({ epoch }) => [
    ...ran('crashed', epoch, W1, epoch * 100, null),
    pulse(epoch, epoch * 100 + 20),
  ])
  return {
    ...GOOD,
    producer: [...GOOD.producer, { id: 'crashed', status: 'acked', at: 0 }],
    effects: [...GOOD.effects, ...starts, pulse(1, lastAt)],
    jobs: [...withJobs().jobs, crashed],
    counted: { completed: 5, failed: 1 },
    // The worker of those lives on.
    faults: GOOD.faults.filter(({ kind }) => kind !== 'kill').concat({ kind: 'kill', pid: W1, from: 1_000, to: null }),
    terms: { ...GOOD.terms, attempts: { ...GOOD.terms.attempts, 'in-thread': 1 } },
  }
}

const broken = (history: History) => [...new Set(judge(history).violations.map(({ invariant }) => invariant))]

test('a crash in an isolate is followed by another start, and is no attempt', () => {
  expect(broken(crashing(150, 3))).toEqual([])
})

test('one of which something is heard when the next has begun ran beside it', () => {
  expect(broken(crashing(250, 3))).toEqual(['I6'])
})

test('no more starts are allowed than crashes were counted, and no quarantine after two', () => {
  expect(broken(crashing(150, 2))).toContain('I14')
  expect(broken(crashing(150, 1))).toContain('I3')
})
