import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CLOCK_AHEAD_MS, canEnd, damagesOf, LAST_INSTANT_MS, type LiveRow, LONGEST_LEASE_MS } from './damage.ts'
import { BLOCKED_REASONS, JOB_STATES } from './state.ts'

const NOW = 1_800_000_000_000
const BEYOND = 2n ** 63n - 1n
const [BLOCKED, SCHEDULED, PENDING, PROCESSING, RETRYING] = JOB_STATES.keys()

const ROW: LiveRow = {
  ...{ id: 'a', state: PENDING, reason: null, blockedOn: null, priority: 5, version: 1, createdAt: NOW, runAt: NOW },
  ...{ expiresAt: null, timeoutMs: null, epoch: 3, attempts: 1, attemptOffset: 0, losses: 1, crashes: 1, waitingOn: 0 },
  ...{ dependents: 0, workerId: null, leaseUntil: null, hasFitTags: true, parents: 0, children: 0, lostParent: null },
}
const RUNNING: LiveRow = { ...ROW, state: PROCESSING, workerId: 'w', leaseUntil: NOW + 30_000 }
const CHILD: LiveRow = { ...ROW, state: BLOCKED, reason: 'parents', waitingOn: 2, parents: 2 }

const counts = fc.nat({ max: 1_000 })
const instants = fc.integer({ min: -LAST_INSTANT_MS, max: LAST_INSTANT_MS })
/** What the states of a healthy store differ in. */
const standings: fc.Arbitrary<Partial<LiveRow>> = fc.oneof(
  fc.constantFrom({ state: SCHEDULED }, { state: PENDING }, { state: RETRYING }),
  fc.record({
    state: fc.constant(PROCESSING),
    workerId: fc.string(),
    leaseUntil: fc.integer({ min: 0, max: NOW + LONGEST_LEASE_MS }),
  }),
  fc.integer({ min: 1, max: 50 }).map((n) => ({ state: BLOCKED, reason: 'parents', waitingOn: n, parents: n })),
  fc.string().map((key) => ({ state: BLOCKED, reason: 'key', blockedOn: key })),
)
const healthy: fc.Arbitrary<LiveRow> = fc
  .record({
    standing: standings,
    numbers: fc.tuple(counts, counts, counts, counts, counts),
    priority: fc.integer({ min: 0, max: 100 }),
    createdAt: fc.integer({ min: 0, max: NOW + CLOCK_AHEAD_MS }),
    runAt: instants,
    expiresAt: fc.option(instants),
    timeoutMs: fc.option(fc.nat()),
    version: fc.integer(),
    bonds: fc.tuple(counts, counts),
  })
  .map(({ standing, numbers: [a, b, c, d, e], bonds: [children, spare], ...rest }) => {
    const epoch = Math.max(a, b, c, d)
    const attempts = { epoch, attempts: b, attemptOffset: Math.min(b, e), losses: c, crashes: d }
    return { ...ROW, ...rest, ...attempts, children, dependents: children + spare, ...standing }
  })

describe('damagesOf', () => {
  test('finds nothing in a healthy row, whatever its state', () => {
    fc.assert(fc.property(healthy, (row) => void expect(damagesOf(row, NOW)).toEqual([])))
  })

  test.each<[Partial<LiveRow>, string]>([
    [{ state: 17 }, 'state 17 is none of a live job'],
    [{ state: 7 }, 'state 7 is none of a live job'],
    [{ state: -1 }, 'state -1 is none of a live job'],
    [{ state: null }, 'state null is none of a live job'],
    [{ state: 'pending' }, 'state "pending" is none of a live job'],
    [{ epoch: -1 }, 'epoch is -1'],
    [{ epoch: BEYOND }, 'epoch is 9223372036854775807'],
    [{ attempts: -5 }, 'attempts is -5'],
    [{ attempts: null }, 'attempts is null'],
    [{ attempts: 2_000_000_000 }, 'attempts is 2000000000, and it was claimed 3 times'],
    [{ losses: 4 }, 'losses is 4, and it was claimed 3 times'],
    [{ losses: new Uint8Array(2) }, 'losses is bytes'],
    [{ crashes: 100 }, 'crashes is 100, and it was claimed 3 times'],
    [{ attemptOffset: 2 }, 'attempt_offset is 2, and attempts is 1'],
    [{ priority: 101 }, 'priority is 101'],
    [{ version: BEYOND }, 'version is 9223372036854775807'],
    [{ version: 'two' }, 'version is "two"'],
    [{ version: 1.5 }, 'version is 1.5'],
    [{ timeoutMs: -1 }, 'timeout_ms is -1'],
    [{ createdAt: BEYOND }, 'created_at is 9223372036854775807, which is no instant'],
    [{ createdAt: -62_135_596_800_000 }, 'created_at is -62135596800000, before 1970'],
    [{ createdAt: 253_402_300_799_999 }, 'created_at is 253402300799999, which is yet to come'],
    [{ runAt: LAST_INSTANT_MS + 1 }, 'run_at is 8640000000000001, which is no instant'],
    [{ expiresAt: 'never' }, 'expires_at is "never", which is no instant'],
    [{ hasFitTags: false }, 'its tags are no list of texts'],
    [{ reason: 'nonsense' }, 'waits for its turn, and its reason is "nonsense"'],
    [{ blockedOn: 'k9' }, 'waits for its turn, and is blocked on "k9"'],
    [{ state: BLOCKED }, 'is blocked, and nothing says for what'],
    [{ state: BLOCKED, reason: 'x' }, 'is blocked, and no reason is called "x", so nothing says for what'],
    [{ state: BLOCKED, reason: 'key' }, 'is blocked for a key, and nothing says for which'],
    [{ state: BLOCKED, reason: 'parents' }, 'is blocked by parents, and has none'],
    [{ waitingOn: 5 }, 'waiting_on is 5, and it waits for 0 jobs'],
    [{ waitingOn: 1, parents: 1 }, 'waits for 1 job, and is not blocked by them'],
    [{ waitingOn: -1 }, 'waiting_on is -1'],
    [{ ...CHILD, parents: 1 }, 'waiting_on is 2, and it waits for 1 job'],
    [{ ...CHILD, lostParent: 'nobody' }, 'waits for a parent that is not there: nobody'],
    [{ dependents: -1 }, 'dependents is -1'],
    [{ children: 1 }, 'dependents is 0, and 1 job waits for it'],
    [{ dependents: 1, children: 2 }, 'dependents is 1, and 2 jobs wait for it'],
    [{ state: PROCESSING }, 'runs under no lease, so nobody takes it back'],
    [{ ...RUNNING, leaseUntil: BEYOND }, `runs under a lease that does not end (lease_until is ${BEYOND})`],
    [{ ...RUNNING, workerId: null }, 'runs, and no worker holds it'],
  ])('%o: %s', (parts, what) => {
    expect(damagesOf({ ...ROW, ...parts }, NOW)).toEqual([what])
  })

  test('tells all that is wrong with a row', () => {
    expect(damagesOf({ ...ROW, state: 17, epoch: -1, attempts: -5, hasFitTags: false }, NOW)).toEqual([
      'state 17 is none of a live job',
      'epoch is -1',
      'attempts is -5',
      'its tags are no list of texts',
    ])
  })

  test('never throws, and says something of each whole number that is none', () => {
    const garbage = fc.oneof(fc.constant(null), fc.string(), fc.double(), fc.bigInt(), fc.uint8Array())
    const names = [
      'state',
      'priority',
      'version',
      'createdAt',
      'runAt',
      'epoch',
      'attempts',
      'losses',
      'crashes',
    ] as const
    fc.assert(
      fc.property(healthy, fc.constantFrom(...names), garbage, (row, name, value) => {
        const found = damagesOf({ ...row, [name]: value }, NOW)
        if (!Number.isInteger(value)) expect(found).not.toEqual([])
      }),
    )
  })

  test('every reason to be blocked is known', () => {
    for (const reason of BLOCKED_REASONS.filter((one) => one !== 'parents')) {
      expect(damagesOf({ ...ROW, state: BLOCKED, reason, blockedOn: 'k' }, NOW)).toEqual([])
    }
  })
})

test('a lease ends within a hundred years, or it does not', () => {
  expect([NOW - 1, 0, NOW + LONGEST_LEASE_MS].map((until) => canEnd(until, NOW))).toEqual([true, true, true])
  expect([NOW + LONGEST_LEASE_MS + 1, BEYOND, null, undefined, 'x'].some((until) => canEnd(until, NOW))).toBe(false)
})
