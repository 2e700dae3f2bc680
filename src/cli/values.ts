/** Values as they are typed: checked before anything is opened, refused with `USAGE`. */
import { parseDuration } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import { instantFromText } from '../core/filter/instant.ts'
import { parsePriority } from '../core/job/priority.ts'
import { parseSize } from '../core/size.ts'

/** A whole number above zero and up to `max`. `example` is how to write it. */
export function numberOf(
  value: unknown,
  flag: string,
  max = Number.MAX_SAFE_INTEGER,
  example = `${flag} ${Math.min(10, max)}`,
): number | undefined {
  if (value === undefined) return undefined
  const number = /^\d+$/.test(String(value).trim()) ? Number(value) : Number.NaN
  if (Number.isSafeInteger(number) && number > 0 && number <= max) return number
  const range = max === Number.MAX_SAFE_INTEGER ? 'above 0' : `from 1 to ${max.toLocaleString('en')}`
  throw new MillraceError('USAGE', `${flag} is ${String(value)}; it must be a whole number ${range}`, {
    fields: { flag, value: String(value) },
    hint: `Write for example: ${example}`,
  })
}

/** A time above zero, as it was typed. */
export function durationOf(value: unknown, flag: string, example = '30s'): string | undefined {
  return amountOf(value, flag, example, parseDuration)
}

/** A size above zero, as it was typed. */
export function sizeOf(value: unknown, flag: string, example = '50mb'): string | undefined {
  return amountOf(value, flag, example, parseSize)
}

function amountOf(
  value: unknown,
  flag: string,
  example: string,
  parse: (text: string, label: string) => number,
): string | undefined {
  if (value === undefined) return undefined
  const text = String(value)
  const hint = `Write for example: ${flag} ${example}`
  let amount: number
  try {
    amount = parse(text, flag)
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    // The hint of the option is about numbers, which nobody can type.
    throw new MillraceError(error.code, error.message, { fields: error.fields, hint, cause: error })
  }
  if (amount > 0) return text
  throw new MillraceError('USAGE', `${flag} is ${text}; it must be above 0`, { fields: { flag, value: text }, hint })
}

/** A priority's word or number, as its number. */
export function priorityOf(value: unknown): number {
  const text = String(value)
  try {
    // A word that is none is refused below.
    return parsePriority((/^\d+$/.test(text) ? Number(text) : text) as number)
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    throw new MillraceError('USAGE', error.message, error.hint === undefined ? {} : { hint: error.hint })
  }
}

/** When jobs shall run: `now`, how long from `now` such as `1h`, or an instant such as `2026-01-31T14:00`. */
export function runAtOf(value: unknown, now: number): Date {
  const text = String(value).trim()
  if (text === 'now') return new Date(now)
  const at = instantFromText(text, now)
  if (at === undefined) {
    throw new MillraceError('USAGE', `${JSON.stringify(text)} is neither a time from now nor an instant`, {
      fields: { value: text },
      hint: 'Write for example: now, 1h30m, 2026-01-31, 2026-01-31T14:00 or 2026-01-31T14:00+02:00',
    })
  }
  // A filter's duration is how long ago; here it lies as far ahead.
  return new Date(/^\d{4}-/.test(text) ? at : 2 * now - at)
}

/** JSON, or undefined when nothing was given. */
export function jsonOf(data: unknown): unknown {
  if (data === undefined) return undefined
  try {
    return JSON.parse(String(data))
  } catch (error) {
    throw new MillraceError('USAGE', `--data is not JSON: ${error instanceof Error ? error.message : ''}`, {
      hint: `Quote it for the shell: --data '{ "file": "a.png" }'`,
    })
  }
}

/** The words of a list separated by commas. */
export function wordsOf(value: unknown): readonly string[] {
  return String(value)
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
}
