/** The one place that reads PostgreSQL's error codes (https://www.postgresql.org/docs/current/errcodes-appendix.html) and the driver's. */
import { StoreError } from '../../core/errors.ts'

/** The code of an error: five characters of PostgreSQL's, or a word of Node's. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return ''
  return typeof error.code === 'string' ? error.code : ''
}

/** Two transactions got in each other's way: the same one may succeed when it is run again. */
export function isConflict(error: unknown): boolean {
  const code = codeOf(error)
  return code === '40001' || code === '40P01'
}

/** A lock did not come in time; `StoreError`s are known by the code they tell. */
export function isLockTimeout(error: unknown): boolean {
  return (error instanceof StoreError ? error.fields.code : codeOf(error)) === '55P03'
}

/** The statement was not looked at: another one of its transaction, sent before it, has failed. */
export function isAfterFailure(error: unknown): boolean {
  return codeOf(error) === '25P02'
}

/** A row was refused: a constraint, a value that a column cannot hold, a key longer than an index takes. */
export function isConstraint(error: unknown): boolean {
  return /^(22|23|54)/.test(codeOf(error))
}

/** Says what an error means for a caller; `where` names the store without secrets. Our own errors come back as they are. */
export function translateError(error: unknown, where: string): unknown {
  if (error instanceof StoreError) return error
  const code = codeOf(error)
  const said = message(error)
  // What the server says in detail may quote rows, so the cause keeps its sentence and code alone.
  const cause = Object.assign(new Error(said), { code })
  const make = (kind: StoreError['kind'], word: StoreError['code'], sentence: string, hint?: string) =>
    new StoreError(kind, word, sentence, { fields: { store: where, code }, cause, ...(hint !== undefined && { hint }) })
  const [two] = code.match(/^../) ?? ['']
  if (code === '57014')
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
      'Look for long transactions that lock rows of Millrace.',
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
  if (/^(CERT_|ERR_TLS_CERT|DEPTH_|SELF_SIGNED|UNABLE_TO)/.test(code)) {
    const hint = "Give its authority's certificate as ?ca=FILE, and in the URL the name that the certificate has."
    return make('transient', 'STORE_UNREACHABLE', `${where} was not believed: ${said}`, hint)
  }
  // A statement's name is known to another session than the one that is asked; and PgBouncer takes no options.
  if (code === '42P05' || code === '26000' || /unsupported startup parameter/i.test(said)) {
    const hint = 'A pooler stands in between: add pooler=transaction to the URL.'
    return make('schema', 'STORE_UNREACHABLE', `${where} is not reached by a session of its own: ${said}`, hint)
  }
  if (two === '08' || two === '57' || two === '53' || isOfSocket(error, code)) {
    return make(
      'transient',
      'STORE_UNREACHABLE',
      `${where} could not be reached: ${said}`,
      'Check that the server runs and takes connections.',
    )
  }
  // Where the server asks for a password and none was given, the driver says so without a code.
  if (two === '28' || code === '3D000' || /password must be a string/i.test(said)) {
    return make(
      'schema',
      'STORE_UNREACHABLE',
      `${where} refused the connection: ${said}`,
      "Check user, password and database in the store's URL.",
    )
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
  if (code.length === 5 && /^[0-9A-Z]+$/.test(code)) return make('schema', 'STORE_CONSTRAINT', `${where}: ${said}`)
  return error
}

function isOfSocket(error: unknown, code: string): boolean {
  if (
    /^(ECONN|ENOTFOUND|EAI_|ETIMEDOUT|EPIPE|EHOST|ENET|ENOENT|EACCES|CERT_|ERR_TLS|DEPTH_|SELF_SIGNED|UNABLE_TO)/.test(
      code,
    )
  )
    return true
  // The driver has no codes for its own sentences.
  return /Connection terminated|not queryable|connection timeout|timeout expired|server does not support SSL/i.test(
    message(error),
  )
}

function message(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(message).join('; ')
  return error instanceof Error ? error.message : String(error)
}
