/** What somebody with the database may set in the row of a job that waits, and which of it harms nothing. */

const LARGE = '9223372036854775807'

/** Assignments of SQL. What a database refuses is nothing to find there. */
export const DAMAGES = [
  'epoch = -1',
  'attempts = -5',
  'attempts = 2000000000',
  'attempt_offset = 3',
  'losses = -1',
  'crashes = 100',
  'run_at = 253402300799999',
  'run_at = -62135596800000',
  `run_at = ${LARGE}`,
  `created_at = ${LARGE}`,
  'created_at = 253402300799999',
  'created_at = -62135596800000',
  `version = ${LARGE}`,
  'version = -1',
  'timeout_ms = -1',
  `timeout_ms = ${LARGE}`,
  `expires_at = ${LARGE}`,
  "retry = '{'",
  "retry = 'null'",
  "tags = '{'",
  "tags = '[1]'",
  `tags = '{"a":1}'`,
  'payload = NULL',
  "payload = ''",
  'waiting_on = 5',
  'waiting_on = -1',
  'dependents = 7',
  'dependents = -1',
  'state = 7',
  'state = 3',
  "state = 3, worker_id = 'w'",
  `state = 3, worker_id = 'w', lease_until = ${LARGE}`,
  "state = 3, worker_id = 'w', lease_until = 1, epoch = 1",
  "state = 3, worker_id = 'w', lease_until = 1, attempts = 2000000000",
  "state = 0, reason = 'nonsense', blocked_on = 'k9'",
  'state = 0',
  "state = 0, reason = 'key'",
  "state = 0, reason = 'parents', waiting_on = 1",
  'priority = 101',
  "worker_id = 'nobody'",
  'lease_until = 1',
  `claimed_at = ${LARGE}`,
  `started_at = ${LARGE}`,
  'cancelling = 7',
  'progress = -1',
  "reason = 'nonsense'",
  "blocked_on = 'k9'",
] as const

const OVERWRITTEN = 'the next claim overwrites it'
const OPAQUE = 'payloads are opaque to a store: the job fails at its turn, and says that it could not be opened'
const OWN_POLICY = 'what is no policy counts as none: the one of its definition holds'

/** Those of them that the doctor need not name, and why. */
export const HARMLESS: ReadonlyMap<string, string> = new Map([
  ['run_at = 253402300799999', 'a caller may give any instant'],
  ['run_at = -62135596800000', 'a caller may give any instant'],
  ['version = -1', 'a caller may give any whole number'],
  ["retry = '{'", OWN_POLICY],
  ["retry = 'null'", OWN_POLICY],
  ['payload = NULL', OPAQUE],
  ["payload = ''", OPAQUE],
  ['dependents = 7', 'its end looks for dependents, and finds none'],
  ["state = 3, worker_id = 'w', lease_until = 1, epoch = 1", 'its lease has ended: it is taken back'],
  ["worker_id = 'nobody'", OVERWRITTEN],
  ['lease_until = 1', OVERWRITTEN],
  [`claimed_at = ${LARGE}`, OVERWRITTEN],
  [`started_at = ${LARGE}`, 'at worst a lease that is lost counts as a crash'],
  ['cancelling = 7', 'only 1 asks it to stop'],
  ['progress = -1', 'it is only shown'],
])
