/** What the tests of servers' plans share: every statement that a store sends while each of its operations is called. */
import { expect } from 'vitest'
import type { Store } from '../../src/store/contract/index.ts'
import { callEverything, uncalled, type Within } from './every-operation.ts'

/** A statement as it was sent. */
export interface Sent {
  readonly text: string
  readonly values: readonly unknown[]
}

/** What a driver's connections are made by, and the name of what they run statements with. */
export interface Driver {
  readonly prototype: object
  readonly method: string
}

const HAS_PLAN = /^\s*\(*(SELECT|INSERT|UPDATE|DELETE|WITH)\b/i

/** Calls everything, and returns each statement once, with the values that it was sent with first. */
export async function statementsOf(driver: Driver, store: Store, within: Within): Promise<readonly Sent[]> {
  const { prototype, method } = driver
  const original: unknown = Reflect.get(prototype, method)
  const isOwn = Object.hasOwn(prototype, method)
  const sent = new Map<string, Sent>()
  Reflect.set(prototype, method, function (this: object, ...args: unknown[]) {
    const statement = sentBy(args)
    if (HAS_PLAN.test(statement.text) && !sent.has(statement.text)) sent.set(statement.text, statement)
    // A driver's method, as its caller called it.
    return (original as (...args: unknown[]) => unknown).apply(this, args)
  })
  try {
    const missed = uncalled(store)
    await callEverything(missed.store, within)
    expect(missed.names()).toEqual([])
  } finally {
    if (isOwn) Reflect.set(prototype, method, original)
    else Reflect.deleteProperty(prototype, method)
  }
  return [...sent.values()]
}

/** `pg` takes one object or text and values, `mysql2` an object and values. */
function sentBy([first, second]: readonly unknown[]): Sent {
  const listed = Array.isArray(second) ? second : []
  if (typeof first === 'string') return { text: first, values: listed }
  const { text, sql, values } = first as { text?: string; sql?: string; values?: readonly unknown[] }
  return { text: text ?? sql ?? '', values: values ?? listed }
}
