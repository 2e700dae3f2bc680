import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { headerOf } from './envelope.ts'
import { additionalData, type SealedField } from './field.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 6 })
const place = fc.record({
  header: fc.constantFrom('k', 'k1', 'k.1').map((kid) => headerOf(kid, 'none')),
  storeId: text,
  jobId: text,
  jobName: text,
  field: fc.oneof(
    fc.constantFrom('payload' as const, 'result' as const, 'error' as const, 'progress' as const),
    fc.nat(20).map((n): SealedField['field'] => `log:${n}`),
    text.map((name): SealedField['field'] => `step:${name}`),
  ),
  epoch: fc.nat(5),
})
type Place = typeof place extends fc.Arbitrary<infer T> ? T : never
const bytesOf = ({ header, storeId, ...field }: Place) => additionalData(header, storeId, field)
const hasEpoch = ({ field }: Place) => field === 'result' || field.startsWith('step:')
const nameOf = (p: Place) =>
  JSON.stringify([p.header.toString('hex'), p.storeId, p.jobId, p.jobName, p.field, hasEpoch(p) ? p.epoch : null])

describe('C6: additional data', () => {
  it('is equal only for equal places', () => {
    fc.assert(
      fc.property(place, place, (a, b) => {
        const areEqual = bytesOf(a)?.equals(bytesOf(b) ?? Buffer.alloc(0))
        expect(areEqual).toBe(nameOf(a) === nameOf(b))
      }),
      { numRuns: 2_000 },
    )
  })

  it('keeps apart what only the borders between the parts tell apart', () => {
    const cut = (whole: string) =>
      Array.from({ length: whole.length + 1 }, (_, i): readonly [string, string] => [whole.slice(0, i), whole.slice(i)])
    const seen = cut('abcdefgh').map(([jobId, jobName]) =>
      additionalData(headerOf('k1', 'none'), '', { jobId, jobName, field: 'payload' })?.toString('hex'),
    )

    expect(new Set(seen).size).toBe(seen.length)
  })

  it('has no bytes for half a surrogate pair, which would be the same as another half', () => {
    const field = { jobId: '\ud800', jobName: 'a', field: 'payload' } as const

    expect(additionalData(headerOf('k1', 'none'), '', field)).toBeUndefined()
  })

  it('asks for the epoch where it is bound', () => {
    const field = { jobId: 'a', jobName: 'a', field: 'result' } as const

    expect(() => additionalData(headerOf('k1', 'none'), '', field)).toThrow('needs its lease epoch')
  })
})
