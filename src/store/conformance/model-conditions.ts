/** Arbitrary conditions of filters, for random sequences. */
import type { Arbitrary } from 'fast-check'
import { JOB_STATES, type JobState } from '../../core/job/state.ts'
import type { JobCondition } from '../contract/index.ts'

type FastCheck = typeof import('fast-check')

/** Conditions of every kind, on what the jobs of a sequence have. */
export function conditionsOf(fc: FastCheck): Arbitrary<readonly JobCondition[]> {
  const bounds = fc.record({ above: fc.nat(100), below: fc.nat(100_000) }, { requiredKeys: [] })
  const texts = fc.subarray(['a', 'b', 'B', 'q0', 'Q1', 'w0', 't', 'T', '0'], { minLength: 1 })
  const plain: Arbitrary<JobCondition> = fc.oneof(
    fc.record({
      field: fc.constantFrom('id', 'name', 'queue', 'tag', 'worker', 'unique'),
      match: fc.constantFrom('equals', 'starts', 'contains'),
      values: texts,
    }),
    fc.subarray<JobState>([...JOB_STATES]).map((states) => ({ field: 'state' as const, states })),
    bounds.map((b) => ({ field: 'priority' as const, ...b })),
    bounds.map((b) => ({ field: 'attempt' as const, ...b, oneOf: [0, 1, 2] })),
    bounds.map((b) => ({ field: 'finished' as const, ...b })),
    fc.record({ field: fc.constantFrom('wait', 'took'), now: fc.constant(0), above: fc.constantFrom(-1, 0, 50) }),
    fc.constant({ field: 'error' as const }),
  )
  const either = fc.array(plain, { minLength: 1, maxLength: 2 }).map((anyOf) => ({ anyOf }))
  return fc.array(
    fc.oneof(
      plain,
      plain.map((not) => ({ not })),
      either,
    ),
    { minLength: 1, maxLength: 3 },
  )
}

/** The condition with what it measures against: now. */
export function inTime(condition: JobCondition, now: number): JobCondition {
  if ('not' in condition) return { not: inTime(condition.not, now) }
  if ('anyOf' in condition) return { anyOf: condition.anyOf.map((one) => inTime(one, now)) }
  return 'now' in condition ? { ...condition, now } : condition
}
