/**
 * The key ring: the keys that open what is stored, one of which, the active one, seals what is written. A ring can be
 * given a key while the program runs, so that jobs that wait for it go on. Nothing that is printed or logged about a
 * ring holds more than the names of its keys.
 */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { INSPECT } from '../base/builtin.ts'
import { ConfigError } from '../core/errors.ts'
import { type KeyInput, readKey, type SealingKey } from './key-material.ts'

export type { KeyInput } from './key-material.ts'

/** What a ring is made of. */
export interface KeyRingOptions {
  /** The name of the key that seals. */
  readonly active: string
  /** Every key by its name: 1–32 of `A-Z a-z 0-9 _ . -`. */
  readonly keys: Readonly<Record<string, KeyInput>>
}

/** Keys by name, one of which seals. Frozen; it holds no key that can be read. */
export interface KeyRing {
  /** The name of the key that seals. */
  readonly active: string
  /** The names of all keys, in the order they were added. */
  readonly ids: readonly string[]
  has(kid: string): boolean
  /** Adds a key that opens. The same key again is no change; another key under a name in use is KEY_INVALID. */
  add(kid: string, key: KeyInput): void
  /** Makes a key of the ring the one that seals. Throws KEY_UNKNOWN when it is not there. */
  activate(kid: string): void
  /** Calls `listener` after each added key; the returned function ends that. */
  onAdd(listener: (kid: string) => void): () => void
}

/** A ring of the keys given. Throws ConfigError KEY_INVALID for a key that is malformed, too weak or missing. */
export function createKeyRing({ active, keys }: KeyRingOptions): KeyRing {
  const known = new Map(Object.entries(keys).map(([kid, key]) => [kid, readKey(kid, key)]))
  const listeners = new Set<(kid: string) => void>()
  let sealing = active
  const requireKey = (kid: string): void => {
    if (known.has(kid)) return
    throw new ConfigError('KEY_UNKNOWN', `there is no key ${JSON.stringify(kid)} in the ring`, {
      fields: { kid, known: [...known.keys()] },
      hint: `add it first; the ring has ${[...known.keys()].join(', ') || 'no keys'}`,
    })
  }
  requireKey(active)
  const ring: KeyRing = {
    get active() {
      return sealing
    },
    get ids() {
      return [...known.keys()]
    },
    has: (kid) => known.has(kid),
    add(kid, input) {
      const key = readKey(kid, input)
      const holder = known.get(kid)
      if (holder !== undefined) {
        if (holder.blind.equals(key.blind)) return
        throw new ConfigError('KEY_INVALID', `the ring has another key named ${kid}`, {
          fields: { kid },
          hint: 'give the new key a name of its own',
        })
      }
      known.set(kid, key)
      for (const listener of listeners) listener(kid)
    },
    activate(kid) {
      requireKey(kid)
      sealing = kid
    },
    onAdd(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  Object.defineProperty(ring, INSPECT, {
    value: () => `KeyRing(active: ${sealing}, keys: ${[...known.keys()].join(', ')})`,
  })
  KEYS.set(ring, known)
  return Object.freeze(ring)
}

/**
 * A ring from one text: `k2:BASE64,k1:BASE64`, comma or line separated, lines with `#` are comments; the first key is
 * the active one. Meant for an environment variable. Throws ConfigError KEY_INVALID.
 */
export function keyRingFromEnv(text: string): KeyRing {
  const pairs = text
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line, i): [string, string] => {
      const at = line.search(/[:=]/)
      if (at > 0) return [line.slice(0, at).trim(), line.slice(at + 1).trim()]
      throw new ConfigError('KEY_INVALID', `entry ${i + 1} of the keys has no name`, { hint: 'write name:base64' })
    })
  const first = pairs[0]?.[0]
  if (first === undefined) {
    throw new ConfigError('KEY_INVALID', 'the text holds no keys', { hint: 'write name:base64, separated by commas' })
  }
  const keys = new Map(pairs)
  if (keys.size !== pairs.length) throw new ConfigError('KEY_INVALID', 'two keys have the same name')
  return createKeyRing({ active: first, keys: Object.fromEntries(keys) })
}

/**
 * A ring from a file that only its owner can read (mode 0600 or 0400), written as for `keyRingFromEnv`. Throws
 * ConfigError KEY_INVALID, also when the file cannot be read or others can read it. Windows has no such modes.
 */
export function keyRingFromFile(path: string): KeyRing {
  return keyRingFromEnv(readPrivate(path))
}

/** The key that seals; for the codec only. Throws ConfigError KEY_INVALID for a ring that `createKeyRing` did not make. */
export function activeKey(ring: KeyRing): SealingKey {
  const key = keyOf(ring, ring.active)
  if (key !== undefined) return key
  throw new ConfigError('KEY_INVALID', 'the key ring was not made by createKeyRing', { hint: 'use createKeyRing' })
}

/** The key of that name; for the codec only. */
export function keyOf(ring: KeyRing, kid: string): SealingKey | undefined {
  return KEYS.get(ring)?.get(kid)
}

// Keys live beside the rings, not in them, so that nothing that walks a ring's properties meets them.
const KEYS = new WeakMap<KeyRing, ReadonlyMap<string, SealingKey>>()

function readPrivate(path: string): string {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    throw new ConfigError('KEY_INVALID', `the key file ${path} cannot be read`, { fields: { path }, cause: error })
  }
  try {
    // Asked of the open file, so that it cannot be exchanged in between.
    const mode = fstatSync(file).mode & 0o777
    if ((mode & 0o077) !== 0 && process.platform !== 'win32') {
      throw new ConfigError('KEY_INVALID', `the key file ${path} can be read by others (mode ${mode.toString(8)})`, {
        fields: { path, mode },
        hint: `run: chmod 600 ${path}`,
      })
    }
    return readFileSync(file, 'utf8')
  } finally {
    closeSync(file)
  }
}
