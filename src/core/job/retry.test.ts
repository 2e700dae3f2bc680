import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_RETRY, isNeverRetried, parseRetry, type RetryOptions, type RetryPolicy, retryDelay } from './retry.ts'

const HOUR_MS = 3_600_000

const policies: fc.Arbitrary<RetryPolicy> = fc.record({
  attempts: fc.integer({ min: 1, max: 10_000 }),
  backoff: fc.oneof(
    fc.constantFrom('fixed' as const, 'linear' as const, 'exponential' as const),
    fc.array(fc.nat(1e9), { minLength: 1, maxLength: 100 }),
  ),
  delayMs: fc.nat(1e9),
  maxDelayMs: fc.nat(1e9),
  jitter: fc.constantFrom('full' as const, 'equal' as const, 'none' as const),
  neverRetry: fc.constant([]),
})
const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const attempts = fc.integer({ min: 1, max: 10_000 })

describe('retryDelay', () => {
  const plain = { ...DEFAULT_RETRY, jitter: 'none' } as const

  test.each<[string, Partial<RetryPolicy>, readonly number[]]>([
    ['fixed', { backoff: 'fixed' }, [2000, 2000, 2000]],
    ['linear', { backoff: 'linear' }, [2000, 4000, 6000]],
    ['exponential', {}, [2000, 4000, 8000, 16_000]],
    ['cut to the longest delay', { maxDelayMs: 5000 }, [2000, 4000, 5000, 5000]],
    ['of a table, its last entry repeated', { backoff: [10, 200, 30] }, [10, 200, 30, 30, 30]],
    ['of a table cut to the longest delay', { backoff: [10, 200], maxDelayMs: 100 }, [10, 100, 100]],
    ['of nothing', { delayMs: 0 }, [0, 0, 0]],
  ])('without jitter is %s', (_, policy, delays) => {
    expect(delays.map((_, i) => retryDelay({ ...plain, ...policy }, i + 1, 0.5))).toEqual(delays)
  })

  test.each([
    ['full', 0, 0],
    ['full', 0.5, 1000],
    ['full', 0.999, 1998],
    ['equal', 0, 1000],
    ['equal', 0.5, 1500],
    ['equal', 0.999, 1999],
    ['none', 0.5, 2000],
  ] as const)('with %s jitter and the random number %d is %d ms of 2,000', (jitter, random, delay) => {
    expect(retryDelay({ ...DEFAULT_RETRY, jitter }, 1, random)).toBe(delay)
  })

  test('of no delay stays none, however often it is doubled', () => {
    expect(retryDelay({ ...plain, delayMs: 0 }, 5000, 0.5)).toBe(0)
  })

  test.each([[0], [-3], [0.5], [Number.NaN]])('takes %d failed attempts for one', (failed) => {
    expect(retryDelay(plain, failed, 0.5)).toBe(2000)
    expect(retryDelay({ ...plain, backoff: 'linear' }, failed, 0.5)).toBe(2000)
    expect(retryDelay({ ...plain, backoff: [7, 8] }, failed, 0.5)).toBe(7)
  })

  test('is the longest delay when the policy names none that is a number', () => {
    expect(retryDelay({ ...plain, delayMs: Number.NaN }, 1, 0.5)).toBe(HOUR_MS)
  })

  test('is a whole number from 0 to the longest delay', () => {
    fc.assert(
      fc.property(policies, attempts, randoms, (policy, failed, random) => {
        const delay = retryDelay(policy, failed, random)

        expect(Number.isInteger(delay)).toBe(true)
        expect(delay).toBeGreaterThanOrEqual(0)
        expect(delay).toBeLessThanOrEqual(policy.maxDelayMs)
      }),
    )
  })

  test('stays so when the number of attempts or the random number is no such number', () => {
    fc.assert(
      fc.property(policies, fc.double(), fc.double(), (policy, failed, random) => {
        const delay = retryDelay(policy, failed, random)

        expect(delay).toBeGreaterThanOrEqual(0)
        expect(delay).toBeLessThanOrEqual(policy.maxDelayMs)
      }),
    )
  })

  test('never gets shorter from attempt to attempt under a rule without jitter', () => {
    fc.assert(
      fc.property(policies, attempts, (policy, failed) => {
        fc.pre(typeof policy.backoff === 'string')
        const sure = { ...policy, jitter: 'none' } as const

        expect(retryDelay(sure, failed + 1, 0)).toBeGreaterThanOrEqual(retryDelay(sure, failed, 0))
      }),
    )
  })

  test('with equal jitter is at least half of what it is without, and with any never more', () => {
    fc.assert(
      fc.property(policies, attempts, randoms, (policy, failed, random) => {
        const whole = retryDelay({ ...policy, jitter: 'none' }, failed, random)

        expect(retryDelay({ ...policy, jitter: 'equal' }, failed, random)).toBeGreaterThanOrEqual(Math.floor(whole / 2))
        expect(retryDelay({ ...policy, jitter: 'equal' }, failed, random)).toBeLessThanOrEqual(whole)
        expect(retryDelay({ ...policy, jitter: 'full' }, failed, random)).toBeLessThanOrEqual(whole)
      }),
    )
  })
})

describe('parseRetry', () => {
  test.each<[RetryOptions | number | false, Partial<RetryPolicy>]>([
    [{}, {}],
    [false, { attempts: 1 }],
    [3, { attempts: 3 }],
    [{ attempts: 5 }, { attempts: 5 }],
    [
      { backoff: 'linear', delay: '5s', maxDelay: '1m', jitter: 'none' },
      { backoff: 'linear', delayMs: 5000, maxDelayMs: 60_000, jitter: 'none' },
    ],
    [{ backoff: ['5s', 60_000, '1h'] }, { backoff: [5000, 60_000, HOUR_MS] }],
    [{ maxDelay: '1s' }, { maxDelayMs: 1000 }],
    [{ neverRetry: ['TypeError', 'ENOENT'] }, { neverRetry: ['TypeError', 'ENOENT'] }],
  ])('reads %j', (options, policy) => {
    expect(parseRetry(options)).toEqual({ ...DEFAULT_RETRY, ...policy })
  })

  test.each<[RetryOptions]>([[{ delay: '6h' }], [{ backoff: ['1m', '6h'] }]])(
    'does not cut the longer delay that %j names to the default longest',
    (options) => {
      expect(parseRetry(options).maxDelayMs).toBe(6 * HOUR_MS)
    },
  )

  test.each([
    [{ attemps: 3 }, 'OPTION_UNKNOWN', 'unknown option `attemps` for retry; did you mean `attempts`?'],
    [0, 'CONFIG_INVALID', 'retry.attempts is 0'],
    [{ attempts: 1.5 }, 'CONFIG_INVALID', 'retry.attempts is 1.5'],
    [{ attempts: Number.POSITIVE_INFINITY }, 'CONFIG_INVALID', 'retry.attempts is Infinity'],
    [{ backoff: 'exponental' }, 'CONFIG_INVALID', 'did you mean `exponential`?'],
    [{ backoff: [] }, 'CONFIG_INVALID', 'the list is empty'],
    [{ backoff: { delay: 1 } }, 'CONFIG_INVALID', 'neither a rule nor a list'],
    [{ backoff: new Array(101).fill(1) }, 'CONFIG_INVALID', 'more than 100'],
    [{ backoff: ['1m', 'x'] }, 'DURATION_INVALID', 'retry.backoff[1] is "x"'],
    [{ backoff: ['1m'], delay: '1s' }, 'CONFIG_INVALID', 'already names every delay'],
    [{ backoff: ['2m'], maxDelay: '1m' }, 'CONFIG_INVALID', 'a delay of the same policy is longer'],
    [{ delay: '2m', maxDelay: '1m' }, 'CONFIG_INVALID', 'a delay of the same policy is longer'],
    [{ delay: 'soon' }, 'DURATION_INVALID', 'retry.delay is "soon"'],
    [{ jitter: 'ful' }, 'CONFIG_INVALID', 'did you mean `full`?'],
    [{ jitter: true }, 'CONFIG_INVALID', 'retry.jitter is true'],
    [{ neverRetry: 'TypeError' }, 'CONFIG_INVALID', 'it is not a list'],
    [{ neverRetry: [TypeError] }, 'CONFIG_INVALID', 'not a text'],
    [null, 'CONFIG_INVALID', 'must be an object'],
    [true, 'CONFIG_INVALID', 'must be an object'],
  ])('refuses %j with %s', (options, code, message) => {
    // What plain JavaScript may pass.
    expect(() => parseRetry(options as never)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    )
  })

  test('gives a policy that survives JSON, since stores keep it as text', () => {
    const delays = fc.nat(1e9)
    const options: fc.Arbitrary<RetryOptions> = fc.record(
      {
        attempts: fc.integer({ min: 1, max: 10_000 }),
        backoff: fc.constantFrom('fixed' as const, 'linear' as const, 'exponential' as const),
        delay: delays,
        jitter: fc.constantFrom('full' as const, 'equal' as const, 'none' as const),
        neverRetry: fc.array(fc.string({ minLength: 1 })),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(options, (given) => {
        const policy = parseRetry(given)

        expect(JSON.parse(JSON.stringify(policy))).toEqual(policy)
        expect(policy.maxDelayMs).toBeGreaterThanOrEqual(policy.delayMs)
      }),
    )
  })
})

describe('isNeverRetried', () => {
  const policy = parseRetry({ neverRetry: ['TypeError', 'ENOENT'] })

  test.each([
    ['TypeError', undefined, true],
    ['Error', 'ENOENT', true],
    ['Error', undefined, false],
    ['ENOENTError', 'EACCES', false],
  ])('says of %s with code %s: %s', (name, code, isNever) => {
    expect(isNeverRetried(policy, name, code)).toBe(isNever)
  })
})
