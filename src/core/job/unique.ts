/** Unique keys as the user writes them. */
import { type Duration, parseDuration } from '../duration.ts'
import { ConfigError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { nearest } from '../suggest.ts'
import { LIMITS } from './limits.ts'

/** What happens to a new job whose key is taken: its holder is given instead, is cancelled for it, or it is refused. */
export type OnConflict = 'existing' | 'replace' | 'reject'

/** A key that at most one job of a name may hold. */
export interface UniqueOptions {
  /** 1 to 512 characters. */
  readonly key: string
  /** Held this long after the enqueue at least, also when the job has ended sooner. Absent: while the job lives. */
  readonly within?: Duration
  /** Default `existing`. */
  readonly onConflict?: OnConflict
}

/** The same, whole and in milliseconds. */
export interface UniqueKey {
  readonly key: string
  readonly withinMs: number | undefined
  readonly onConflict: OnConflict
}

const CONFLICTS: readonly OnConflict[] = ['existing', 'replace', 'reject']

/**
 * Checks a unique key and fills in defaults; a text is a key without a window.
 *
 * Throws ConfigError: `OPTION_UNKNOWN`, `DURATION_INVALID`, or `CONFIG_INVALID` for a key or a conflict that is none.
 */
export function parseUnique(options: UniqueOptions | string): UniqueKey {
  if (typeof options === 'string') return { key: checkKey(options), withinMs: undefined, onConflict: 'existing' }
  checkOptions(options, ['key', 'within', 'onConflict'], 'unique')
  return {
    key: checkKey(options.key),
    withinMs: options.within === undefined ? undefined : parseDuration(options.within, 'unique.within'),
    onConflict: options.onConflict === undefined ? 'existing' : checkConflict(options.onConflict),
  }
}

/** The key itself stays out of the error: it may be a customer's number or address. */
function checkKey(key: string): string {
  const reason = reasonAgainst(key)
  if (reason === undefined) return key
  throw new ConfigError('CONFIG_INVALID', `the unique key cannot be used: ${reason}`, {
    fields: { option: 'unique.key', reason },
    hint: `Give a text of 1 to ${LIMITS.uniqueKey} characters; of longer ones a hash.`,
  })
}

function reasonAgainst(key: string): string | undefined {
  if (typeof key !== 'string') return 'it is not text'
  if (key === '') return 'it is empty'
  if (key.length > LIMITS.uniqueKey) return `it has ${key.length} characters, more than ${LIMITS.uniqueKey}`
  // Neither can be written as UTF-8 to every store.
  return key.includes('\0') || !key.isWellFormed() ? 'it has characters that no store can keep' : undefined
}

function checkConflict(value: OnConflict): OnConflict {
  if (CONFLICTS.includes(value)) return value
  const suggestion = nearest(String(value), CONFLICTS)
  const question = suggestion === undefined ? '' : `; did you mean \`${suggestion}\`?`
  throw new ConfigError('CONFIG_INVALID', `unique.onConflict is ${JSON.stringify(value)}${question}`, {
    fields: { option: 'unique.onConflict', value, suggestion },
    hint: `Use one of ${CONFLICTS.join(', ')}.`,
  })
}
