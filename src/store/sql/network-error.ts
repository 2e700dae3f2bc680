/**
 * What the errors of all drivers have in common: what Node, its TLS and the operating system say of a connection. They are known
 * by what they are and not one by one: a word that is missing from a list would end a worker for good.
 */
import { constants } from 'node:os'
import { StoreError } from '../../core/errors.ts'

/** The code of an error: a word of Node's or the driver's, or the server's own; empty when it has none. */
export function codeOf(error: unknown): string {
  return textOf(error, 'code')
}

/** The sentence of an error; of one that gathers several, theirs. */
export function sentenceOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(sentenceOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}

/** Whether the network failed, or this machine on its way there (it is out of sockets, say): nothing that the server said. */
export function isOfNetwork(error: unknown): boolean {
  if (error instanceof AggregateError && error.errors.some(isOfNetwork)) return true
  const code = codeOf(error)
  if (textOf(error, 'syscall') !== '' || Object.hasOwn(constants.errno, code)) return true
  // Of names of hosts, of streams and TLS, and of the library beneath TLS, which tells its name where a driver replaces its code.
  return /^(ENOTFOUND$|EAI_|ERR_(STREAM|SOCKET|TLS|SSL|OSSL)_)/.test(code) || textOf(error, 'library') !== ''
}

/** Whether the server showed a certificate that is not believed (https://nodejs.org/api/tls.html#x509-certificate-error-codes). */
export function isDisbelief(error: unknown): boolean {
  return /^(CERT_|CRL_|DEPTH_|ERR_TLS_CERT|ERROR_IN_C|HOSTNAME_|INVALID_(CA|PURPOSE)|PATH_LENGTH|SELF_SIGNED|UNABLE_TO)/.test(
    codeOf(error),
  )
}

/** The error of a server that could not be reached, or was not any more. `where`: the server for people, without secrets. */
export function unreachedError(error: unknown, where: string): StoreError {
  const code = codeOf(error)
  const said = sentenceOf(error)
  return new StoreError('transient', 'STORE_UNREACHABLE', `${where} could not be reached: ${said}`, {
    fields: { store: where, code },
    // What a driver's error carries beside its sentence may quote rows, or the statement.
    cause: Object.assign(new Error(said), { code }),
    hint: 'Check that the server runs and takes connections.',
  })
}

function textOf(error: unknown, field: 'code' | 'syscall' | 'library'): string {
  if (typeof error !== 'object' || error === null) return ''
  const value: unknown = Reflect.get(error, field)
  return typeof value === 'string' ? value : ''
}
