/** The walk that decides whether a value may be stored; json.ts has the rules in words. */
import { nodeUtil } from '../base/builtin.ts'
import {
  isObject,
  kindOf,
  longString,
  noFields,
  notJson,
  polluting,
  tooDeep,
  tooLarge,
  type Walk,
} from './json-fault.ts'

/** Throws PayloadError at the first thing in `value` that may not be stored. `key` led to it, from `depth` levels down. */
export function check(value: unknown, depth: number, walk: Walk, key: string | number): void {
  switch (typeof value) {
    case 'string':
      if (value.length > walk.limits.maxString) throw longString(walk, depth, key, value.length)
      walk.budget -= value.length + 2
      break
    case 'number':
      if (!Number.isFinite(value)) throw notJson(walk, depth, key, `${value}`, 'use null or leave it out')
      walk.budget -= 1
      break
    case 'boolean':
      walk.budget -= 4
      break
    case 'object':
      if (value !== null) checkObject(value, depth, walk, key)
      walk.budget -= 2
      break
    case 'undefined':
      // A property is left out; a list would have null in its place.
      if (typeof key === 'number') throw notJson(walk, depth, key, 'undefined in a list', 'use null')
      break
    case 'bigint':
      throw notJson(walk, depth, key, 'a BigInt', 'pass it as text: String(value)')
    default:
      throw notJson(walk, depth, key, `a ${typeof value}`, 'pass data only')
  }
  if (walk.budget < 0) throw tooLarge(walk, 'bytes', 'is too large', walk.limits.maxBytes)
}

function checkObject(value: object, depth: number, walk: Walk, key: string | number): void {
  const isPlain = Object.getPrototypeOf(value) === Object.prototype
  if (!isPlain) refuseKind(value, depth, walk, key)
  const { toJSON } = value as { toJSON?: unknown }
  if (typeof toJSON !== 'function') {
    checkMembers(value, isPlain, depth, walk, key)
    return
  }
  const given: unknown = toJSON.call(value, String(key))
  // JSON.stringify does not ask the result for its toJSON again.
  if (typeof given === 'object' && given !== null) {
    const isGivenPlain = Object.getPrototypeOf(given) === Object.prototype
    if (!isGivenPlain) refuseKind(given, depth, walk, key)
    checkMembers(given, isGivenPlain, depth, walk, key)
  } else check(given, depth, walk, key)
}

function checkMembers(value: object, isPlain: boolean, depth: number, walk: Walk, key: string | number): void {
  if (depth >= walk.limits.maxDepth) throw tooDeep(walk, depth, key)
  walk.path[depth] = key
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) check(value[i], depth + 1, walk, i)
    return
  }
  // Any object can be read by its string keys; what is found there is checked.
  const record = value as Readonly<Record<string, unknown>>
  // for-in needs no list of keys, but shows inherited ones where there is a class.
  if (isPlain) for (const name in record) checkMember(record, name, depth, walk)
  else {
    const names = Object.keys(record)
    if (names.length === 0 && Object.getPrototypeOf(value) !== null) throw noFields(value, depth, walk, key)
    for (const name of names) checkMember(record, name, depth, walk)
  }
}

function checkMember(record: Readonly<Record<string, unknown>>, name: string, depth: number, walk: Walk): void {
  if (--walk.keys < 0) throw tooLarge(walk, 'keys', 'has too many keys', walk.limits.maxKeys)
  if (name.length > walk.limits.maxString) throw longString(walk, depth + 1, name, name.length)
  walk.budget -= name.length + 3
  if (name === '__proto__') throw polluting(walk, depth + 1, name)
  const member = record[name]
  if (name === 'constructor' && isObject(member) && Object.hasOwn(member, 'prototype')) {
    throw polluting(walk, depth + 1, 'constructor.prototype')
  }
  check(member, depth + 1, walk, name)
}

/** Refuses the kinds of object that JSON.stringify would turn into something else without a word. */
function refuseKind(value: object, depth: number, walk: Walk, key: string | number): void {
  if (Array.isArray(value)) return
  const { types } = nodeUtil()
  if (types.isDate(value) && Number.isNaN(value.getTime()))
    throw notJson(walk, depth, key, 'an invalid Date', 'check it')
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) {
    throw notJson(walk, depth, key, `a ${kindOf(value)}`, "pass bytes as text: Buffer.from(bytes).toString('base64')")
  }
  if (types.isMap(value)) throw notJson(walk, depth, key, 'a Map', 'pass Object.fromEntries(map) or [...map]')
  if (types.isSet(value)) throw notJson(walk, depth, key, 'a Set', 'pass an array: [...set]')
  if (types.isNativeError(value)) throw notJson(walk, depth, key, 'an Error', 'pass its message')
  if (types.isBoxedPrimitive(value)) throw notJson(walk, depth, key, `a ${kindOf(value)} object`, 'pass the bare value')
}
