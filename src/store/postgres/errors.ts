/** The one place that reads PostgreSQL's error codes (https://www.postgresql.org/docs/current/errcodes-appendix.html) and the driver's. */
import { MillraceError, StoreError } from '../../core/errors.ts'
import { codeOf, isDisbelief, isOfNetwork, sentenceOf, unreachedError } from '../sql/network-error.ts'

/** Two transactions got in each other's way: the same one may succeed when it is run again. */
export function isConflict(error: unknown): boolean {
  const code = codeOf(error)
  return code === '40001' || code === '40P01'
}

/** A lock did not come in time. */
export function isLockTimeout(error: unknown): boolean {
  return toldCode(error) === '55P03'
}

/** The server ended a statement since it, or its wait for a lock, took too long. */
export function isCutShort(error: unknown): boolean {
  return isLockTimeout(error) || toldCode(error) === '57014'
}

/** The server, or PgBouncer in between, which has no code of its own for it, answers and takes no more connections. */
export function isCrowded(error: unknown): boolean {
  const code = toldCode(error)
  return code === '53300' || (code === '08P01' && /no more connections allowed/.test(sentenceOf(error)))
}

/** Our own errors tell the server's code. */
function toldCode(error: unknown): unknown {
  return error instanceof StoreError ? error.fields.code : codeOf(error)
}

/** The statement was not looked at: another one of its transaction, sent before it, has failed. */
export function isAfterFailure(error: unknown): boolean {
  return codeOf(error) === '25P02'
}

/** A row was refused: a constraint, a value that a column cannot hold, a key longer than an index takes. */
export function isConstraint(error: unknown): boolean {
  return /^(22|23|54)/.test(codeOf(error))
}

const CHECK_URL = "Check user, password and database in the store's URL."

/** Says what an error means for a caller; `where` names the store without secrets. Our own errors come back as they are. */
export function translateError(error: unknown, where: string): unknown {
  if (error instanceof StoreError) return error
  const code = codeOf(error)
  const said = sentenceOf(error)
  // What the server says in detail may quote rows, so the cause keeps its sentence and code alone.
  const cause = Object.assign(new Error(said), { code })
  const make = (kind: StoreError['kind'], word: StoreError['code'], sentence: string, hint?: string) =>
    new StoreError(kind, word, sentence, { fields: { store: where, code }, cause, ...(hint !== undefined && { hint }) })
  const [two] = code.match(/^../) ?? ['']
  if (TOO_LONG.has(code))
    return make(
      'transient',
      'STORE_BUSY',
      `${where} took too long: ${said}`,
      'Look for long transactions and locks in pg_stat_activity.',
    )
  if (isConflict(error) || code === '55P03') {
    return make(
      'transient',
      'STORE_BUSY',
      `${where} is busy: ${said}`,
      'Look for long transactions and locks in pg_stat_activity.',
    )
  }
  if (code === '53100')
    return make('transient', 'STORE_FULL', `${where} cannot grow: ${said}`, 'Free some space on the server.')
  if (code === '25006')
    return make(
      'transient',
      'STORE_READ_ONLY',
      `${where} cannot be written: ${said}`,
      'Connect to the primary, not to a replica.',
    )
  if (isDisbelief(error)) {
    const hint = "Give its authority's certificate as ?ca=FILE, and in the URL the name that the certificate has."
    return make('transient', 'STORE_UNREACHABLE', `${where} was not believed: ${said}`, hint)
  }
  // A statement's name is known to another session than the one that is asked; and PgBouncer takes no options.
  if (code === '42P05' || code === '26000' || /unsupported startup parameter/i.test(said)) {
    const hint = 'A pooler stands in between: add pooler=transaction to the URL.'
    return make('schema', 'STORE_UNREACHABLE', `${where} is not reached by a session of its own: ${said}`, hint)
  }
  if (two === '08' || two === '57' || two === '53' || isLost(error)) return unreachedError(error, where)
  // Where the server asks for a password and none was given, or in a way it does not know, the driver says so without a code.
  if (two === '28' || code === '3D000' || /password must be a |SASL: Only mechanism/i.test(said)) {
    return make('schema', 'STORE_UNREACHABLE', `${where} refused the connection: ${said}`, CHECK_URL)
  }
  if (code === '42P01' || code === '3F000' || code === '42703') {
    return make('schema', 'STORE_OLDER', `${where} lacks a table of this version: ${said}`, 'Run: millrace migrate up')
  }
  if (code === '42501')
    return make(
      'schema',
      'STORE_READ_ONLY',
      `${where} forbids it: ${said}`,
      'Connect as a role that may: docs/postgresql.md lists the rights of migrator, worker and viewer.',
    )
  if (isConstraint(error)) return make('constraint', 'STORE_CONSTRAINT', `${where} refused a row: ${said}`)
  if (/^[0-9A-Z]{5}$/.test(code)) return make('schema', 'STORE_CONSTRAINT', `${where}: ${said}`)
  return error
}

/**
 * The same of what connecting threw. What nobody knows is met by another try, since poolers and providers have codes of their own
 * for what goes by; but a setting that the server does not know or take stays as it is.
 */
export function translateConnectError(error: unknown, where: string): unknown {
  const known = translateError(error, where)
  if (known instanceof MillraceError && known.code !== 'STORE_CONSTRAINT') return known
  const code = codeOf(error)
  if (!/^(0A|22|42)...$/.test(code)) return unreachedError(error, where)
  const said = sentenceOf(error)
  return new StoreError('schema', 'STORE_UNREACHABLE', `${where} refused the connection: ${said}`, {
    fields: { store: where, code },
    cause: Object.assign(new Error(said), { code }),
    hint: 'Look at PGOPTIONS, and at the settings of the role and the database.',
  })
}

/** The server ended a statement (57014), a transaction in which nothing more was asked, or one that took too long as a whole. */
const TOO_LONG: ReadonlySet<string> = new Set(['57014', '25P03', '25P04'])

/** The connection ended, or never came about. */
function isLost(error: unknown): boolean {
  return isOfNetwork(error) || (codeOf(error) === '' && DRIVER_SAYS.test(sentenceOf(error)))
}

/** What the driver says without a code. A sentence of the server's may quote a caller's words, and always has one. */
const DRIVER_SAYS =
  /Connection terminated|not queryable|connection timeout|timeout expired|does not support SSL|establishing an SSL connection|Received unexpected \w+ message|received invalid response/i
