import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decideLoss, decideNext, isContained, isSuspect, isSuspectApart, type Next } from './decide.ts'
import type { AttemptEnd } from './outcome.ts'
import { DEFAULT_RETRY, parseRetry } from './retry.ts'
import { canMove } from './state.ts'

const threw: AttemptEnd = { kind: 'threw', errorName: 'Error' }

const ends: fc.Arbitrary<AttemptEnd> = fc.oneof(
  fc.constantFrom<AttemptEnd>(
    { kind: 'returned' },
    { kind: 'timedOut' },
    { kind: 'crashed', errorName: 'IsolateError', errorCode: 'ISOLATE_EXITED' },
    { kind: 'discarded' },
    { kind: 'cancelled' },
    { kind: 'released' },
    { kind: 'payloadInvalid' },
    { kind: 'resultInvalid' },
    { kind: 'unreadable' },
    { kind: 'keyUnknown' },
  ),
  fc.record({ kind: fc.constant('snoozed' as const), delayMs: fc.double() }),
  fc.record(
    {
      kind: fc.constant('threw' as const),
      errorName: fc.constantFrom('Error', 'TypeError'),
      errorCode: fc.constantFrom('ENOENT', 'EACCES'),
      retryAfterMs: fc.double(),
    },
    { requiredKeys: ['kind', 'errorName'] },
  ),
)
const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const attempts = fc.integer({ min: 1, max: 20 })

describe('decideNext', () => {
  test.each<[string, AttemptEnd, number, Next]>([
    ['a return', { kind: 'returned' }, 1, { to: 'completed' }],
    ['a return of the last attempt', { kind: 'returned' }, 10, { to: 'completed' }],
    ['an error', threw, 1, { to: 'retrying', delayMs: 1000 }],
    ['a later error', threw, 3, { to: 'retrying', delayMs: 4000 }],
    ['the last error', threw, 10, { to: 'failed', reason: 'exhausted' }],
    ['an error beyond the last', threw, 11, { to: 'failed', reason: 'exhausted' }],
    ['a timeout', { kind: 'timedOut' }, 1, { to: 'retrying', delayMs: 1000 }],
    ['the last timeout', { kind: 'timedOut' }, 10, { to: 'failed', reason: 'exhausted' }],
    ['a refused result', { kind: 'resultInvalid' }, 1, { to: 'retrying', delayMs: 1000 }],
    ['the last refused result', { kind: 'resultInvalid' }, 10, { to: 'failed', reason: 'exhausted' }],
    ['a discard', { kind: 'discarded' }, 1, { to: 'failed', reason: 'discarded' }],
    ['a snooze', { kind: 'snoozed', delayMs: 300 }, 1, { to: 'scheduled', delayMs: 300 }],
    ['a snooze of the last attempt', { kind: 'snoozed', delayMs: 300 }, 10, { to: 'scheduled', delayMs: 300 }],
    ['a cancellation', { kind: 'cancelled' }, 1, { to: 'cancelled', reason: 'requested' }],
    ['a release', { kind: 'released' }, 10, { to: 'pending' }],
    ['a refused payload', { kind: 'payloadInvalid' }, 1, { to: 'failed', reason: 'payload' }],
    ['an unreadable payload', { kind: 'unreadable' }, 1, { to: 'failed', reason: 'unreadable' }],
    ['an unknown key', { kind: 'keyUnknown' }, 1, { to: 'blocked', reason: 'key' }],
  ])('after %s', (_, end, attempt, next) => {
    expect(decideNext(end, attempt, DEFAULT_RETRY, 0.5, 0)).toEqual(next)
  })

  describe('with a time to try again', () => {
    const told = (retryAfterMs: number): AttemptEnd => ({ kind: 'threw', errorName: 'RetryAfter', retryAfterMs })

    test.each([
      ['takes it as it is, without jitter', 60_000, 60_000],
      ['takes it beyond the longest back-off', 172_800_000, 172_800_000],
      ['takes at once', 0, 0],
      ['falls back on the back-off for a negative one', -1, 1000],
      ['falls back on the back-off for none at all', Number.NaN, 1000],
    ])('%s', (_, retryAfterMs, delayMs) => {
      expect(decideNext(told(retryAfterMs), 1, DEFAULT_RETRY, 0.5, 0)).toEqual({ to: 'retrying', delayMs })
    })

    test('fails the last attempt all the same', () => {
      expect(decideNext(told(60_000), 10, DEFAULT_RETRY, 0.5, 0)).toEqual({ to: 'failed', reason: 'exhausted' })
    })
  })

  test.each<[string, AttemptEnd]>([
    ['TypeError', { kind: 'threw', errorName: 'TypeError' }],
    ['ENOENT', { kind: 'threw', errorName: 'Error', errorCode: 'ENOENT' }],
    ['TIMEOUT', { kind: 'timedOut' }],
    ['RESULT_INVALID', { kind: 'resultInvalid' }],
  ])('discards what the policy never retries: %s', (name, end) => {
    const policy = parseRetry({ neverRetry: [name] })

    expect(decideNext(end, 1, policy, 0.5, 0)).toEqual({ to: 'failed', reason: 'discarded' })
  })

  test('only ever makes moves that the transition table has', () => {
    fc.assert(
      fc.property(ends, attempts, randoms, (end, attempt, random) => {
        expect(canMove('processing', decideNext(end, attempt, DEFAULT_RETRY, random, 0).to)).toBe(true)
      }),
    )
  })

  test('gives a delay that is a whole number and not negative', () => {
    fc.assert(
      fc.property(ends, attempts, randoms, (end, attempt, random) => {
        const next = decideNext(end, attempt, DEFAULT_RETRY, random, 0)
        fc.pre('delayMs' in next)

        expect(next.delayMs).toBeGreaterThanOrEqual(0)
        expect(Number.isInteger(next.delayMs)).toBe(true)
      }),
    )
  })

  test('allows exactly as many failed attempts as the policy', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), randoms, (limit, random) => {
        const policy = parseRetry(limit)
        let attempt = 1
        while (decideNext(threw, attempt, policy, random, 0).to === 'retrying') attempt++

        expect(attempt).toBe(limit)
      }),
    )
  })

  describe('after a crash', () => {
    const crashed: AttemptEnd = { kind: 'crashed', errorName: 'IsolateError', errorCode: 'ISOLATE_KILLED' }

    test('runs the job again after the back-off for so many crashes, and quarantines it at the third', () => {
      const decisions = [0, 1, 2, 3].map((crashes) => decideNext(crashed, 1, DEFAULT_RETRY, 0.5, crashes))

      expect(decisions).toEqual([
        { to: 'retrying', delayMs: 1000, crashed: true },
        { to: 'retrying', delayMs: 2000, crashed: true },
        { to: 'failed', reason: 'quarantined', crashed: true },
        { to: 'failed', reason: 'quarantined', crashed: true },
      ])
    })

    test('runs a job again whose attempts are used up: a crash is none', () => {
      expect(decideNext(crashed, 10, parseRetry(false), 0.5, 0)).toMatchObject({ to: 'retrying', crashed: true })
    })

    test('discards what the policy never retries', () => {
      const policy = parseRetry({ neverRetry: ['ISOLATE_KILLED'] })

      expect(decideNext(crashed, 1, policy, 0.5, 0)).toEqual({ to: 'failed', reason: 'discarded', crashed: true })
    })

    test('says of crashes and of nothing else that it was one, whatever came before', () => {
      fc.assert(
        fc.property(ends, attempts, randoms, fc.nat(5), (end, attempt, random, crashes) => {
          const next = decideNext(end, attempt, DEFAULT_RETRY, random, crashes)

          expect('crashed' in next).toBe(end.kind === 'crashed')
          if (end.kind !== 'crashed') expect(next).toEqual(decideNext(end, attempt, DEFAULT_RETRY, random, 0))
          else expect(next.to).toBe(crashes >= 2 ? 'failed' : 'retrying')
        }),
      )
    })

    test('never runs a job a fourth time that crashes each time, whatever its policy', () => {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 50 }), attempts, randoms, (limit, attempt, random) => {
          const policy = parseRetry(limit)
          let crashes = 0
          while (decideNext(crashed, attempt, policy, random, crashes).to === 'retrying') crashes++

          expect(crashes + 1).toBe(3)
        }),
      )
    })
  })

  test('allocates nothing for an end without a delay', () => {
    expect(decideNext({ kind: 'returned' }, 1, DEFAULT_RETRY, 0, 0)).toBe(
      decideNext({ kind: 'returned' }, 2, DEFAULT_RETRY, 0.5, 0),
    )
  })
})

describe('decideLoss', () => {
  test.each([
    ['the first loss', { losses: 0, crashes: 0, started: false }, { to: 'pending', losses: 1, crashes: 0 }],
    ['the first crash', { losses: 2, crashes: 0, started: true }, { to: 'pending', losses: 3, crashes: 1 }],
    ['a loss between crashes', { losses: 4, crashes: 2, started: false }, { to: 'pending', losses: 5, crashes: 2 }],
    [
      'the third crash',
      { losses: 4, crashes: 2, started: true },
      { to: 'failed', reason: 'quarantined', losses: 5, crashes: 3 },
    ],
  ])('after %s', (_, record, decision) => {
    expect(decideLoss(record)).toEqual(decision)
  })

  test('quarantines at the third crash, however many losses come between', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 30 }), (starts) => {
        let record = { losses: 0, crashes: 0 }
        let seen = 0
        for (const started of starts) {
          const decision = decideLoss({ ...record, started })
          if (started) seen++
          expect(decision).toMatchObject({ losses: record.losses + 1, crashes: seen })
          expect(decision.to).toBe(seen === 3 ? 'failed' : 'pending')
          if (decision.to === 'failed') return
          record = { losses: decision.losses, crashes: decision.crashes }
        }
      }),
    )
  })
})

describe('isContained', () => {
  test.each([
    [0, false],
    [1, false],
    [2, true],
    [3, true],
  ])('says of %d crashes: %s', (crashes, contained) => {
    expect(isContained(crashes)).toBe(contained)
  })
})

test('isSuspectApart: from ten losses on', () => {
  expect([0, 2, 9, 10, 11].map(isSuspectApart)).toEqual([false, false, false, true, true])
})

describe('isSuspect', () => {
  test.each([
    [0, false],
    [1, false],
    [2, true],
    [3, true],
  ])('says of %d losses: %s', (losses, suspect) => {
    expect(isSuspect(losses)).toBe(suspect)
  })
})
