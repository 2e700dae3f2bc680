/** What the diagnoses of all SQL stores share: limits, the clock, the words for what was found. */
import { ALIVE_WITHIN_MS } from '../../core/alive.ts'
import { DIAGNOSED_ROWS, type Diagnosis, type DiagnosisLimits } from '../contract/index.ts'
import type { Migration } from './migrations.ts'
import type { Session } from './session.ts'
import { nodes } from './shared.ts'

const DEFAULTS: DiagnosisLimits = {
  transactionMs: 300_000,
  deadRows: 200_000,
  history: 500_000,
  connections: 0.8,
  clockMs: 1_000,
  rows: DIAGNOSED_ROWS,
}

/** The limits with their defaults. */
export function limitsOf(given: Partial<DiagnosisLimits>): DiagnosisLimits {
  return { ...DEFAULTS, ...given }
}

/** Compares the store's clock with this machine's. The answer may have come at any moment of the call. */
export async function clockOffset(time: () => Promise<number>, limits: DiagnosisLimits): Promise<readonly Diagnosis[]> {
  const before = Date.now()
  const theirs = await time()
  const after = Date.now()
  const offset = theirs < before ? theirs - before : Math.max(0, theirs - after)
  if (Math.abs(offset) <= limits.clockMs) return []
  const seconds = Math.abs(offset / 1000).toFixed(1)
  return [
    warning(
      'CLOCK_OFFSET',
      `the store's clock is ${seconds} s ${offset < 0 ? 'behind' : 'ahead of'} this machine's: instants given to runAt come that much ${offset < 0 ? 'late' : 'early'}`,
      'Let both keep time by NTP.',
    ),
  ]
}

/** The index that a migration makes, and the statement that makes it. */
export interface MadeIndex {
  readonly name: string
  readonly statement: string
}

/** The indexes that these steps make by statements of their own. */
export function indexesOf(steps: readonly Migration[]): readonly MadeIndex[] {
  return steps
    .flatMap(({ statements }) => statements)
    .flatMap((statement) => {
      const name = /^CREATE INDEX (\w+) ON /.exec(statement)?.[1]
      return name === undefined ? [] : [{ name, statement }]
    })
}

/** The tables that these steps make, by their names without the prefix. */
export function tablesOf(steps: readonly Migration[]): readonly string[] {
  return steps
    .flatMap(({ statements }) => statements)
    .flatMap((statement) => /^CREATE TABLE (?:IF NOT EXISTS )?millrace_(\w+)/.exec(statement)?.[1] ?? [])
}

/** An index that should be there. */
export function missingIndex(name: string, statement: string): Diagnosis {
  return {
    code: 'INDEX_MISSING',
    severity: 'problem',
    message: `the index ${name} is missing: statements that it serves read whole tables`,
    fix: `${statement};`,
  }
}

/** A transaction that has been open for too long. */
export function oldTransaction(who: string, seconds: number, what: string, fix: string): Diagnosis {
  return warning('OLD_TRANSACTION', `${who} has a transaction open for ${Math.round(seconds)} s: ${what}`, fix)
}

/** Connections that are nearly used up. */
export function connectionsNear(used: number, most: number, limits: DiagnosisLimits): readonly Diagnosis[] {
  if (used <= most * limits.connections) return []
  const fix = 'Give each program a smaller ?pool=…, raise max_connections, or put a pooler in between.'
  return [warning('CONNECTIONS_NEAR', `${used} of ${most} connections are in use: the next ones will be refused`, fix)]
}

/**
 * Whether the programs whose workers are alive may together ask for more connections than there are. How many each takes is
 * known of this store's URL alone, so it is taken for all of them. `own`: at most, of one program; `most`: what the server has
 * for programs.
 */
export async function connectionsFew(
  session: Session,
  now: number,
  own: number,
  most: number,
  limits: DiagnosisLimits,
): Promise<readonly Diagnosis[]> {
  // The workers of one process share its connections.
  const alive = await nodes(session, now - ALIVE_WITHIN_MS)
  const programs = new Set(alive.map(({ host, pid }) => `${pid} ${host}`)).size
  const need = programs * own
  if (need <= most * limits.connections) return []
  const message = `${programs === 1 ? 'one program' : `${programs} programs`} with live workers may take ${own} connections each, ${need} of ${most}: with what else connects they can run out`
  const fix = 'Give each program a smaller ?pool=…, raise max_connections, or put a pooler in between.'
  return [warning('CONNECTIONS_FEW', message, fix)]
}

/** A server elsewhere that need not prove who it is. `setting`: what the URL says; `fix`: what it should say. */
export function tlsUnverified(host: string, setting: string, isEncrypted: boolean, fix: string): Diagnosis {
  const risk = isEncrypted
    ? 'whoever answers in its place is believed, and gets the password and every job'
    : 'whoever is on the way reads every job, and may change what is read and written'
  return warning('TLS_UNVERIFIED', `${host} is not this machine, and with ${setting} ${risk}`, fix)
}

/** A setting that loses what was acknowledged. */
export function notDurable(setting: string, severity: Diagnosis['severity'], loss: string, fix: string): Diagnosis {
  return { code: 'NOT_DURABLE', severity, message: `${setting}: ${loss}`, fix }
}

/** Something to know. */
export function warning(code: Diagnosis['code'], message: string, fix: string): Diagnosis {
  return { code, severity: 'warning', message, fix }
}
