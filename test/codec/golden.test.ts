import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createCodec } from '../../src/codec/codec.ts'
import { createKeyRing } from '../../src/codec/key-ring.ts'
import { GOLDEN_BLIND, GOLDEN_CASES } from './golden-cases.ts'

const FOLDER = join(import.meta.dirname, 'golden')

describe('C1: bytes that an earlier version stored', () => {
  it.each(GOLDEN_CASES)('decode for ever: $file', async ({ file, options, field, value }) => {
    const bytes = readFileSync(join(FOLDER, file))

    expect(await createCodec(options).decode(field, bytes)).toEqual(value)
  })

  it('are all known', () => {
    expect(readdirSync(FOLDER).sort()).toEqual(GOLDEN_CASES.map(({ file }) => file).sort())
  })

  it('are written as they were then where nothing is random', async () => {
    const plain = GOLDEN_CASES.filter(({ file }) => file === 'v1-plain.bin' || file === 'v1-plain-undefined.bin')

    for (const { file, options, field, value } of plain) {
      const bytes = Buffer.from(await createCodec(options).encode(field, value))
      expect(bytes.equals(readFileSync(join(FOLDER, file)))).toBe(true)
    }
  })
})

describe('what is derived from a key', () => {
  it('blinds a text as it did then', () => {
    const { codec, domain, text } = GOLDEN_BLIND

    expect(codec.blind(domain, text)).toBe('h1gHRpWPGxmU6XOh75OwHGCtrQ2aJTcFCOFeh2pyKrI')
  })

  it('is the same key from a passphrase as then', () => {
    const keys = createKeyRing({
      active: 'k1',
      keys: { k1: { passphrase: 'correct horse battery staple', salt: 'sixteen bytes 01' } },
    })

    expect(createCodec({ keys }).blind('unique', 'a key')).toBe('RlBfpqwXNHuT0kl_rkPnE0MinFurr9NW9Ka5te16ZlI')
  })
})
