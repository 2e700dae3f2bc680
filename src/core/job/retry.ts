/**
 * Retry policies: how often a job is tried, and how long it waits between attempts.
 *
 * The wait before the next attempt is a base that depends on how many attempts failed (fixed: the delay; linear: n times
 * the delay; exponential: the delay doubled each time; table: the n-th entry, then the last), cut to the longest delay, and
 * then spread, so that jobs that failed together do not come back together. "Full" and "equal" jitter are those of
 * "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
 */
import { type Duration, parseDuration } from '../duration.ts'
import { ConfigError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { nearest } from '../suggest.ts'

/** How the base grows: by a rule, or read from a table of durations, the last of which repeats. */
export type Backoff = 'fixed' | 'linear' | 'exponential'

/** How the base is spread: over 0 to all of it (`full`), over its upper half (`equal`), or not at all. */
export type Jitter = 'full' | 'equal' | 'none'

/** A policy as the user writes it. What is absent is as in `DEFAULT_RETRY`. */
export interface RetryOptions {
  /** Attempts in all, 1 to 10,000. Default 10. */
  readonly attempts?: number
  /** A rule, or a table of delays, at most 100. Default `exponential`. */
  readonly backoff?: Backoff | readonly Duration[]
  /** The base of a rule, default 2 s. Not together with a table. */
  readonly delay?: Duration
  /** The longest back-off. Default 1 h, or the longest delay that is named when that is longer. */
  readonly maxDelay?: Duration
  /** Default `full`. */
  readonly jitter?: Jitter
  /** Names or codes of errors that no further attempt can help, such as `TypeError`, `ENOENT`, `TIMEOUT`. */
  readonly neverRetry?: readonly string[]
}

/** A policy, whole and in milliseconds. It survives JSON. */
export interface RetryPolicy {
  readonly attempts: number
  readonly backoff: Backoff | readonly number[]
  readonly delayMs: number
  readonly maxDelayMs: number
  readonly jitter: Jitter
  readonly neverRetry: readonly string[]
}

/** Ten attempts, exponential from 2 s to 1 h, full jitter. */
export const DEFAULT_RETRY: RetryPolicy = Object.freeze({
  attempts: 10,
  backoff: 'exponential',
  delayMs: 2000,
  maxDelayMs: 3_600_000,
  jitter: 'full',
  neverRetry: Object.freeze([]),
})

const OPTIONS = ['attempts', 'backoff', 'delay', 'maxDelay', 'jitter', 'neverRetry']
const BACKOFFS: readonly Backoff[] = ['fixed', 'linear', 'exponential']
const JITTERS: readonly Jitter[] = ['full', 'equal', 'none']
const MAX_ATTEMPTS = 10_000
const MAX_LIST = 100
/** Doubling further leaves every cap behind, and stays finite. */
const MAX_DOUBLINGS = 52

/**
 * Checks a policy and fills in defaults. A number is a number of attempts; `false` is a single attempt.
 *
 * Throws ConfigError: `OPTION_UNKNOWN`, `DURATION_INVALID`, or `CONFIG_INVALID` with the option and its value.
 */
export function parseRetry(options: RetryOptions | number | false): RetryPolicy {
  if (options === false) return { ...DEFAULT_RETRY, attempts: 1 }
  if (typeof options === 'number') return { ...DEFAULT_RETRY, attempts: checkAttempts(options) }
  checkOptions(options, OPTIONS, 'retry')
  const { attempts, backoff, delay, maxDelay, jitter, neverRetry } = options
  const table = typeof backoff === 'object' ? checkTable(backoff) : undefined
  if (table !== undefined && delay !== undefined) {
    throw invalid('delay', delay, 'the table in retry.backoff already names every delay', 'Leave one of them out.')
  }
  const delayMs = delay === undefined ? DEFAULT_RETRY.delayMs : parseDuration(delay, 'retry.delay')
  const longestMs = table === undefined ? delayMs : Math.max(...table)
  return {
    attempts: attempts === undefined ? DEFAULT_RETRY.attempts : checkAttempts(attempts),
    backoff: table ?? (backoff === undefined ? DEFAULT_RETRY.backoff : checkWord('backoff', backoff, BACKOFFS)),
    delayMs,
    maxDelayMs: maxDelayOf(maxDelay, longestMs, delay !== undefined || table !== undefined),
    jitter: jitter === undefined ? DEFAULT_RETRY.jitter : checkWord('jitter', jitter, JITTERS),
    neverRetry: neverRetry === undefined ? DEFAULT_RETRY.neverRetry : checkNames(neverRetry),
  }
}

/**
 * The back-off in whole milliseconds after `failedAttempts` (1 and up) attempts failed; from 0 to `policy.maxDelayMs`
 * whatever is put in. `random` is in [0, 1).
 */
export function retryDelay(policy: RetryPolicy, failedAttempts: number, random: number): number {
  const { maxDelayMs, jitter } = policy
  const base = baseMs(policy, failedAttempts >= 1 ? failedAttempts : 1)
  const cut = base >= 0 ? Math.min(base, maxDelayMs) : maxDelayMs
  const share = random >= 0 && random < 1 ? random : 1
  if (jitter === 'none') return Math.floor(cut)
  return Math.floor(jitter === 'equal' ? cut / 2 + share * (cut / 2) : share * cut)
}

/** Whether the policy says of an error, by its name or its code, that no further attempt can help. */
export function isNeverRetried(policy: RetryPolicy, errorName: string, errorCode: string | undefined): boolean {
  const { neverRetry } = policy
  if (neverRetry.length === 0) return false
  return neverRetry.includes(errorName) || (errorCode !== undefined && neverRetry.includes(errorCode))
}

function baseMs({ backoff, delayMs }: RetryPolicy, failed: number): number {
  switch (backoff) {
    case 'fixed':
      return delayMs
    case 'linear':
      return delayMs * failed
    case 'exponential':
      return delayMs * 2 ** Math.min(failed - 1, MAX_DOUBLINGS)
    default:
      return backoff[Math.min(Math.floor(failed), backoff.length) - 1] ?? delayMs
  }
}

function maxDelayOf(given: Duration | undefined, longestMs: number, isNamed: boolean): number {
  if (given === undefined) return Math.max(DEFAULT_RETRY.maxDelayMs, longestMs)
  const ms = parseDuration(given, 'retry.maxDelay')
  // Only a delay that the user named contradicts: the default one is cut.
  if (ms >= longestMs || !isNamed) return ms
  throw invalid('maxDelay', given, 'a delay of the same policy is longer', 'Raise retry.maxDelay or shorten the delay.')
}

function checkAttempts(value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= MAX_ATTEMPTS) return value
  const hint = 'Count every attempt, the first included; `retry: false` is a single one.'
  throw invalid('attempts', value, `it must be a whole number from 1 to ${MAX_ATTEMPTS}`, hint)
}

function checkTable(table: readonly Duration[]): readonly number[] {
  const hint = 'Give a list such as ["5s", "1m", "10m"]; its last entry repeats.'
  if (!Array.isArray(table)) throw invalid('backoff', table, 'it is neither a rule nor a list of delays', hint)
  if (table.length === 0) throw invalid('backoff', '[]', 'the list is empty', hint)
  if (table.length > MAX_LIST)
    throw invalid('backoff', `${table.length} delays`, `there are more than ${MAX_LIST}`, hint)
  return table.map((delay, i) => parseDuration(delay, `retry.backoff[${i}]`))
}

function checkNames(names: readonly string[]): readonly string[] {
  const hint = 'Give names or codes of errors, such as ["TypeError", "ENOENT"].'
  if (!Array.isArray(names)) throw invalid('neverRetry', names, 'it is not a list', hint)
  if (names.length > MAX_LIST)
    throw invalid('neverRetry', `${names.length} names`, `there are more than ${MAX_LIST}`, hint)
  for (const name of names) {
    const isName = typeof name === 'string' && name !== '' && name.length <= 128
    if (!isName) throw invalid('neverRetry', name, 'it is not a text of 1 to 128 characters', hint)
  }
  return [...names]
}

function checkWord<W extends string>(option: string, value: unknown, words: readonly W[]): W {
  const word = words.find((each) => each === value)
  if (word !== undefined) return word
  const suggestion = nearest(String(value), words)
  const reason = suggestion === undefined ? 'it is not known' : `did you mean \`${suggestion}\`?`
  throw invalid(option, value, reason, `Use one of ${words.join(', ')}.`)
}

function invalid(option: string, value: unknown, reason: string, hint: string): ConfigError {
  const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 64)) : String(value)
  return new ConfigError('CONFIG_INVALID', `retry.${option} is ${shown}: ${reason}`, {
    fields: { option: `retry.${option}`, value, reason },
    hint,
  })
}
