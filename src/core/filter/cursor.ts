/**
 * Where a list goes on: after which id, and in which order. A sum over both tells a cursor that was cut, mistyped or made up
 * from one that a list gave; it is no secret, as whoever may list may begin anywhere.
 */
import { ConfigError } from '../errors.ts'

/** The order of a list by id. */
export type ListOrder = 'newest' | 'oldest'

const FORM = /^([no])([0-9a-z]{7})\.(\S+)$/

/** The cursor of what follows this id in this order. */
export function writeCursor(order: ListOrder, id: string): string {
  const place = encodeURIComponent(id)
  return `${letterOf(order)}${sumOf(letterOf(order) + place)}.${place}`
}

/** The id after which a list goes on. Throws ConfigError `CURSOR_INVALID` for what no list in this order has given. */
export function readCursor(order: ListOrder, cursor: string): string {
  const [, letter = '', sum, place = ''] = FORM.exec(cursor) ?? []
  if (sum === undefined || sum !== sumOf(letter + place)) throw invalid(cursor, 'no list gave it')
  if (letter !== letterOf(order)) throw invalid(cursor, `it is of a list that begins with the ${other(order)}`)
  return decodeURIComponent(place)
}

function letterOf(order: ListOrder): string {
  return order === 'newest' ? 'n' : 'o'
}

function other(order: ListOrder): ListOrder {
  return order === 'newest' ? 'oldest' : 'newest'
}

/** FNV-1a over the characters, 32 bits (draft-eastlake-fnv). */
function sumOf(text: string): string {
  let sum = 0x811c9dc5
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193)
  return (sum >>> 0).toString(36).padStart(7, '0')
}

function invalid(cursor: string, reason: string): ConfigError {
  const shown = cursor.length > 80 ? `${cursor.slice(0, 80)}…` : cursor
  return new ConfigError('CURSOR_INVALID', `the cursor ${JSON.stringify(shown)} cannot be used: ${reason}`, {
    fields: { cursor: shown, reason },
    hint: 'Pass the `next` of the page before as it is, or none to begin anew.',
  })
}
