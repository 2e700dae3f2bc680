/** Instants as a filter names them: a date, a date with a time, or how long ago. */
import { parseDuration } from '../duration.ts'
import { ConfigError } from '../errors.ts'

const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?)?(Z|[+-]\d\d:?\d\d)?$/
const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/**
 * Milliseconds since 1970 of `2026-01-31`, `2026-01-31T14:00`, `2026-01-31T14:00:00.5+02:00` (RFC 3339, UTC where no zone is
 * given), or of a duration before `now` such as `1h30m`. Undefined for anything else.
 */
export function instantFromText(text: string, now: number): number | undefined {
  const found = DATE.exec(text)
  if (found === null) return agoFromText(text, now)
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '0', zone = 'Z'] = found
  const [m, d, h, min, s] = [Number(month), Number(day), Number(hour), Number(minute), Number(second)]
  if (d < 1 || d > (MONTH_DAYS[m - 1] ?? 0) || h > 23 || min > 59 || s > 59) return undefined
  const days = daysFrom(Number(year), m, d)
  if (days === undefined) return undefined
  const ms = ((days * 24 + h) * 60 + min) * 60_000 + s * 1_000 + Number(fraction.padEnd(3, '0'))
  const offset = offsetMinutes(zone)
  return offset === undefined ? undefined : ms - offset * 60_000
}

function agoFromText(text: string, now: number): number | undefined {
  try {
    return now - parseDuration(text)
  } catch (error) {
    // Not a duration either.
    if (error instanceof ConfigError) return undefined
    throw error
  }
}

function offsetMinutes(zone: string): number | undefined {
  if (zone === 'Z') return 0
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(-2))]
  if (hours > 23 || minutes > 59) return undefined
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes)
}

/** Days since 1970-01-01 in the Gregorian calendar (H. Hinnant, "chrono-compatible low-level date algorithms"). */
function daysFrom(year: number, month: number, day: number): number | undefined {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  if (month === 2 && day === 29 && !isLeap) return undefined
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
}
