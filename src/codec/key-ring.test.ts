import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { MillraceError } from '../core/errors.ts'
import { createCodec } from './codec.ts'
import { createKeyRing, type KeyInput, type KeyRing, keyOf, keyRingFromEnv, keyRingFromFile } from './key-ring.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-keys-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const raw = randomBytes(32)
const FIELD = { jobId: 'a', jobName: 'n', field: 'payload' } as const
const errorOf = (act: () => unknown): MillraceError => {
  try {
    act()
  } catch (error) {
    if (error instanceof MillraceError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
/** Whether what one ring seals the other opens. */
const isSame = async (a: KeyRing, b: KeyRing) =>
  (await createCodec({ keys: b }).decode(FIELD, await createCodec({ keys: a }).encode(FIELD, 'x'))) === 'x'

describe('C8: a key', () => {
  it.each<[string, KeyInput]>([
    ['bytes', raw],
    ['base64', raw.toString('base64')],
    ['base64url', raw.toString('base64url')],
    ['hex', raw.toString('hex')],
    ['hex with blanks around', ` ${raw.toString('hex').toUpperCase()}\n`],
  ])('is taken as %s', async (_, key) => {
    const ring = createKeyRing({ active: 'k1', keys: { k1: key } })

    expect(await isSame(ring, createKeyRing({ active: 'k1', keys: { k1: raw } }))).toBe(true)
  })

  it('is made from a passphrase and its salt, the same each time', async () => {
    const make = (salt: string) =>
      createKeyRing({ active: 'k1', keys: { k1: { passphrase: 'correct horse battery staple', salt } } })

    expect(await isSame(make('sixteen bytes 01'), make('sixteen bytes 01'))).toBe(true)
    await expect(isSame(make('sixteen bytes 01'), make('sixteen bytes 02'))).rejects.toThrow('could not be opened')
  })

  it.each<[string, KeyInput]>([
    ['16 bytes', randomBytes(16)],
    ['31 bytes', randomBytes(31)],
    ['33 bytes', randomBytes(33)],
    ['no bytes', new Uint8Array()],
    ['equal bytes', Buffer.alloc(32, 7)],
    ['zeros', Buffer.alloc(32)],
    ['few different bytes', Buffer.from('00010203'.repeat(8), 'hex')],
    ['bytes that count up', Buffer.from(Array.from({ length: 32 }, (_, i) => i))],
    ['bytes that count down by three', Buffer.from(Array.from({ length: 32 }, (_, i) => 200 - 3 * i))],
    ['two equal halves', Buffer.concat([raw.subarray(0, 16), raw.subarray(0, 16)])],
    ['readable text', Buffer.from('my-super-secret-key-of-32-bytes!')],
    ['the example of NIST', '603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4'],
    ['the hash of nothing', createHash('sha256').digest()],
    ['the hash of "password"', createHash('sha256').update('password').digest('hex')],
    ['text that is neither', 'hunter2'],
    ['a short passphrase', { passphrase: 'hunter2', salt: 'sixteen bytes 01' }],
    ['a plain passphrase', { passphrase: 'aaaaaaaaaaaaaaaaaaaa', salt: 'sixteen bytes 01' }],
    ['a passphrase with a short salt', { passphrase: 'correct horse battery', salt: 'salt' }],
    ['nothing', undefined as unknown as KeyInput],
  ])('is refused when it is %s, without being told', (_, key) => {
    const error = errorOf(() => createKeyRing({ active: 'k1', keys: { k1: key } }))

    expect(error.code).toBe('KEY_INVALID')
    expect(error.message).toContain('k1')
    if (typeof key === 'string') expect(inspect(error)).not.toContain(key)
  })

  it.each(['', 'a b', 'ä', 'k'.repeat(33), 'a/b', 'a:b'])('is refused under the name %j', (kid) => {
    expect(errorOf(() => createKeyRing({ active: kid, keys: { [kid]: raw } })).code).toBe('KEY_INVALID')
  })
})

describe('C8: a ring', () => {
  const hex = raw.toString('hex')
  const other = randomBytes(32)

  it('needs its active key', () => {
    expect(errorOf(() => createKeyRing({ active: 'k2', keys: { k1: raw } })).code).toBe('KEY_UNKNOWN')
  })

  it('takes keys at run time and tells of each', () => {
    const ring = createKeyRing({ active: 'k1', keys: { k1: raw } })
    const told: string[] = []
    const stop = ring.onAdd((kid) => told.push(kid))

    ring.add('k2', other)
    ring.add('k2', other)
    ring.activate('k2')
    stop()
    ring.add('k3', randomBytes(32))

    expect(told).toEqual(['k2'])
    expect([ring.active, ...ring.ids]).toEqual(['k2', 'k1', 'k2', 'k3'])
    expect(errorOf(() => ring.add('k1', other)).code).toBe('KEY_INVALID')
    expect(errorOf(() => ring.activate('k9')).code).toBe('KEY_UNKNOWN')
  })

  it('C18: shows the names of its keys and nothing of them, however it is looked at', () => {
    const ring = createKeyRing({ active: 'k1', keys: { k1: raw, k2: other } })
    const codec = createCodec({ keys: ring })
    const options = { depth: 20, showHidden: true, getters: true } as const
    const bytes = [...raw].join(', ')

    const shown = [ring, codec, { ring }, keyOf(ring, 'k1'), { key: keyOf(ring, 'k1') }].flatMap((each) => [
      inspect(each, options),
      inspect(each),
      JSON.stringify(each),
      String(each),
    ])

    expect(inspect(ring)).toBe('KeyRing(active: k1, keys: k1, k2)')
    for (const text of shown.map((each) => each ?? '')) {
      expect(text).not.toContain(hex)
      expect(text).not.toContain(hex.match(/../g)?.join(' ') ?? hex)
      expect(text).not.toContain(raw.toString('base64'))
      expect(text).not.toContain(bytes)
      expect(text).not.toMatch(/Buffer|Cipher/)
    }
  })

  it('keeps its key when the caller wipes what it gave', async () => {
    const given = Buffer.from(raw)
    const ring = createKeyRing({ active: 'k1', keys: { k1: given } })
    given.fill(0)

    expect(await isSame(ring, createKeyRing({ active: 'k1', keys: { k1: raw } }))).toBe(true)
  })
})

describe('C8: a ring from text', () => {
  const [one, two] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')]

  it.each([`k2:${two},k1:${one}`, `# newest first\nk2=${two}\n\nk1 = ${one}\n`])(
    'reads the first as active: %#',
    (text) => {
      const ring = keyRingFromEnv(text)

      expect([ring.active, ...ring.ids]).toEqual(['k2', 'k2', 'k1'])
    },
  )

  it.each(['', '# none', one, `k1:${one},k1:${two}`, `k1:${one},:${two}`])(
    'refuses %#, without telling a key',
    (text) => {
      const error = errorOf(() => keyRingFromEnv(text))

      expect(error.code).toBe('KEY_INVALID')
      expect(inspect(error)).not.toContain(one)
    },
  )

  it('reads a file that only its owner can read', () => {
    const path = join(folder, 'keys')
    writeFileSync(path, `k1:${one}\n`, { mode: 0o600 })

    expect(keyRingFromFile(path).active).toBe('k1')
    for (const mode of [0o640, 0o604, 0o644, 0o620, 0o660]) {
      chmodSync(path, mode)
      expect(errorOf(() => keyRingFromFile(path))).toMatchObject({
        code: 'KEY_INVALID',
        hint: `run: chmod 600 ${path}`,
      })
    }
    expect(errorOf(() => keyRingFromFile(join(folder, 'none'))).code).toBe('KEY_INVALID')
  })
})
