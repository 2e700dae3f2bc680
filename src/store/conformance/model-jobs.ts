/** What the jobs of a random sequence look like. */
import type { Arbitrary } from 'fast-check'
import type { EdgePolicy, NewJob } from '../contract/index.ts'

/** A new job before its sequence gives it an id and parents: `order` places its id, `again` repeats an id that is known. */
export interface JobSketch extends Omit<NewJob, 'id' | 'version' | 'payload' | 'dependsOn'> {
  readonly order: number
  /** How often the payload's text is repeated. */
  readonly size: number
  readonly again: boolean
  readonly parents: readonly { readonly ref: number; readonly policy: EdgePolicy }[]
}

/** Jobs of every kind: delayed, expiring, unique, dependent, repeated, large. */
export function jobSketches(fc: typeof import('fast-check'), ref: Arbitrary<number>): Arbitrary<JobSketch> {
  const when = fc.oneof(
    { weight: 4, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: fc.record({ delayMs: fc.constantFrom(0, 1, 100, 1_000.5, 60_000) }) },
    { weight: 1, arbitrary: fc.record({ runAt: fc.constantFrom(0, 1_767_225_600_050, 1_767_225_700_000) }) },
  )
  const unique = fc.record(
    {
      scope: fc.constantFrom('s', 'S'),
      key: fc.constantFrom('k', 'l'),
      withinMs: fc.constantFrom(0, 50, 300_000),
      onConflict: fc.constantFrom('existing' as const, 'replace' as const, 'reject' as const),
    },
    { requiredKeys: ['scope', 'key', 'onConflict'] },
  )
  const extras = fc.record(
    {
      expiresInMs: fc.constantFrom(0, 10, 1_000, 100_000),
      timeoutMs: fc.constantFrom(1, 1_000),
      retry: fc.constant('{}'),
      tags: fc.subarray(['t', 'T', 'u']),
    },
    { requiredKeys: [] },
  )
  const parents = fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    {
      weight: 1,
      arbitrary: fc.array(fc.record({ ref, policy: fc.constantFrom<EdgePolicy>('cancel', 'proceed', 'fail') }), {
        minLength: 1,
        maxLength: 3,
      }),
    },
  )
  const basis = fc.record({
    order: fc.nat(0xfff),
    queue: fc.constantFrom('q0', 'q0', 'q1', 'Q1'),
    name: fc.constantFrom('a', 'a', 'b', 'B'),
    priority: fc.constantFrom(0, 5, 5, 10, 100),
    size: fc.constantFrom(0, 1, 1, 1, 2_000),
    again: fc.integer({ min: 0, max: 15 }).map((n) => n === 0),
    parents,
  })
  const key = fc.option(unique, { freq: 2, nil: undefined })
  return fc.tuple(basis, when, extras, key).map(([one, time, more, held]) => {
    return { ...one, ...time, ...more, ...(held === undefined ? {} : { unique: held }) }
  })
}
