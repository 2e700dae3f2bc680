/** Sizes in bytes: a number, or text such as `512kb` and `1 GiB`. */
import { ConfigError } from './errors.ts'

/** Bytes as a number, or an amount with a unit: `b`; `kb`, `mb`, `gb`, `tb` in thousands; `kib`, `mib`, `gib`, `tib` in 1024s. */
export type Size = number | string

/** IEC 80000-13: decimal units count in thousands, binary ones in 1024s. */
const UNITS: ReadonlyMap<string, number> = new Map([
  ['b', 1],
  ['kb', 1e3],
  ['mb', 1e6],
  ['gb', 1e9],
  ['tb', 1e12],
  ['kib', 2 ** 10],
  ['mib', 2 ** 20],
  ['gib', 2 ** 30],
  ['tib', 2 ** 40],
])
const SHOWN = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const
const MAX_LENGTH = 64
const HINT = 'Write bytes as a number, or text such as "512kb", "50mb", "1gib".'

/**
 * Gives a size in whole bytes, from 0 to the largest exact integer, rounded to the nearest. Case does not count. `label`
 * names the value in the error.
 *
 * Throws ConfigError `SIZE_INVALID` with the value, the reason and a hint.
 */
export function parseSize(value: Size, label = 'the size'): number {
  const bytes = typeof value === 'number' ? value : fromText(value, label)
  if (Number.isNaN(bytes)) throw invalid(value, label, 'it is not a number')
  if (bytes < 0) throw invalid(value, label, 'it is negative')
  if (bytes > Number.MAX_SAFE_INTEGER) throw invalid(value, label, 'it is too large')
  // Adding 0 makes 0 of -0.
  return Math.round(bytes) + 0
}

/** Writes bytes for people, in binary units with one decimal where it says something: `0 B`, `1.5 KiB`, `64 MiB`. */
export function formatSize(bytes: number): string {
  let amount = bytes > 0 ? bytes : 0
  let power = 0
  // 1023.95 and more would be shown as 1024.0 of the smaller unit.
  while (amount >= (power === 0 ? 1024 : 1023.95) && power < SHOWN.length - 1) {
    amount /= 1024
    power++
  }
  const shown = power === 0 ? String(Math.round(amount)) : amount.toFixed(1).replace(/\.0$/, '')
  return `${shown} ${SHOWN[power] ?? 'B'}`
}

function fromText(text: string, label: string): number {
  if (typeof text !== 'string') throw invalid(text, label, 'it is neither a number nor text')
  const trimmed = text.trim()
  if (trimmed.length > MAX_LENGTH) throw invalid(text, label, `it is longer than ${MAX_LENGTH} characters`)
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(trimmed)
  if (match === null) throw invalid(text, label, trimmed === '' ? 'it is empty' : 'it is not an amount with a unit')
  const [, amount, unit = ''] = match
  if (unit === '') throw invalid(text, label, 'it has no unit')
  const factor = UNITS.get(unit.toLowerCase())
  if (factor === undefined) throw invalid(text, label, `"${unit}" is not a unit`)
  return Number(amount) * factor
}

function invalid(value: unknown, label: string, reason: string): ConfigError {
  const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, MAX_LENGTH)) : String(value)
  return new ConfigError('SIZE_INVALID', `${label} is ${shown}, which is not a size: ${reason}`, {
    fields: { label, value, reason },
    hint: HINT,
  })
}
