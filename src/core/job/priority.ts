/** Priorities: four names for numbers from 0 to 100, higher first. */
import { ConfigError } from '../errors.ts'
import { nearest } from '../suggest.ts'

/** What each name stands for. */
export const PRIORITIES = { low: 1, normal: 5, high: 10, urgent: 15 } as const

/** A priority that has a name. */
export type PriorityName = keyof typeof PRIORITIES

/** A name, or a whole number from 0 to 100; higher first. */
export type Priority = PriorityName | number

const HINT = 'Use low, normal, high, urgent, or a whole number from 0 to 100; higher runs first.'

/**
 * The number of a priority given by name, as a number, or as digits (from a command line).
 *
 * Throws ConfigError `CONFIG_INVALID` with the value and, for a misspelt name, the nearest one.
 */
export function parsePriority(value: string | number): number {
  const number = typeof value === 'string' ? fromText(value) : value
  if (number !== undefined && Number.isInteger(number) && number >= 0 && number <= 100) return number + 0
  const suggestion = typeof value === 'string' ? nearest(value, Object.keys(PRIORITIES)) : undefined
  const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 64)) : String(value)
  const question = suggestion === undefined ? '' : `; did you mean \`${suggestion}\`?`
  throw new ConfigError('CONFIG_INVALID', `the priority ${shown} is not one${question}`, {
    fields: { priority: value, suggestion },
    hint: HINT,
  })
}

/** The name of a number that has one, else its digits. */
export function priorityName(priority: number): string {
  for (const [name, number] of Object.entries(PRIORITIES)) if (number === priority) return name
  return String(priority)
}

function fromText(text: string): number | undefined {
  const word = text.trim().toLowerCase()
  if (Object.hasOwn(PRIORITIES, word)) {
    // Just looked up.
    return PRIORITIES[word as PriorityName]
  }
  return /^\d{1,3}$/.test(word) ? Number(word) : undefined
}
