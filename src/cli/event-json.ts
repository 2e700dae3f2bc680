/** A line of `--log json`. */
import { jsonText } from './output.ts'

/** An event as one line of JSON, told now: errors as their messages, numbers without their noise. */
export function eventJson(event: string, fields: object): string {
  const plain = Object.entries(fields).map(([key, value]) => [key, plainOf(value)])
  return jsonText({ at: new Date().toISOString(), event, ...Object.fromEntries(plain) })
}

function plainOf(value: unknown): unknown {
  if (value instanceof Error) return value.message
  return typeof value === 'number' ? Math.round(value * 100) / 100 : value
}
