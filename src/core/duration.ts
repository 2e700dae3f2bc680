/** Durations: milliseconds, or text such as `30s` and `1h30m`. */
import { ConfigError } from './errors.ts'

/** Milliseconds as a number, or text of amounts with units: `1500ms`, `30s`, `5m`, `2h`, `7d`, `1w`, `1.5h`, `1h30m`. */
export type Duration = number | string

const UNITS = { w: 604_800_000, d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const
type Unit = keyof typeof UNITS

/** A hundred years. Any instant of today plus the longest duration is still an exact integer and a valid date. */
const MAX_MS = 3_155_760_000_000
const MAX_LENGTH = 64
const PART = /\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)(?![a-z])/y
const HINT = 'Write milliseconds as a number, or text such as "500ms", "30s", "5m", "2h", "7d", "1h30m".'

/**
 * Gives a duration in whole milliseconds, from 0 to a hundred years, rounded to the nearest. In text, units go from large
 * to small, each at most once. `label` names the value in the error.
 *
 * Throws ConfigError `DURATION_INVALID` with the value, the reason and a hint.
 */
export function parseDuration(value: Duration, label = 'the duration'): number {
  const ms = typeof value === 'number' ? value : fromText(value, label)
  if (Number.isNaN(ms)) throw invalid(value, label, 'it is not a number')
  if (ms < 0) throw invalid(value, label, 'it is negative')
  if (ms > MAX_MS) throw invalid(value, label, 'it is longer than 100 years')
  // Adding 0 makes 0 of -0.
  return Math.round(ms) + 0
}

/**
 * Writes milliseconds as text that `parseDuration` reads back to the same value: `0ms`, `1500` → `1s500ms`, `7d`. A negative
 * or broken value is written as `0ms`. With `maxParts` only the largest units are kept, for people: `3d4h`.
 */
export function formatDuration(ms: number, maxParts = Number.POSITIVE_INFINITY): string {
  let rest = ms > 0 ? Math.round(Math.min(ms, Number.MAX_SAFE_INTEGER)) : 0
  const parts: string[] = []
  for (const unit of ['d', 'h', 'm', 's', 'ms'] as const) {
    const amount = Math.floor(rest / UNITS[unit])
    rest -= amount * UNITS[unit]
    if (amount > 0 && parts.length < maxParts) parts.push(`${amount}${unit}`)
  }
  return parts.length === 0 ? '0ms' : parts.join('')
}

function fromText(text: string, label: string): number {
  if (typeof text !== 'string') throw invalid(text, label, 'it is neither a number nor text')
  const trimmed = text.trim()
  if (trimmed === '') throw invalid(text, label, 'it is empty')
  if (trimmed.length > MAX_LENGTH) throw invalid(text, label, `it is longer than ${MAX_LENGTH} characters`)
  if (/^[\d.]+$/.test(trimmed)) throw invalid(text, label, 'it has no unit')
  if (trimmed.startsWith('-')) throw invalid(text, label, 'it is negative')
  let total = 0
  let largest = Number.POSITIVE_INFINITY
  PART.lastIndex = 0
  for (let end = 0; end < trimmed.length; end = PART.lastIndex) {
    const part = PART.exec(trimmed)
    if (part === null) throw invalid(text, label, `"${trimmed.slice(end).trim()}" is not an amount with a unit`)
    // The pattern admits no other unit.
    const unitMs = UNITS[part[2] as Unit]
    if (unitMs >= largest) throw invalid(text, label, 'its units do not go from large to small')
    largest = unitMs
    total += Number(part[1]) * unitMs
  }
  return total
}

function invalid(value: unknown, label: string, reason: string): ConfigError {
  const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, MAX_LENGTH)) : String(value)
  return new ConfigError('DURATION_INVALID', `${label} is ${shown}, which is not a duration: ${reason}`, {
    fields: { label, value, reason },
    hint: HINT,
  })
}
