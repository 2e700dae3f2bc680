/** The checker on histories made by hand: nothing in a good one, and each invariant in one that breaks it alone. */
import { describe, expect, test } from 'vitest'
import { judge } from './checker.ts'
import { ended, GOOD, job, killed, LET_GO, line, ran, W1, W2, withJobs } from './hand-made.ts'
import type { History } from './history.ts'

/** The invariants that a history breaks. */
function broken(history: History): readonly string[] {
  return [...new Set(judge(history).violations.map(({ invariant }) => invariant))]
}

describe('a good history', () => {
  test('breaks nothing, and its second starts are explained', () => {
    const verdict = judge(GOOD)

    expect(verdict.violations).toEqual([])
    expect(verdict).toMatchObject({ jobs: 5, faults: 2, lost: 0, stuck: 0, duplicated: 3, explained: 3, hitAtWork: 1 })
    expect(verdict.maxRecoveryMs).toBe(1_110)
  })

  test('may have a second start for each way in which a process can be kept from its lease', () => {
    for (const kind of ['kill', 'stop', 'end', 'block', 'stall', 'cut'] as const) {
      const to = kind === 'kill' || kind === 'end' ? null : 1_300
      expect(broken({ ...GOOD, faults: [{ kind, pid: W1, from: 100, to }] })).toEqual([])
    }
    expect(broken({ ...GOOD, faults: [{ kind: 'cut', pid: null, from: 100, to: 1_300 }] })).toEqual([])
  })

  test('may have more starts than are on record once the oldest are forgotten', () => {
    const again: History = {
      ...withJobs(job('released', [ended(2, 'pending'), ended(3, 'completed')])),
      effects: [
        ...GOOD.effects.filter(({ id }) => id !== 'released'),
        ...ran('released', 1, W2, 90, 95, 'threw'),
        ...ran('released', 2, W2, 97, 99, 'threw'),
        ...ran('released', 3, W2, 1_220, 1_230),
      ],
    }

    expect(broken(again)).toEqual(['I3', 'I4'])
    expect(broken({ ...again, terms: { ...again.terms, keptAttempts: 2 } })).toEqual([])
  })

  test('may have a pause of one process explain another’s loss where the store has one lock', () => {
    const paused: History = { ...LET_GO, faults: [{ kind: 'stop', pid: W2, from: 80, to: 1_190 }] }

    expect(broken(paused)).toEqual(['I4'])
    expect(broken({ ...paused, terms: { ...GOOD.terms, sharesLock: true } })).toEqual([])
  })
})

describe('each invariant bites', () => {
  const overlapping: History = {
    ...GOOD,
    effects: [
      ...GOOD.effects.filter(({ id, epoch }) => id !== 'lost' || epoch !== 1),
      ...ran('lost', 1, W1, 50, 1_250, 'threw'),
    ],
  }
  const stale = (what: 'accepted' | 'refused'): History => ({
    ...GOOD,
    effects: [...GOOD.effects, { ...line('lost', 1, W1, 1_300), phase: 'try', what: 'completeIn', answer: what }],
  })

  test.each<[string, string, History]>([
    ['I1', 'an acknowledged job is not there', { ...GOOD, jobs: GOOD.jobs.slice(1), counted: { completed: 4 } }],
    [
      'I1',
      'one has not ended',
      {
        ...withJobs(job('once', [ended(1, 'completed')], { state: 'processing' })),
        counted: { completed: 4, processing: 1 },
      },
    ],
    ['I1', 'one does not open', withJobs(job('once', [ended(1, 'completed')], { isUnreadable: true }))],
    [
      'I2',
      'a job was enqueued by nobody',
      { ...withJobs(job('stranger', [ended(1, 'completed')])), counted: { completed: 6 } },
    ],
    [
      'I3 I4',
      'a job began more often than it was lost or given back',
      {
        ...withJobs(job('once', [ended(1, 'completed')])),
        effects: [...GOOD.effects, ...ran('once', 1, W1, 5, 6)],
      },
    ],
    [
      'I4',
      'nothing hit the process of a lost lease',
      { ...LET_GO, faults: [{ kind: 'term', pid: W2, from: 92, to: null }] },
    ],
    [
      'I4',
      'what hit it came before the lost run began',
      { ...LET_GO, faults: [{ kind: 'stop', pid: W1, from: -2_000, to: -900 }] },
    ],
    ['I4', 'its process was only told to stop', { ...LET_GO, faults: [{ kind: 'term', pid: W1, from: 60, to: null }] }],
    ...(['stop', 'block', 'stall', 'cut'] as const).map((kind): [string, string, History] => [
      'I4',
      `a ${kind} was shorter than a lease less the margin`,
      { ...LET_GO, faults: [{ kind, pid: W1, from: 80, to: 829 }] },
    ]),
    ['I4', 'what hit it came after the next run had begun', { ...LET_GO, faults: [killed(W1, 1_201)] }],
    ['I5', 'a stale attempt was believed', stale('accepted')],
    [
      'I5',
      'a note was written by an attempt after a later one had begun',
      {
        ...withJobs(job('lost', [ended(1, 'lost'), ended(2, 'completed')], { toldEpochs: [1] })),
        effects: [...GOOD.effects, { ...line('lost', 1, W1, 1_300), phase: 'told' }],
      },
    ],
    [
      'I5',
      'the result is of an attempt that did not complete',
      withJobs(job('lost', [ended(1, 'lost'), ended(2, 'completed')], { resultEpoch: 1 })),
    ],
    [
      'I5',
      'epochs did not grow',
      withJobs(job('once', [ended(2, 'pending'), ended(1, 'completed')], { resultEpoch: null })),
    ],
    ['I5', 'a job completed twice', withJobs(job('once', [ended(1, 'completed'), ended(2, 'completed')]))],
    ['I6', 'two ran at a time, and the first was not held', overlapping],
    [
      'I7',
      'an effect of an older lease came after that of a newer',
      {
        ...GOOD,
        effects: [...GOOD.effects, { ...line('lost', 1, W1, 1_300), phase: 'effect' }],
      },
    ],
    [
      'I7',
      'an effect that belongs to a completion is there twice',
      { ...GOOD, effectName: 'work', effectRows: ['once', 'once', 'child', 'lost', 'retried', 'released'] },
    ],
    ['I7', 'one is missing', { ...GOOD, effectName: 'work', effectRows: ['child', 'lost', 'retried', 'released'] }],
    [
      'I10',
      'a child began before its parent had ended',
      {
        ...GOOD,
        effects: [...GOOD.effects.filter(({ id }) => id !== 'child'), ...ran('child', 1, W1, 15, 40)],
      },
    ],
    ['I12', 'the store counts otherwise', { ...GOOD, counted: { completed: 4 } }],
    ['I12', 'its tables do not hold together', { ...GOOD, tableFaults: ['an edge of a parent that does not live'] }],
    ['I13', 'a lost job ran again too late', { ...GOOD, terms: { ...GOOD.terms, recoverWithinMs: 1_000 } }],
    [
      'I14',
      'a loss burned an attempt',
      withJobs(job('lost', [ended(1, 'lost'), ended(2, 'completed')], { attempts: 2 })),
    ],
    ['I14', 'a stop burned an attempt', withJobs(job('released', [ended(1, 'retrying'), ended(2, 'completed')]))],
    [
      'I14',
      'a quarantine came without its crashes',
      {
        ...withJobs(
          job('lost', [ended(1, 'lost'), ended(2, 'lost')], { state: 'failed', reason: 'quarantined', crashes: 1 }),
        ),
        counted: { completed: 4, failed: 1 },
      },
    ],
    ['I15', 'a neighbour was hurt', { ...GOOD, canary: { calmP99Ms: 10, p99Ms: 60, leastMs: 50 } }],
  ])('%s: %s', (invariant, _, history) => {
    expect(broken(history)).toEqual(invariant.split(' '))
  })

  test('I1 and I10: a child waits although its parents have ended', () => {
    const history: History = {
      ...withJobs(job('child', [], { state: 'blocked' })),
      effects: GOOD.effects.filter(({ id }) => id !== 'child'),
      counted: { completed: 4, blocked: 1 },
    }

    expect(broken(history)).toEqual(['I1', 'I10'])
  })

  test('I6 not when the first was held for its whole lease, wherever that began', () => {
    const held = (from: number, to: number): History => ({
      ...overlapping,
      faults: [...GOOD.faults.slice(1), { kind: 'stop', pid: W1, from, to }],
    })

    expect(broken(held(60, 1_250))).toEqual([])
    expect(broken(held(60, 850))).toEqual(['I6'])
  })

  test('I5 not when the stale attempt was refused', () => {
    expect(judge(stale('refused'))).toMatchObject({ violations: [], staleRefused: 1, staleAccepted: 0 })
  })

  test('I13 not for the time in which everybody stood still', () => {
    const late = { ...GOOD, terms: { ...GOOD.terms, recoverWithinMs: 1_000 } }
    const paused = (pid: number | null, kind: 'stop' | 'stall'): History => ({
      ...late,
      faults: [...GOOD.faults, { kind, pid, from: 200, to: 500 }],
    })

    expect(broken(late)).toEqual(['I13'])
    expect(broken(paused(W2, 'stop'))).toEqual([])
    expect(broken(paused(null, 'stall'))).toEqual([])
    expect(broken(paused(W2, 'stall'))).toEqual(['I13'])
  })

  test('tells how long what a killed process held waited for the store, and until it ran again', () => {
    const lost = { ...ended(1, 'lost'), endedAt: 10_150 }
    const history: History = {
      ...withJobs(job('lost', [lost, ended(2, 'completed')])),
      terms: { ...GOOD.terms, wallMs: 10_000 },
    }

    const { again, claimable } = judge(history)

    expect(again).toEqual({ count: 1, p50Ms: 1_100, p99Ms: 1_100, maxMs: 1_100 })
    expect(claimable).toEqual({ count: 1, p50Ms: 50, p99Ms: 50, maxMs: 50 })
  })

  test('I13 by the worker that held it, where it had not begun there', () => {
    const history: History = {
      ...withJobs(job('lost', [ended(1, 'lost'), ended(2, 'lost'), ended(3, 'completed')])),
      effects: [
        ...GOOD.effects.filter(({ id, epoch }) => id !== 'lost' || epoch === 1),
        ...ran('lost', 3, W2, 2_000, 2_010),
      ],
      faults: [...GOOD.faults, { ...killed(103, 1_300), workerId: 'w2' }],
    }

    expect(judge(history).again).toMatchObject({ count: 1, maxMs: 700 })
  })

  test('I4 not by the end of an earlier process that had the same id', () => {
    const again = (at: number): History => ({
      ...LET_GO,
      effects: LET_GO.effects.map((each) => ({ ...each, at: each.at + 5_000 })),
      faults: [killed(W1, at)],
    })

    expect(broken(again(1_000))).toContain('I4')
    expect(broken(again(5_095))).not.toContain('I4')
  })

  test('I4 not when several faults held a process for a lease less the margin, and not when they lie too far apart', () => {
    const held = (gapMs: number): History => ({
      ...LET_GO,
      faults: [
        { kind: 'stall', pid: W1, from: 60, to: 460 },
        { kind: 'cut', pid: null, from: 460 + gapMs, to: 860 + gapMs },
      ],
    })

    expect(broken(held(200))).toEqual([])
    expect(broken(held(300))).toEqual(['I4'])
  })

  test('I4 not in an isolate whose worker was killed', () => {
    const isolate = 104
    const effects = GOOD.effects.map((each) =>
      each.id === 'lost' && each.epoch === 1 ? { ...each, pid: isolate, parent: W1 } : each,
    )

    expect(broken({ ...GOOD, effects })).toEqual([])
  })

  test('I5 not when a process ends after a completion that its handler committed itself', () => {
    const cut: History = {
      ...GOOD,
      effects: GOOD.effects.filter(({ id, phase }) => id !== 'once' || phase !== 'end'),
      faults: [...GOOD.faults, killed(W1, 25)],
    }

    expect(broken(cut)).toContain('I5')
    const rows = ['once', 'child', 'lost', 'retried', 'released']
    expect(broken({ ...cut, effectName: 'work', effectRows: rows })).not.toContain('I5')
  })

  test('I13 by the claim: what was claimed and lost again before it began takes as much longer', () => {
    const again: History = {
      ...withJobs(job('lost', [ended(1, 'lost'), ended(2, 'lost'), ended(3, 'completed')])),
      effects: GOOD.effects.map((each) => {
        if (each.id === 'released' && each.epoch === 2) return { ...each, at: each.at - 1_000 }
        return each.id === 'lost' && each.epoch === 2 ? { ...each, epoch: 3 } : each
      }),
    }

    expect(broken({ ...again, terms: { ...GOOD.terms, recoverWithinMs: 600 } })).toEqual([])
    expect(broken({ ...again, terms: { ...GOOD.terms, recoverWithinMs: 500 } })).toEqual(['I13'])
  })
})
