/** What a session is set to before it is used, and what server it may be on. */
import { ConfigError } from '../../core/errors.ts'
import type { Runner } from './runner.ts'

/** The two kinds of server. */
export type Flavor = 'mysql' | 'mariadb'

/**
 * What a connection is for. One for looks beside transactions of callers sees what is not committed, and waits no longer than
 * the server's shortest time for a table that is being altered.
 */
export type Purpose = 'work' | 'looks'

/** How long the server waits for more of an open transaction; a worker that was stopped holds locks no longer. */
const IDLE_IN_TRANSACTION_S = 60
const SQL_MODE = 'STRICT_ALL_TABLES,STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'
const ISOLATION = {
  work: 'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  looks: 'SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED',
} as const
/** MySQL takes a whole second at least. */
const TABLE_WAIT = { work: '', looks: 'lock_wait_timeout = 1, ' } as const
const OLDEST = { mysql: [8, 0, 17], mariadb: [10, 6, 0] } as const

/**
 * Sets what our statements rely on, whatever the server's defaults are: strict mode, so that nothing is cut off silently;
 * READ COMMITTED, so that a claim locks no gaps; a commit that neither begins a transaction nor ends the session; UTC, since a summer time says some instants twice; English sentences.
 * Returns how many bytes the server takes at once.
 */
export async function prepareSession(runner: Runner, deadlineMs: number, purpose: Purpose): Promise<number> {
  const { rows } = await runner.execute('SELECT version() AS version, @@max_allowed_packet AS bytes', [])
  const version = String(rows[0]?.[0])
  const flavor = flavorOf(version)
  refuseOld(version, flavor)
  const seconds = Math.max(1, Math.ceil(deadlineMs / 1000))
  await runner.run(ISOLATION[purpose])
  // allow sql: constants and numbers
  await runner.run(
    `SET SESSION sql_mode = '${SQL_MODE}', time_zone = '+00:00', lc_messages = 'en_US', completion_type = 0, ` +
      `innodb_lock_wait_timeout = ${lockWaitSeconds(deadlineMs)}, ${TABLE_WAIT[purpose]}${sessionLimits(flavor, seconds)}`,
  )
  const mode = (await runner.execute('SELECT @@SESSION.sql_mode AS mode', [])).rows[0]?.[0]
  if (!String(mode).includes('STRICT_TRANS_TABLES')) {
    throw new ConfigError('CONFIG_INVALID', `the server keeps sql_mode at ${JSON.stringify(mode)}: it is not strict`, {
      hint: 'Let the session set STRICT_TRANS_TABLES; a proxy in between may forbid it.',
    })
  }
  return Number(rows[0]?.[1])
}

/**
 * How long a statement waits for a row, in whole seconds: a quarter of the deadline. A wait that is in vain then ends while the call has
 * time left: its transaction lets go of what it holds meanwhile, and is run again.
 */
export function lockWaitSeconds(deadlineMs: number): number {
  return Math.max(1, Math.floor(deadlineMs / 4_000))
}

/**
 * How long a statement may take, and how long an open transaction may stand still. MySQL does not tell the latter from a session
 * that nobody uses, so it ends both: the pool makes a connection that has ended anew.
 */
export function sessionLimits(flavor: Flavor, seconds: number): string {
  return flavor === 'mariadb'
    ? `max_statement_time = ${seconds}, idle_transaction_timeout = ${IDLE_IN_TRANSACTION_S}`
    : `max_execution_time = ${seconds * 1000}, wait_timeout = ${IDLE_IN_TRANSACTION_S}`
}

/** Which of the two a server is, by its version. */
export function flavorOf(version: string): Flavor {
  return /mariadb/i.test(version) ? 'mariadb' : 'mysql'
}

/** Throws when a server is older than what our statements need. */
export function refuseOld(version: string, flavor: Flavor): void {
  const oldest = OLDEST[flavor]
  const numbers = (/(\d+)\.(\d+)\.(\d+)/.exec(version.replace(/^5\.5\.5-/, '')) ?? []).slice(1).map(Number)
  for (const [i, least] of oldest.entries()) {
    const number = numbers[i] ?? 0
    if (number > least) return
    if (number < least) {
      throw new ConfigError('CONFIG_INVALID', `the server is ${version}; ${flavor} ${oldest.join('.')} is needed`, {
        hint: 'Update the server.',
      })
    }
  }
}
