/** The one place that reads the error codes of MySQL and MariaDB, and the driver's. */
import { StoreError } from '../../core/errors.ts'

/** The server's number of an error; 0 when it is not one of the server's. */
export function numberOf(error: unknown): number {
  if (typeof error !== 'object' || error === null || !('errno' in error)) return 0
  return typeof error.errno === 'number' && error.errno > 0 ? error.errno : 0
}

/** The word for an error: the server's (`ER_…`), the driver's, or Node's. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return ''
  return typeof error.code === 'string' ? error.code : ''
}

/**
 * Two transactions got in each other's way: the same one may succeed when it is run again. A deadlock (1213), a lock waited
 * for too long (1205), a row that changed since the snapshot (1020).
 */
export function isConflict(error: unknown): boolean {
  return [1213, 1205, 1020].includes(numberOf(error))
}

/** A row was refused: a constraint, a duplicate, a value that a column cannot hold. */
export function isConstraint(error: unknown): boolean {
  return CONSTRAINTS.has(numberOf(error)) || /^2[23]/.test(stateOf(error))
}

/** A row with the same primary or unique key is there. */
export function isDuplicate(error: unknown): boolean {
  return numberOf(error) === 1062
}

/** The user lacks a right. */
export function isForbidden(error: unknown): boolean {
  return FORBIDDEN.has(numberOf(error))
}

/** What a statement makes is there already (table, column, index), or what it takes away is gone. */
export function isMade(error: unknown): boolean {
  return [1050, 1060, 1061, 1091].includes(numberOf(error))
}

/** The connection ended, or never came about; what was sent on it may or may not have happened. */
export function isLost(error: unknown): boolean {
  return LOST.has(numberOf(error)) || isOfSocket(error, codeOf(error))
}

const CONSTRAINTS: ReadonlySet<number> = new Set([
  1048, 1062, 1264, 1265, 1292, 1364, 1366, 1406, 1451, 1452, 1690, 1118, 1153, 3819, 4025,
])
const BUSY: ReadonlySet<number> = new Set([1317, 1461, 1969, 3024])
const FULL: ReadonlySet<number> = new Set([1021, 1114])
const READ_ONLY: ReadonlySet<number> = new Set([1290, 1792, 1836])
const LOST: ReadonlySet<number> = new Set([
  1040, 1053, 1077, 1078, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1203, 1226, 1927, 4031,
])
const REFUSED: ReadonlySet<number> = new Set([1044, 1045, 1049, 1129, 1130, 1251, 1698, 3118, 3159])
const OLDER: ReadonlySet<number> = new Set([1054, 1146])
const FORBIDDEN: ReadonlySet<number> = new Set([1142, 1143, 1227, 1370])

/** Says what an error means for a caller; `where` names the store without secrets. Our own errors come back as they are. */
export function translateError(error: unknown, where: string): unknown {
  if (error instanceof StoreError) return error
  const code = codeOf(error)
  const number = numberOf(error)
  const said = message(error)
  // The driver's errors carry the statement, so the cause keeps the sentence and the code alone.
  const cause = Object.assign(new Error(said), { code })
  const make = (kind: StoreError['kind'], word: StoreError['code'], sentence: string, hint?: string) =>
    new StoreError(kind, word, sentence, { fields: { store: where, code }, cause, ...(hint !== undefined && { hint }) })
  if (BUSY.has(number) || isConflict(error)) {
    const hint = 'Look for long transactions and locks with SHOW ENGINE INNODB STATUS.'
    return make('transient', 'STORE_BUSY', `${where} is busy: ${said}`, hint)
  }
  if (FULL.has(number)) {
    return make('transient', 'STORE_FULL', `${where} cannot grow: ${said}`, 'Free some space on the server.')
  }
  if (READ_ONLY.has(number)) {
    const hint = 'Connect to the primary, not to a replica.'
    return make('transient', 'STORE_READ_ONLY', `${where} cannot be written: ${said}`, hint)
  }
  if (code === 'HANDSHAKE_SSL_ERROR') {
    const hint = "Give its authority's certificate as ?ca=FILE, and in the URL the name that the certificate has."
    return make('transient', 'STORE_UNREACHABLE', `${where} was not believed: ${said}`, hint)
  }
  if (isLost(error)) {
    const hint = 'Check that the server runs and takes connections.'
    return make('transient', 'STORE_UNREACHABLE', `${where} could not be reached: ${said}`, hint)
  }
  if (REFUSED.has(number)) {
    const hint = "Check user, password and database in the store's URL."
    return make('schema', 'STORE_UNREACHABLE', `${where} refused the connection: ${said}`, hint)
  }
  if (OLDER.has(number)) {
    return make('schema', 'STORE_OLDER', `${where} lacks a table of this version: ${said}`, 'Run: millrace migrate up')
  }
  if (FORBIDDEN.has(number)) {
    const hint = 'Connect as a user that may: docs/mysql.md lists the rights of migrator, worker and viewer.'
    return make('schema', 'STORE_READ_ONLY', `${where} forbids it: ${said}`, hint)
  }
  if (number === 1153) {
    const hint = "Raise the server's max_allowed_packet."
    return make('constraint', 'STORE_CONSTRAINT', `${where} refused a row: ${said}`, hint)
  }
  if (isConstraint(error)) return make('constraint', 'STORE_CONSTRAINT', `${where} refused a row: ${said}`)
  if (number > 0) return make('schema', 'STORE_CONSTRAINT', `${where}: ${said}`)
  return error
}

function isOfSocket(error: unknown, code: string): boolean {
  if (/^(ECONN|ENOTFOUND|EAI_|ETIMEDOUT|EPIPE|EHOST|ENET|ENOENT|EACCES|CERT_|ERR_TLS|DEPTH_|SELF_SIGNED)/.test(code)) {
    return true
  }
  if (/^(PROTOCOL_|UNABLE_TO|HANDSHAKE_)/.test(code)) return true
  // The driver has no codes for its own sentences.
  return /closed state|connection (lost|timeout)|does not support secure connection/i.test(message(error))
}

function stateOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('sqlState' in error)) return ''
  return typeof error.sqlState === 'string' ? error.sqlState : ''
}

function message(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(message).join('; ')
  return error instanceof Error ? error.message : String(error)
}
