/**
 * What is wrong with the row of a live job, in plain words. Only what no Millrace writes counts: a healthy row, in whatever state,
 * has no damage. Its payload is opaque to a store and is not looked at, nor is what the next claim overwrites.
 */
import { BLOCKED_REASONS, JOB_STATES } from './state.ts'

/** A row as it was read: a column may hold anything. */
export interface LiveRow {
  readonly id: string
  /** The position of its state in `JOB_STATES`. */
  readonly state: unknown
  readonly reason: unknown
  readonly blockedOn: unknown
  readonly priority: unknown
  readonly version: unknown
  readonly createdAt: unknown
  readonly runAt: unknown
  readonly expiresAt: unknown
  readonly timeoutMs: unknown
  readonly epoch: unknown
  readonly attempts: unknown
  readonly attemptOffset: unknown
  readonly losses: unknown
  readonly crashes: unknown
  readonly waitingOn: unknown
  readonly dependents: unknown
  readonly workerId: unknown
  readonly leaseUntil: unknown
  /** Whether its tags are a list of texts, or none. */
  readonly hasFitTags: boolean
  /** How many edges say that it waits for a parent. */
  readonly parents: number
  /** How many edges say that another job waits for it. */
  readonly children: number
  /** A parent that does not live, of those for which it waits. */
  readonly lostParent: string | null
}

/** The last instant that a Date can hold, in milliseconds since the epoch (ECMA-262, 21.4.1.1). No whole number of a row is larger. */
export const LAST_INSTANT_MS = 8_640_000_000_000_000
/** The longest lease that there is: the longest duration that options take, 100 years, and a day. */
export const LONGEST_LEASE_MS = 3_155_846_400_000
/** So far a store's clock may have been ahead when it wrote a row. */
export const CLOCK_AHEAD_MS = 86_400_000

const BLOCKED = JOB_STATES.indexOf('blocked')
const PROCESSING = JOB_STATES.indexOf('processing')
/** States of live jobs come first. */
const LAST_LIVE = JOB_STATES.indexOf('retrying')
const LARGEST_PRIORITY = 100

/** Whether a lease will end some day, so that whoever holds it can lose it. Milliseconds since the epoch. */
export function canEnd(leaseUntil: unknown, now: number): boolean {
  return isWithin(leaseUntil, -LAST_INSTANT_MS, now + LONGEST_LEASE_MS)
}

/** What is wrong with a row: half sentences that follow the job's name, none when nothing is. `now`: the store's clock. */
export function damagesOf(row: LiveRow, now: number): readonly string[] {
  return [...ofState(row, now), ...ofNumbers(row), ...ofInstants(row, now), ...ofEdges(row)]
}

function ofState(row: LiveRow, now: number): readonly string[] {
  const { state, reason, blockedOn, workerId, leaseUntil } = row
  if (!isWithin(state, 0, LAST_LIVE)) return [`state ${shown(state)} is none of a live job`]
  if (state === PROCESSING) {
    if (leaseUntil === null) return ['runs under no lease, so nobody takes it back']
    if (!canEnd(leaseUntil, now)) return [`runs under a lease that does not end (lease_until is ${shown(leaseUntil)})`]
    return workerId === null ? ['runs, and no worker holds it'] : []
  }
  if (state !== BLOCKED) {
    if (reason !== null) return [`waits for its turn, and its reason is ${shown(reason)}`]
    return blockedOn === null ? [] : [`waits for its turn, and is blocked on ${shown(blockedOn)}`]
  }
  if (!BLOCKED_REASONS.some((one) => one === reason)) {
    return [
      `is blocked, and ${reason === null ? 'nothing says' : `no reason is called ${shown(reason)}, so nothing says`} for what`,
    ]
  }
  return reason === 'key' && blockedOn === null ? ['is blocked for a key, and nothing says for which'] : []
}

function ofNumbers(row: LiveRow): readonly string[] {
  const found: string[] = []
  const { epoch, attempts } = row
  const check = (name: string, value: unknown, least: number, most: number) => {
    const isFit = isWithin(value, least, most)
    if (!isFit) found.push(`${name} is ${shown(value)}`)
    return isFit
  }
  check('priority', row.priority, 0, LARGEST_PRIORITY)
  check('version', row.version, -LAST_INSTANT_MS, LAST_INSTANT_MS)
  if (row.timeoutMs !== null) check('timeout_ms', row.timeoutMs, 0, LAST_INSTANT_MS)
  const isEpochFit = check('epoch', epoch, 0, LAST_INSTANT_MS)
  // Each of these is counted once a claim at most, and each claim raises the epoch.
  for (const [name, value] of [
    ['attempts', attempts],
    ['losses', row.losses],
    ['crashes', row.crashes],
  ] as const) {
    if (check(name, value, 0, LAST_INSTANT_MS) && isEpochFit && Number(value) > Number(epoch)) {
      found.push(`${name} is ${shown(value)}, and it was claimed ${shown(epoch)} times`)
    }
  }
  const offset = row.attemptOffset
  if (
    check('attempt_offset', offset, 0, LAST_INSTANT_MS) &&
    Number(attempts) >= 0 &&
    Number(offset) > Number(attempts)
  ) {
    found.push(`attempt_offset is ${shown(offset)}, and attempts is ${shown(attempts)}`)
  }
  if (!row.hasFitTags) found.push('its tags are no list of texts')
  return found
}

function ofInstants({ createdAt, runAt, expiresAt }: LiveRow, now: number): readonly string[] {
  const found: string[] = []
  const isInstant = (value: unknown) => isWithin(value, -LAST_INSTANT_MS, LAST_INSTANT_MS)
  if (!isInstant(createdAt)) found.push(`created_at is ${shown(createdAt)}, which is no instant`)
  else if (Number(createdAt) < 0) found.push(`created_at is ${shown(createdAt)}, before 1970`)
  else if (Number(createdAt) > now + CLOCK_AHEAD_MS)
    found.push(`created_at is ${shown(createdAt)}, which is yet to come`)
  // Callers give what they like, as long as it is an instant.
  if (!isInstant(runAt)) found.push(`run_at is ${shown(runAt)}, which is no instant`)
  if (expiresAt !== null && !isInstant(expiresAt)) found.push(`expires_at is ${shown(expiresAt)}, which is no instant`)
  return found
}

/** Counts that are too high in `dependents` cost a longer way at the end, and no more. */
function ofEdges({ state, reason, waitingOn, dependents, parents, children, lostParent }: LiveRow): readonly string[] {
  const found: string[] = []
  if (!isWithin(waitingOn, 0, LAST_INSTANT_MS)) found.push(`waiting_on is ${shown(waitingOn)}`)
  else if (waitingOn !== parents) found.push(`waiting_on is ${shown(waitingOn)}, and it waits for ${jobs(parents)}`)
  else if (parents > 0 && !(state === BLOCKED && reason === 'parents')) {
    found.push(`waits for ${jobs(parents)}, and is not blocked by them`)
  } else if (parents === 0 && state === BLOCKED && reason === 'parents')
    found.push('is blocked by parents, and has none')
  if (lostParent !== null) found.push(`waits for a parent that is not there: ${lostParent}`)
  if (!isWithin(dependents, 0, LAST_INSTANT_MS)) found.push(`dependents is ${shown(dependents)}`)
  else if (Number(dependents) < children) {
    found.push(`dependents is ${shown(dependents)}, and ${jobs(children)} ${children === 1 ? 'waits' : 'wait'} for it`)
  }
  return found
}

function jobs(count: number): string {
  return count === 1 ? '1 job' : `${count} jobs`
}

function isWithin(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && Number(value) >= least && Number(value) <= most
}

/** A column's value as a person reads it: cut, since it may be anything. */
function shown(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 64)) : 'bytes'
}
