/**
 * The filter grammar, as people type it: `state:failed queue:emails,bulk -tag:test age>10m "card declined"`.
 *
 *     filter = { term }                          every term has to hold
 *     term   = [ "-" ] key ":" value { "," value }   one of the values; with "-" none of them
 *            | [ "-" ] key ( ">" | "<" ) value       strictly above, strictly below
 *            | [ "-" ] ( "since" | "until" ) ":" value  the same as created>value, created<value
 *            | value                                 part of a name or an error, or the beginning of an id
 *     value  = characters but space , " : < >  |  '"' any text, with \" and \\ '"'
 *
 * After a key a value may hold `:`, `<` and `>` too. Reading decides nothing about time or chance: a filter that was read once
 * means the same for ever, and `printFilter` writes it back.
 */
import { parseDuration } from '../duration.ts'
import { ConfigError } from '../errors.ts'
import { parsePriority } from '../job/priority.ts'
import { JOB_STATES } from '../job/state.ts'
import { nearest } from '../suggest.ts'
import { instantFromText } from './instant.ts'
import { type FilterKey, isNamed, isRanged, isSinceOrUntil, KEYS, keyOf, SINCE_UNTIL, whyNoKey } from './keys.ts'

/** One part of a filter. */
export type FilterTerm =
  | { readonly kind: 'is'; readonly key: FilterKey; readonly not: boolean; readonly values: readonly string[] }
  | {
      readonly kind: 'above' | 'below'
      readonly key: FilterKey
      readonly not: boolean
      readonly value: string
    }
  | { readonly kind: 'word'; readonly text: string }

/** What a filter says: every term has to hold; none: every job. */
export type FilterTerms = readonly FilterTerm[]

/** Bounds that no person meets: a filter is one statement of a database. */
const MAX_LENGTH = 4_000
const MAX_TERMS = 32
const MAX_VALUES = 100

const HINT = 'The grammar is in docs/filters.md; for example: state:failed queue:emails age>10m'

/**
 * Reads a filter. Throws ConfigError `FILTER_INVALID`, whose message and `fields.column` (from 1) point at what cannot be read.
 * Cost: O(length).
 */
export function parseFilter(text: string): FilterTerms {
  if (text.length > MAX_LENGTH) throw fault(1, `it has ${text.length} characters, more than ${MAX_LENGTH}`)
  const terms: FilterTerm[] = []
  const reader = new Reader(text)
  for (reader.skipSpace(); !reader.isAtEnd; reader.skipSpace()) {
    if (terms.length === MAX_TERMS) throw fault(reader.column, `there are more than ${MAX_TERMS} terms`)
    terms.push(readTerm(reader))
  }
  return terms
}

/** The error for a filter that cannot be used, pointing at a column (from 1). */
function fault(column: number, reason: string, hint = HINT): ConfigError {
  return new ConfigError('FILTER_INVALID', `the filter is wrong at column ${column}: ${reason}`, {
    fields: { column, reason },
    hint,
  })
}

function readTerm(reader: Reader): FilterTerm {
  const start = reader.column
  const not = reader.takes('-')
  const keyColumn = reader.column
  const head = reader.match(/[A-Za-z][\w.-]*(?=[:<>])/y)
  if (head === undefined) {
    if (not)
      throw fault(start, 'only a key can be excluded', 'Write for example -name:resize, or quote the word: "-word".')
    return { kind: 'word', text: readWord(reader) }
  }
  const word = head.toLowerCase()
  const key = isSinceOrUntil(word) ? 'created' : (keyOf(head) ?? keyOf(word))
  if (key === undefined) throw noKey(keyColumn, head)
  const sign = reader.next()
  if (isSinceOrUntil(word)) {
    if (sign !== ':') throw fault(reader.column - 1, `${word} is not compared`, `Write ${word}:… instead.`)
    return { kind: SINCE_UNTIL[word], key, not, value: readRangeValue(reader, key) }
  }
  if (sign === ':') {
    if (!isNamed(key)) throw fault(reader.column - 1, `${key} is compared`, example(key))
    return { kind: 'is', key, not, values: readValues(reader, key) }
  }
  if (!isRanged(key)) throw fault(reader.column - 1, `${key} is not compared`, `Write ${key}:… instead.`)
  return { kind: sign === '>' ? 'above' : 'below', key, not, value: readRangeValue(reader, key) }
}

function readRangeValue(reader: Reader, key: FilterKey): string {
  const column = reader.column
  const value = readValue(reader, key)
  checkValue(key, value, column)
  return value
}

function readWord(reader: Reader): string {
  const column = reader.column
  const word = reader.quoted() ?? reader.match(/[^\s,":<>]+/y)
  if (word === undefined || !reader.isAtTermEnd) {
    const sign = reader.peek()
    const around = sign === ',' ? 'Separate words by spaces.' : 'Quote text that has such signs: "a:b".'
    throw fault(reader.column, `${JSON.stringify(sign)} stands where a word or a key was expected`, around)
  }
  if (word === '') throw fault(column, 'the quoted text is empty')
  return word
}

function readValues(reader: Reader, key: FilterKey): readonly string[] {
  const values: string[] = []
  do {
    if (values.length === MAX_VALUES) throw fault(reader.column, `there are more than ${MAX_VALUES} values`)
    const column = reader.column
    const value = readValue(reader, key)
    checkValue(key, value, column)
    values.push(value)
  } while (reader.takes(','))
  if (!reader.isAtTermEnd) {
    throw fault(
      reader.column,
      `${JSON.stringify(reader.peek())} follows a value`,
      'Separate terms by spaces, values by commas.',
    )
  }
  return values
}

function readValue(reader: Reader, key: FilterKey): string {
  const column = reader.column
  const value = reader.quoted() ?? reader.match(/[^\s,"]+/y)
  if (value === undefined || value === '') throw fault(column, `${key} has no value`, example(key))
  return value
}

function noKey(column: number, word: string): ConfigError {
  const why = whyNoKey(word)
  if (why !== undefined) return fault(column, `jobs cannot be found by ${word}: ${why}`)
  const known = [...Object.keys(KEYS), ...Object.keys(SINCE_UNTIL)]
  const near = nearest(word, known)
  const meant = near === undefined ? `The keys are ${known.join(', ')}.` : `Did you mean ${near}?`
  return fault(column, `no key is called ${word}`, `${meant} Text that has such a sign is quoted: "a:b".`)
}

function checkValue(key: FilterKey, value: string, column: number): void {
  const reason = reasonAgainst(key, value)
  if (reason !== undefined) throw fault(column, `${JSON.stringify(value)} ${reason}`, hintFor(key, value))
}

function reasonAgainst(key: FilterKey, value: string): string | undefined {
  switch (KEYS[key]) {
    case 'text':
      return undefined
    case 'state':
      return JOB_STATES.some((state) => state === value) ? undefined : 'is no state'
    case 'count':
      return /^\d{1,9}$/.test(value) ? undefined : 'is no whole number'
    case 'priority':
      return isRead(() => parsePriority(value)) ? undefined : 'is no priority'
    case 'span':
      return isRead(() => parseDuration(value)) ? undefined : 'is no time'
    case 'instant':
      return instantFromText(value, 0) === undefined ? 'is neither a date nor a time' : undefined
    default:
      return undefined
  }
}

function hintFor(key: FilterKey, value: string): string {
  if (KEYS[key] !== 'state') return example(key)
  const near = nearest(value, JOB_STATES)
  return near === undefined ? `The states are ${JOB_STATES.join(', ')}.` : `Did you mean ${near}?`
}

function isRead(read: () => unknown): boolean {
  try {
    read()
    return true
  } catch (error) {
    // What these readers throw says that the value is none; nothing else can be thrown by pure code of ours.
    if (error instanceof ConfigError) return false
    throw error
  }
}

const EXAMPLES: Readonly<Record<(typeof KEYS)[FilterKey], (key: FilterKey) => string>> = {
  text: (key) => `Write for example ${key}:word or ${key}:"two words".`,
  state: () => `The states are ${JOB_STATES.join(', ')}.`,
  count: (key) => `Write for example ${key}>2 or ${key}:1.`,
  priority: (key) => `Write for example ${key}:high or ${key}<5.`,
  span: (key) => `Write for example ${key}>10m or ${key}<1h30m.`,
  instant: (key) => `Write for example ${key}>1h (within the last hour), or ${key}<2026-01-31.`,
}

function example(key: FilterKey): string {
  return EXAMPLES[KEYS[key]](key)
}

/** A text and a place in it. */
class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** From 1, as an editor counts. */
  get column(): number {
    return this.#at + 1
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length
  }

  get isAtTermEnd(): boolean {
    return this.isAtEnd || /\s/.test(this.peek())
  }

  peek(): string {
    return this.#text.charAt(this.#at)
  }

  next(): string {
    return this.#text.charAt(this.#at++)
  }

  takes(sign: string): boolean {
    if (this.peek() !== sign) return false
    this.#at++
    return true
  }

  skipSpace(): void {
    this.match(/\s+/y)
  }

  /** What a sticky pattern finds here; undefined when it finds nothing. */
  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const [found] = pattern.exec(this.#text) ?? []
    this.#at += found?.length ?? 0
    return found
  }

  /** A quoted text, without its quotes; undefined when none begins here. */
  quoted(): string | undefined {
    if (this.peek() !== '"') return undefined
    const column = this.column
    const found = this.match(/"(?:[^"\\]|\\["\\])*"/y)
    if (found !== undefined) return found.slice(1, -1).replace(/\\(["\\])/g, '$1')
    throw fault(
      column,
      'the quotation mark has no second one',
      'Inside quotation marks write \\" for " and \\\\ for \\.',
    )
  }
}
