/** The keys of the filter grammar: what each takes, and what to write instead of those that are none. */

/** What may follow a key, and how its values are read. */
export type KeyKind = 'text' | 'state' | 'count' | 'priority' | 'span' | 'instant'

/** Every key, with its kind. */
export const KEYS = {
  id: 'text',
  name: 'text',
  queue: 'text',
  state: 'state',
  tag: 'text',
  worker: 'text',
  error: 'text',
  unique: 'text',
  priority: 'priority',
  attempt: 'count',
  created: 'instant',
  finished: 'instant',
  age: 'span',
  wait: 'span',
  took: 'span',
} as const satisfies Readonly<Record<string, KeyKind>>

/** A word of the grammar that says what a value is about. */
export type FilterKey = keyof typeof KEYS

/** Whether a key is compared with `>` and `<`. */
export function isRanged(key: FilterKey): boolean {
  const kind = KEYS[key]
  return kind !== 'text' && kind !== 'state'
}

/** Whether a key is followed by `:` and values. */
export function isNamed(key: FilterKey): boolean {
  const kind = KEYS[key]
  return kind !== 'span' && kind !== 'instant'
}

/** The key that is written so, or undefined. */
export function keyOf(word: string): FilterKey | undefined {
  // Just looked up.
  return Object.hasOwn(KEYS, word) ? (word as FilterKey) : undefined
}

/** Words for `created>` and `created<` that are followed by `:`, as people say them. */
export const SINCE_UNTIL = { since: 'above', until: 'below' } as const

/** Whether a word is one of them. */
export function isSinceOrUntil(word: string): word is keyof typeof SINCE_UNTIL {
  return Object.hasOwn(SINCE_UNTIL, word)
}

const OPAQUE =
  'payloads and results may be compressed and encrypted, so that no database can look into them; give the jobs a tag, and look for that'

/** Why a word that one may expect is no key, as a sentence's end; undefined for any other. */
export function whyNoKey(word: string): string | undefined {
  const [head] = word.split('.', 1)
  switch (head) {
    case 'data':
    case 'input':
    case 'payload':
    case 'result':
      return OPAQUE
    case 'meta':
      return 'jobs carry no such values; give them a tag, and look for that'
    case 'workflow':
    case 'schedule':
      return `no job of this version belongs to a ${head}`
    case 'fingerprint':
      return 'errors are sealed, so no store can group them; write error: and a part of what they say'
    default:
      return undefined
  }
}
