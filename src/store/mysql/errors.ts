/** The one place that reads the error codes of MySQL and MariaDB, and the driver's. */
import { MillraceError, StoreError } from '../../core/errors.ts'
import { codeOf, isDisbelief, isOfNetwork, sentenceOf, unreachedError } from '../sql/network-error.ts'

/** The server's number of an error; 0 when it is not one of the server's. */
export function numberOf(error: unknown): number {
  if (typeof error !== 'object' || error === null || !('errno' in error)) return 0
  return typeof error.errno === 'number' && error.errno > 0 ? error.errno : 0
}

/**
 * Two transactions got in each other's way: the same one may succeed when it is run again. A deadlock (1213), a lock waited
 * for too long (1205), a row that changed since the snapshot (1020), a table that did (1412) or did while the statement was
 * prepared anew (1615).
 */
export function isConflict(error: unknown): boolean {
  return [1213, 1205, 1020, 1412, 1615].includes(numberOf(error))
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

/** The server answers, and takes no more connections; `StoreError`s are known by the word they tell. */
export function isCrowded(error: unknown): boolean {
  return CROWDED.has(String(error instanceof StoreError ? error.fields.code : codeOf(error)))
}

/** The server does not do such a thing, as it is set, or for this user. */
export function isUnavailable(error: unknown): boolean {
  const number = numberOf(error)
  return isForbidden(error) || READ_ONLY.has(number) || UNKNOWN.has(number)
}

/** What a statement makes is there already (table, column, index), or what it takes away is gone. */
export function isMade(error: unknown): boolean {
  return [1050, 1060, 1061, 1091].includes(numberOf(error))
}

/** The connection ended, or never came about; what was sent on it may or may not have happened. */
export function isLost(error: unknown): boolean {
  if (LOST.has(numberOf(error)) || isOfNetwork(error) || isDisbelief(error)) return true
  if (/^(PROTOCOL_|HANDSHAKE_)/.test(codeOf(error))) return true
  return numberOf(error) === 0 && DRIVER_SAYS.test(sentenceOf(error))
}

/** What the driver says without a code. A sentence of the server's may quote a caller's words, and always has a number. */
const DRIVER_SAYS = /closed state|connection (lost|timeout)|does not support secure connection/i
const CONSTRAINTS: ReadonlySet<number> = new Set([
  1048, 1062, 1264, 1265, 1292, 1364, 1366, 1406, 1451, 1452, 1690, 1118, 1153, 3819, 4025,
])
const BUSY: ReadonlySet<number> = new Set([1317, 1461, 1969, 3024])
const FULL: ReadonlySet<number> = new Set([1021, 1114])
const READ_ONLY: ReadonlySet<number> = new Set([1290, 1792, 1836])
const UNKNOWN: ReadonlySet<number> = new Set([1064, 1235])
const LOST: ReadonlySet<number> = new Set([
  1040, 1053, 1077, 1078, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1203, 1226, 1927, 4031,
])
const CROWDED: ReadonlySet<string> = new Set([
  'ER_CON_COUNT_ERROR',
  'ER_TOO_MANY_USER_CONNECTIONS',
  'ER_USER_LIMIT_REACHED',
])
const REFUSED: ReadonlySet<number> = new Set([1044, 1045, 1049, 1129, 1130, 1251, 1698, 3118, 3159])
/** The server asks for the password in a way that the driver does not know, or would tell in the clear. */
const UNKNOWN_LOGIN: ReadonlySet<string> = new Set(['AUTH_SWITCH_PLUGIN_ERROR', 'MYSQL_CLEAR_PASSWORD_NOT_ENABLED'])
const OLDER: ReadonlySet<number> = new Set([1054, 1146])
const FORBIDDEN: ReadonlySet<number> = new Set([1142, 1143, 1227, 1370])

/** Says what an error means for a caller; `where` names the store without secrets. Our own errors come back as they are. */
export function translateError(error: unknown, where: string): unknown {
  if (error instanceof StoreError) return error
  const code = codeOf(error)
  const number = numberOf(error)
  const said = sentenceOf(error)
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
  // The driver puts this word on all that fails in the making of TLS.
  if (isDisbelief(error) || (code === 'HANDSHAKE_SSL_ERROR' && !isOfNetwork(error))) {
    const hint = "Give its authority's certificate as ?ca=FILE, and in the URL the name that the certificate has."
    return make('transient', 'STORE_UNREACHABLE', `${where} was not believed: ${said}`, hint)
  }
  if (isLost(error)) return unreachedError(error, where)
  if (REFUSED.has(number) || UNKNOWN_LOGIN.has(code)) {
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

/**
 * The same of what connecting threw. What nobody knows is met by another try, since proxies and providers have errors of their own
 * for what goes by; but a setting that the server does not know (1193) or take (a state of 42) stays as it is.
 */
export function translateConnectError(error: unknown, where: string): unknown {
  const known = translateError(error, where)
  if (known instanceof MillraceError && known.code !== 'STORE_CONSTRAINT') return known
  return numberOf(error) === 1193 || stateOf(error).startsWith('42') ? known : unreachedError(error, where)
}

function stateOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('sqlState' in error)) return ''
  return typeof error.sqlState === 'string' ? error.sqlState : ''
}
