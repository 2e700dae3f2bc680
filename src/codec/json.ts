/**
 * What may be stored, and its JSON text. One walk refuses what JSON cannot carry, what could pollute prototypes and what
 * is over a limit, before any text is made; then `JSON.stringify` writes it. Nothing is ever revived into a class.
 *
 * The rules: `undefined` at the top is the empty text and comes back as `undefined`; as a property it is left out; in a
 * list it is refused. A `Date` and any other object with a `toJSON` method is stored as what that method returns (it is
 * called twice and must be pure). `-0` becomes `0`. Instances of classes are stored as their own fields; those without
 * any (`Promise`, `RegExp`, `URLSearchParams`) would silently become `{}` and are refused, as are `Map`, `Set`, bytes
 * and errors. Shared references are written out each time. A cycle shows as too deep and is told apart afterwards.
 */
import { MillraceError, PayloadError } from '../core/errors.ts'
import { isObject, type JsonLimits, tooLarge, type Walk } from './json-fault.ts'
import { check } from './json-walk.ts'

export type { JsonLimits } from './json-fault.ts'

/**
 * The JSON text of the value, or `''` for `undefined`. `what` names the value in errors (`payload`).
 * Throws PayloadError: PAYLOAD_NOT_JSON, PAYLOAD_TOO_LARGE, or PAYLOAD_INVALID for a key that could pollute prototypes.
 */
export function toJson(value: unknown, limits: JsonLimits, what: string): string {
  if (value === undefined) return ''
  const walk: Walk = { budget: limits.maxBytes, keys: limits.maxKeys, limits, what, root: value, path: [] }
  let text: string | undefined
  try {
    check(value, 0, walk, '')
    text = JSON.stringify(value)
  } catch (error) {
    if (error instanceof MillraceError) throw error
    throw new PayloadError('PAYLOAD_NOT_JSON', `${what} could not be read: a getter, proxy or toJSON of it threw`, {
      fields: { what },
      cause: error,
    })
  }
  if (text === undefined) return ''
  // Three bytes is the most that one UTF-16 unit takes, so most texts need no counting.
  if (text.length * 3 > limits.maxBytes && Buffer.byteLength(text) > limits.maxBytes) {
    throw tooLarge(walk, 'bytes', `has ${Buffer.byteLength(text)} bytes of JSON`, limits.maxBytes)
  }
  return text
}

/** The value of a JSON text; `''` is `undefined`. Throws when it is not JSON or holds a key that `toJson` refuses. */
export function fromJson(text: string): unknown {
  if (text === '') return undefined
  const value: unknown = JSON.parse(text)
  // An escape may spell the keys too; our own text has it only for control characters.
  const isSuspect = text.includes('__proto__') || text.includes('"constructor"') || text.includes('\\u00')
  if (isSuspect && hasPollutingKey(value)) throw new SyntaxError('a key that is never written')
  return value
}

function hasPollutingKey(root: unknown): boolean {
  // A stack of its own: the text may be nested deeper than calls can be.
  const open: unknown[] = [root]
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (!isObject(value)) continue
    for (const name of Object.keys(value)) {
      if (name === '__proto__') return true
      const member = (value as Readonly<Record<string, unknown>>)[name]
      if (name === 'constructor' && isObject(member) && Object.hasOwn(member, 'prototype')) return true
      if (isObject(member)) open.push(member)
    }
  }
  return false
}
