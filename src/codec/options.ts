/** How a codec is set up: what may be stored, what is compressed, what is sealed. */
import { ConfigError } from '../core/errors.ts'
import { checkOptions } from '../core/options.ts'
import type { Compression } from './envelope.ts'
import type { SealedField } from './field.ts'
import type { JsonLimits } from './json.ts'
import { activeKey, type KeyRing } from './key-ring.ts'

/** What one call may set otherwise than its codec. */
export interface EncodeLimits {
  /** Bytes of the JSON text, at most 16 MiB. */
  readonly maxBytes?: number
  readonly maxDepth?: number
  readonly maxKeys?: number
  readonly maxString?: number
  /** `false` where a secret and text of a stranger share one value: the compressed length tells of the secret. */
  readonly compress?: Compression | false
}

/** How values are limited, compressed and sealed. Everything has a default. */
export interface CodecOptions {
  /** Without keys everything is stored in the clear. */
  readonly keys?: KeyRing
  /** Refuses rows in the clear, which someone who can write to the database could have put there. Needs `keys`. */
  readonly requireEncryption?: boolean
  /** Default `gzip`. */
  readonly compress?: Compression | false
  /** JSON texts longer than this many characters are compressed, if that saves a tenth. Default 1,024. */
  readonly compressAbove?: number
  /** Bytes of the JSON text. Default 1 MiB, at most 16 MiB. */
  readonly maxBytes?: number
  /** Bytes that may come out of decompression, and so be read at all. Default 16 MiB, never less than `maxBytes`. */
  readonly maxDecoded?: number
  /** Lists and objects within each other. Default 64, at most 512. */
  readonly maxDepth?: number
  /** Keys of all objects of one value. Default 10,000. */
  readonly maxKeys?: number
  /** Characters of one string. Default 1 MiB. */
  readonly maxString?: number
  /** Pads what is sealed to the next power of two, so that its length tells less. Nothing is compressed then. */
  readonly pad?: boolean
  /** Bound into every envelope: what one store sealed does not open in another. Default empty. */
  readonly storeId?: string
  /** Is told when something that was read had been compressed by more than 200 to 1. */
  readonly onHighRatio?: (field: SealedField, ratio: number) => void
}

/** CodecOptions with every default filled in. */
export interface Settings {
  readonly keys: KeyRing | undefined
  readonly requireEncryption: boolean
  readonly compress: Compression | false
  readonly compressAbove: number
  readonly limits: JsonLimits
  readonly maxDecoded: number
  readonly pad: boolean
  readonly storeId: string
  readonly onHighRatio: ((field: SealedField, ratio: number) => void) | undefined
}

const OPTIONS = [
  'keys',
  'requireEncryption',
  'compress',
  'compressAbove',
  'maxBytes',
  'maxDecoded',
  'maxDepth',
  'maxKeys',
  'maxString',
  'pad',
  'storeId',
  'onHighRatio',
]
const MIB = 1_048_576
const MOST_BYTES = 16 * MIB
// The walk over a value calls itself once per level.
const MOST_LEVELS = 512

/** The options with their defaults. Throws ConfigError CONFIG_INVALID or KEY_INVALID. */
export function normalise(options: CodecOptions): Settings {
  checkOptions(options, OPTIONS, 'the codec')
  const limits = narrow({ maxBytes: MIB, maxDepth: 64, maxKeys: 10_000, maxString: MIB }, options)
  const maxDecoded = options.maxDecoded ?? MOST_BYTES
  if (!Number.isSafeInteger(maxDecoded) || maxDecoded < limits.maxBytes) {
    throw invalid('maxDecoded', maxDecoded, `a whole number of bytes, at least maxBytes (${limits.maxBytes})`)
  }
  const { compress = 'gzip', requireEncryption = false, keys } = options
  if (requireEncryption && keys === undefined) {
    throw new ConfigError('CONFIG_INVALID', 'requireEncryption is set, but there are no keys', {
      fields: { option: 'requireEncryption' },
      hint: 'pass a key ring as keys',
    })
  }
  if (keys !== undefined) activeKey(keys)
  const compressAbove = options.compressAbove ?? 1_024
  if (!(compressAbove >= 0)) throw invalid('compressAbove', compressAbove, 'a number of characters')
  return {
    keys,
    requireEncryption,
    compress: checkCompression(compress),
    compressAbove,
    limits,
    maxDecoded,
    pad: options.pad ?? false,
    storeId: options.storeId ?? '',
    onHighRatio: options.onHighRatio,
  }
}

/** The limits with those that `given` sets. Throws ConfigError CONFIG_INVALID. */
export function narrow(base: JsonLimits, given: EncodeLimits): JsonLimits {
  return {
    maxBytes: limit('maxBytes', given.maxBytes ?? base.maxBytes, MOST_BYTES),
    maxDepth: limit('maxDepth', given.maxDepth ?? base.maxDepth, MOST_LEVELS),
    maxKeys: limit('maxKeys', given.maxKeys ?? base.maxKeys, MOST_BYTES),
    maxString: limit('maxString', given.maxString ?? base.maxString, MOST_BYTES),
  }
}

/** The value, if it is one of the ways to compress. Throws ConfigError CONFIG_INVALID. */
export function checkCompression(value: Compression | false): Compression | false {
  if (value === 'gzip' || value === 'zstd' || value === false) return value
  throw invalid('compress', value, "'gzip', 'zstd' or false")
}

function limit(option: string, value: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= 1 && value <= most) return value
  throw invalid(option, value, `a whole number from 1 to ${most}`)
}

function invalid(option: string, value: unknown, what: string): ConfigError {
  return new ConfigError('CONFIG_INVALID', `${option} is ${String(value)}; it must be ${what}`, {
    fields: { option, value },
    hint: `set ${option} to ${what}`,
  })
}
