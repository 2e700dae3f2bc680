/** How a value that may not be stored is told: what it is, where it stands, and what to pass instead. */
import { PayloadError } from '../core/errors.ts'

/** How large a value may be. */
export interface JsonLimits {
  /** Bytes of the JSON text in UTF-8. */
  readonly maxBytes: number
  /** Lists and objects within each other; `{}` alone is 1. */
  readonly maxDepth: number
  /** Keys of all objects together. */
  readonly maxKeys: number
  /** Characters (UTF-16 units) of one string or key. */
  readonly maxString: number
}

/** One walk over a value. */
export interface Walk {
  /** Bytes that the text may still take, at least; below zero it is surely too large. */
  budget: number
  keys: number
  readonly limits: JsonLimits
  readonly what: string
  readonly root: unknown
  /** The key that led to each depth; entries past the current depth are stale. */
  readonly path: (string | number)[]
}

/** The error for an instance that would be stored as `{}`. */
export function noFields(value: object, depth: number, walk: Walk, key: string | number): PayloadError {
  const hint = 'it has no fields of its own and would be stored as {}; pass a plain object'
  return notJson(walk, depth, key, `a ${kindOf(value)}`, hint)
}

/** The name of the class, for an error. */
export function kindOf(value: object): string {
  const name: unknown = value.constructor?.name
  return typeof name === 'string' && name !== '' ? name.slice(0, 64) : 'class instance'
}

/** The error for what JSON cannot carry. */
export function notJson(walk: Walk, depth: number, key: string | number, kind: string, hint: string): PayloadError {
  const at = place(walk.what, stepsTo(walk, depth, key))
  const fields = { what: walk.what, at, kind }
  return new PayloadError('PAYLOAD_NOT_JSON', `${at} is ${kind}, which JSON cannot carry`, { fields, hint })
}

/** The error for a key that could change prototypes. */
export function polluting(walk: Walk, depth: number, key: string): PayloadError {
  const at = place(walk.what, stepsTo(walk, depth, key))
  return new PayloadError('PAYLOAD_INVALID', `${at} is a key that could change the prototype of every object`, {
    fields: { what: walk.what, at },
    hint: 'rename the key',
  })
}

/** The error for what is over a limit. */
export function tooLarge(walk: Walk, limit: string, says: string, max: number): PayloadError {
  return new PayloadError('PAYLOAD_TOO_LARGE', `${walk.what} ${says}; at most ${max} ${limit} are allowed`, {
    fields: { what: walk.what, limit, max },
    hint: 'store the data elsewhere and pass a reference to it, or raise the limit',
  })
}

/** The error for a string or key that is too long. */
export function longString(walk: Walk, depth: number, key: string | number, length: number): PayloadError {
  const { maxString } = walk.limits
  const at = place(walk.what, stepsTo(walk, depth, key))
  return tooLarge({ ...walk, what: at }, 'characters', `is text of ${length} characters`, maxString)
}

/** Too deep, or a cycle, which every walk meets as too deep. */
export function tooDeep(walk: Walk, depth: number, key: string | number): PayloadError {
  const seen = new Set<unknown>()
  const steps = stepsTo(walk, depth, key)
  let value = walk.root
  for (let i = 0; i <= steps.length; i++) {
    if (seen.has(value)) {
      const at = place(walk.what, steps.slice(0, i))
      return new PayloadError('PAYLOAD_NOT_JSON', `${at} leads back to itself, and JSON cannot carry a cycle`, {
        fields: { what: walk.what, at, kind: 'a cycle' },
        hint: 'pass ids instead of the objects',
      })
    }
    seen.add(value)
    const step = steps[i]
    value = isObject(value) && step !== undefined ? (value as Readonly<Record<string, unknown>>)[step] : undefined
  }
  return tooLarge(walk, 'levels', 'is nested too deep', walk.limits.maxDepth)
}

/** Whether the value has properties: a list, an object, an instance. */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function stepsTo(walk: Walk, depth: number, key: string | number): (string | number)[] {
  return depth === 0 ? [] : [...walk.path.slice(1, depth), key]
}

/** `payload.user["e-mail"][3]`, cut to a readable length. */
function place(what: string, steps: readonly (string | number)[]): string {
  let text = what
  for (const step of steps) {
    if (text.length > 160) return `${text.slice(0, 160)}…`
    if (typeof step === 'number') text += `[${step}]`
    else text += /^[\w$]{1,64}$/.test(step) ? `.${step}` : `[${JSON.stringify(step.slice(0, 64))}]`
  }
  return text
}
