import { describe, expect, test } from 'vitest'
import { canMove, isFinal, JOB_STATES, type JobState, TRANSITIONS, transitionsFrom } from './state.ts'

/** What the table of states in the glossary promises. */
const LEAVES: Readonly<Record<JobState, readonly (JobState | 'deleted')[]>> = {
  blocked: ['pending', 'scheduled', 'cancelled', 'failed'],
  scheduled: ['pending', 'blocked', 'cancelled', 'failed'],
  pending: ['processing', 'scheduled', 'blocked', 'cancelled', 'failed'],
  processing: ['completed', 'retrying', 'scheduled', 'blocked', 'failed', 'cancelled', 'pending'],
  retrying: ['pending', 'scheduled', 'cancelled', 'failed'],
  completed: ['pending', 'deleted'],
  failed: ['pending', 'deleted'],
  cancelled: ['pending', 'deleted'],
}

describe('JOB_STATES', () => {
  test('stand at the integers that stores keep', () => {
    expect(JOB_STATES).toEqual([
      'blocked',
      'scheduled',
      'pending',
      'processing',
      'retrying',
      'completed',
      'failed',
      'cancelled',
    ])
  })
})

describe('TRANSITIONS', () => {
  test.each(JOB_STATES)('lead from %s exactly where they should', (state) => {
    expect(new Set(transitionsFrom(state).map((transition) => transition.to))).toEqual(new Set(LEAVES[state]))
  })

  test('bring a job into being in every state that needs no worker', () => {
    const born = transitionsFrom(null)

    expect(new Set(born.map((transition) => transition.to))).toEqual(
      new Set(['pending', 'scheduled', 'blocked', 'failed', 'cancelled']),
    )
    expect(born.every((transition) => transition.verb === 'enqueue')).toBe(true)
  })

  test('name each move, verb and occasion once', () => {
    const moves = TRANSITIONS.map(({ from, to, verb, when }) => `${from} ${to} ${verb} ${when}`)

    expect(new Set(moves).size).toBe(moves.length)
  })

  test('begin and stop running only by the verbs of a lease', () => {
    const into = TRANSITIONS.filter((transition) => transition.to === 'processing')
    const outOf = transitionsFrom('processing').map((transition) => transition.verb)

    expect(into.map((transition) => transition.verb)).toEqual(['claim'])
    expect(new Set(outOf)).toEqual(new Set(['settle', 'snooze', 'reclaim', 'release']))
  })

  test('let an ended job go only by hand or by retention', () => {
    const verbs = TRANSITIONS.filter(({ from }) => from !== null && isFinal(from)).map(({ verb }) => verb)

    expect(new Set(verbs)).toEqual(new Set(['retry', 'prune', 'remove']))
  })

  test('reach every state, and the end from every state', () => {
    const reachable = new Set<JobState | null>([null])
    for (const from of reachable) {
      for (const { to } of transitionsFrom(from)) if (to !== 'deleted') reachable.add(to)
    }

    expect(reachable).toEqual(new Set([null, ...JOB_STATES]))
    expect(JOB_STATES.every((state) => isFinal(state) || canMove(state, 'cancelled'))).toBe(true)
  })

  test('cannot be changed', () => {
    expect(Object.isFrozen(TRANSITIONS) && TRANSITIONS.every(Object.isFrozen)).toBe(true)
  })
})

describe('canMove', () => {
  test.each([
    ['pending', 'processing', true],
    ['processing', 'completed', true],
    ['pending', 'completed', false],
    ['completed', 'processing', false],
    ['completed', 'failed', false],
    ['processing', 'deleted', false],
    [null, 'processing', false],
  ] as const)('from %s to %s: %s', (from, to, can) => {
    expect(canMove(from, to)).toBe(can)
  })
})
