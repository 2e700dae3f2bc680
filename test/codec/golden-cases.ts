/** The envelopes of test/codec/golden/, and what each must decode to for ever. Files are added, never written again. */
import { createHash } from 'node:crypto'
import { type CodecOptions, createCodec, type SealedField } from '../../src/codec/codec.ts'
import { createKeyRing } from '../../src/codec/key-ring.ts'

export interface GoldenCase {
  readonly file: string
  readonly options: CodecOptions
  readonly field: SealedField
  readonly value: unknown
}

const key = (name: string) => createHash('sha256').update(`millrace golden ${name}`).digest()
const ring = (active: 'k1' | 'key.2024-01_a') =>
  createKeyRing({ active, keys: { k1: key('k1'), 'key.2024-01_a': key('key.2024-01_a') } })
const place = (field: SealedField['field'], epoch?: number): SealedField => ({
  jobId: '0197c0de-0000-7000-8000-000000000001',
  jobName: 'resize',
  field,
  ...(epoch === undefined ? {} : { epoch }),
})
const SMALL = { file: 'a.png', width: 800, tags: ['ä', '\u0000', '\ud800'], nothing: null, n: 1.5e-7 }
const ROWS = Array.from({ length: 60 }, (_, i) => ({ id: i, name: `user ${i}` }))
const keys = ring('k1')

export const GOLDEN_CASES: readonly GoldenCase[] = [
  { file: 'v1-plain.bin', options: {}, field: place('payload'), value: SMALL },
  { file: 'v1-plain-undefined.bin', options: {}, field: place('result', 1), value: undefined },
  { file: 'v1-plain-gzip.bin', options: {}, field: place('payload'), value: ROWS },
  { file: 'v1-plain-zstd.bin', options: { compress: 'zstd' }, field: place('payload'), value: ROWS },
  { file: 'v1-sealed.bin', options: { keys }, field: place('payload'), value: SMALL },
  { file: 'v1-sealed-undefined.bin', options: { keys }, field: place('result', 7), value: undefined },
  { file: 'v1-sealed-gzip.bin', options: { keys }, field: place('payload'), value: ROWS },
  { file: 'v1-sealed-zstd.bin', options: { keys, compress: 'zstd' }, field: place('error'), value: ROWS },
  { file: 'v1-sealed-padded.bin', options: { keys, pad: true }, field: place('progress'), value: 'half way' },
  {
    file: 'v1-sealed-other-key.bin',
    options: { keys: ring('key.2024-01_a') },
    field: place('log:12'),
    value: 'a line',
  },
  { file: 'v1-sealed-store.bin', options: { keys, storeId: 'store ä' }, field: place('step:pay', 3), value: SMALL },
]

/** What `createCodec(options).blind('unique', 'a key')` gives under the key k1. */
export const GOLDEN_BLIND = { codec: createCodec({ keys }), domain: 'unique', text: 'a key' } as const
