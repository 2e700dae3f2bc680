/** What the server is told of its sessions: how long it works and waits, how it plans, and at which isolation. */

/** How long the server waits for more of an open transaction; a worker that was stopped holds locks no longer. */
const IDLE_IN_TRANSACTION_MS = 60_000

/**
 * How long the server works on one statement: nine tenths of its call's deadline. Whoever calls is told then that the server ended
 * it; at the deadline itself the connection would be given up as one that does not answer.
 */
export function statementMs(deadlineMs: number): number {
  return Math.ceil(0.9 * deadlineMs)
}

/**
 * How long a statement waits for a lock: a quarter of the deadline. A wait that is in vain then ends while the call has time left: its
 * transaction lets go of what it holds meanwhile, and is run again.
 */
function lockWaitMs(deadlineMs: number): number {
  return Math.ceil(deadlineMs / 4)
}

/**
 * Every statement here is meant to be served row by row from an index in its order, whatever the statistics of a table that
 * was empty a moment ago say: left to itself it gathered and sorted all 200,000 that waited for each claim. Planned once, since
 * planning the exchange costs more than running it; at READ COMMITTED, which the locks rely on.
 */
export function sessionOptions(deadlineMs: number): string {
  const options = {
    statement_timeout: statementMs(deadlineMs),
    lock_timeout: lockWaitMs(deadlineMs),
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    default_transaction_isolation: 'read\\ committed',
    plan_cache_mode: 'force_generic_plan',
    enable_seqscan: 'off',
    enable_bitmapscan: 'off',
    enable_hashjoin: 'off',
    enable_mergejoin: 'off',
    jit: 'off',
  }
  const ours = Object.entries(options).map(([name, value]) => `-c ${name}=${value}`)
  // What an operator sets for every client is heard, as it is by the other tools of PostgreSQL.
  return [process.env.PGOPTIONS ?? '', ...ours].join(' ').trim()
}

/**
 * The limits of a session for one transaction, in the text that begins it: behind a pooler, where no session is ours, the server
 * ends what its client has given up all the same. That of a statement bounds what it waits for locks, too, so there is no third.
 */
export function transactionLimits(deadlineMs: number): string {
  // allow sql: a number
  const ofStatement = `SET LOCAL statement_timeout = ${statementMs(deadlineMs)}`
  // allow sql: constants
  return `${ofStatement}; SET LOCAL idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS}`
}
