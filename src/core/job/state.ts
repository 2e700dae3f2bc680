/** The states of a job and every move between them, as data: stores, conformance cases and documents read this table. */

/** Every state; its index is the integer that stores keep. The order never changes. */
export const JOB_STATES = [
  'blocked',
  'scheduled',
  'pending',
  'processing',
  'retrying',
  'completed',
  'failed',
  'cancelled',
] as const

/** Where a job stands in its life. */
export type JobState = (typeof JOB_STATES)[number]

/** The job has ended: it runs again only when someone retries it by hand. */
export type FinalState = 'completed' | 'failed' | 'cancelled'

/** The job waits or runs. */
export type LiveState = Exclude<JobState, FinalState>

/** Why a job failed or was cancelled. */
export const REASONS = [
  'exhausted',
  'discarded',
  'expired',
  'payload',
  'unreadable',
  'quarantined',
  'parent',
  'replaced',
  'requested',
] as const

/** Why a job ended as it did. */
export type Reason = (typeof REASONS)[number]

/** What a blocked job waits for. */
export const BLOCKED_REASONS = ['parents', 'signal', 'permit', 'key'] as const

/** What a blocked job waits for. */
export type BlockedReason = (typeof BLOCKED_REASONS)[number]

/** What moves a job. */
export type TransitionVerb =
  | 'enqueue'
  | 'claim'
  | 'settle'
  | 'promote'
  | 'reclaim'
  | 'release'
  | 'snooze'
  | 'update'
  | 'cancel'
  | 'retry'
  | 'expire'
  | 'prune'
  | 'remove'

/** One move. `from` null: the job did not exist before; `to` `deleted`: it does not exist afterwards. */
export interface Transition {
  readonly from: JobState | null
  readonly to: JobState | 'deleted'
  readonly verb: TransitionVerb
  /** When it happens, in plain English. */
  readonly when: string
}

/** Every move there is, in the order of a job's life. What is not listed is refused. */
export const TRANSITIONS: readonly Transition[] = Object.freeze([
  move(null, 'pending', 'enqueue', 'its run time is now or past and it waits for nothing'),
  move(null, 'scheduled', 'enqueue', 'its run time is in the future'),
  move(null, 'blocked', 'enqueue', 'a parent has not ended yet (reason `parents`)'),
  move(
    null,
    'failed',
    'enqueue',
    'a parent has already ended without completing and the edge says `fail` (reason `parent`)',
  ),
  move(
    null,
    'cancelled',
    'enqueue',
    'a parent has already ended without completing and the edge says `cancel` (reason `parent`)',
  ),

  move(
    'blocked',
    'pending',
    'release',
    'what it waited for is there (the last parent, signal, permit or key) and its run time has come',
  ),
  move('blocked', 'scheduled', 'release', 'what it waited for is there and its run time is in the future'),
  ...ends('blocked'),
  move('blocked', 'failed', 'settle', 'a parent ends without completing and the edge says `fail` (reason `parent`)'),
  move(
    'blocked',
    'cancelled',
    'settle',
    'a parent ends without completing and the edge says `cancel` (reason `parent`)',
  ),

  move('scheduled', 'pending', 'promote', 'its run time has come'),
  move('scheduled', 'pending', 'retry', 'someone brings it forward by hand'),
  move('scheduled', 'pending', 'update', 'its run time is moved to now or the past'),
  move('scheduled', 'blocked', 'promote', 'its run time has come, but it still needs a signal or a permit'),
  ...ends('scheduled'),

  move('pending', 'processing', 'claim', 'a worker takes it and holds its lease from now on'),
  move('pending', 'scheduled', 'update', 'its run time is moved into the future'),
  move('pending', 'blocked', 'claim', 'it would be taken, but its limit has no permit left (reason `permit`)'),
  ...ends('pending'),

  move('processing', 'completed', 'settle', 'the handler returned and its result is kept'),
  move('processing', 'retrying', 'settle', 'the attempt failed or timed out, and the policy allows another'),
  move('processing', 'scheduled', 'snooze', 'the handler asked to run again later; the attempt is not counted'),
  move(
    'processing',
    'blocked',
    'settle',
    'its payload needs a key that the worker does not have (reason `key`), or it waits for a signal; the attempt is not counted',
  ),
  move(
    'processing',
    'failed',
    'settle',
    'the last attempt failed (reason `exhausted`), the error allows no further one (`discarded`), or its payload is refused (`payload`) or cannot be opened (`unreadable`)',
  ),
  move(
    'processing',
    'failed',
    'reclaim',
    'its lease ran out, or its worker died, after its handler had begun, for the third time (reason `quarantined`)',
  ),
  move(
    'processing',
    'cancelled',
    'settle',
    'it was asked to stop, and the attempt ended without completing or failing for good (reason `requested`)',
  ),
  move(
    'processing',
    'cancelled',
    'reclaim',
    'its lease ran out, or its worker died, after it had been asked to stop (reason `requested`)',
  ),
  move(
    'processing',
    'pending',
    'release',
    'its worker gives it back unfinished or not begun; the attempt is not counted',
  ),
  move(
    'processing',
    'pending',
    'reclaim',
    'its lease ran out, or its worker died; the loss is counted, the attempt is not',
  ),

  move('retrying', 'pending', 'promote', 'its back-off is over'),
  move('retrying', 'pending', 'retry', 'someone brings it forward by hand'),
  move('retrying', 'scheduled', 'update', 'it is given a run time of its own in the future'),
  ...ends('retrying'),

  ...afterEnd('completed'),
  ...afterEnd('failed'),
  ...afterEnd('cancelled'),
])

/** Whether a job in this state has ended. */
export function isFinal(state: JobState): state is FinalState {
  return state === 'completed' || state === 'failed' || state === 'cancelled'
}

/** Every move out of a state; null: every way a job comes into being. */
export function transitionsFrom(state: JobState | null): readonly Transition[] {
  return TRANSITIONS.filter((transition) => transition.from === state)
}

/** Whether some verb moves a job from one state to the other. */
export function canMove(from: JobState | null, to: JobState | 'deleted'): boolean {
  return TRANSITIONS.some((transition) => transition.from === from && transition.to === to)
}

/** How a waiting job may end without running. */
function ends(from: LiveState): readonly Transition[] {
  return [
    move(from, 'failed', 'expire', 'its expiry passes before it starts (reason `expired`)'),
    move(from, 'cancelled', 'cancel', 'someone cancels it (reason `requested`)'),
    move(from, 'cancelled', 'enqueue', 'a new job takes its unique key with `replace` (reason `replaced`)'),
  ]
}

/** What may still happen to a job that has ended. */
function afterEnd(from: FinalState): readonly Transition[] {
  return [
    move(from, 'pending', 'retry', 'someone retries it by hand; its attempts count anew'),
    move(from, 'deleted', 'prune', 'it has been kept for its retention time'),
    move(from, 'deleted', 'remove', 'someone removes it'),
  ]
}

function move(from: Transition['from'], to: Transition['to'], verb: TransitionVerb, when: string): Transition {
  return Object.freeze({ from, to, verb, when })
}
