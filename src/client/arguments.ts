/** Checks of what callers pass beside options: callers in plain JavaScript pass anything, and a TypeError helps nobody. */
import { ConfigError } from '../core/errors.ts'
import type { JobDefinition } from '../job/define-job.ts'

/** Throws `DEFINITION_INVALID` unless the value was made by `defineJob`. Costs two looks. */
export function checkDefinition(definition: JobDefinition): void {
  if (typeof definition === 'object' && definition !== null && typeof definition.timeoutMs === 'number') return
  throw new ConfigError('DEFINITION_INVALID', `a job's definition is ${shown(definition)}`, {
    fields: { definition: shown(definition) },
    hint: 'Pass what defineJob returned.',
  })
}

/** The instant in whole milliseconds. Throws `CONFIG_INVALID` unless it is a valid Date or a number of milliseconds. */
export function instantOf(value: unknown, option: string): number {
  const ms = typeof value === 'number' ? value : value instanceof Date ? value.getTime() : Number.NaN
  if (Number.isFinite(ms) && Math.abs(ms) <= 8.64e15) return Math.floor(ms)
  throw invalid(option, value, 'it is no valid date', 'Pass a Date or milliseconds since 1970.')
}

/** A list of ids. Throws `CONFIG_INVALID` for anything but a text or a list of texts. */
export function idsOf(ids: unknown): readonly string[] {
  if (typeof ids === 'string') return [ids]
  if (Array.isArray(ids) && ids.every((id) => typeof id === 'string')) return ids
  const wrong = Array.isArray(ids) ? ids.find((id) => typeof id !== 'string') : ids
  throw invalid('ids', wrong, 'it is no id', 'Pass the id of a job, or a list of ids.')
}

/** A text or a list of texts, as a list. Throws `CONFIG_INVALID`. */
export function wordsOf(value: unknown, option: string): readonly string[] {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value
  throw invalid(option, value, 'it is neither text nor a list of texts', 'Pass one text, or a list.')
}

/** A whole number within bounds. Throws `CONFIG_INVALID`. */
export function wholeOf(value: unknown, option: string, min: number, max: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw invalid(
    option,
    value,
    `it must be a whole number from ${min} to ${max}`,
    `Pass a number from ${min} to ${max}, or leave it out.`,
  )
}

/** One of the words. Throws `CONFIG_INVALID`. */
export function oneOf<T extends string>(value: unknown, option: string, words: readonly T[]): T {
  const found = words.find((word) => word === value)
  if (found !== undefined) return found
  throw invalid(option, value, 'there is no such word', `Use one of ${words.join(', ')}.`)
}

/** The error for a value that an argument or option cannot have. */
export function invalid(option: string, value: unknown, reason: string, hint: string): ConfigError {
  return new ConfigError('CONFIG_INVALID', `${option} is ${shown(value)}: ${reason}`, {
    fields: { option, value: shown(value), reason },
    hint,
  })
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object'
  return String(value)
}
