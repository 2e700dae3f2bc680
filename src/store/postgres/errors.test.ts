import { expect, it } from 'vitest'
import { ConfigError } from '../../core/errors.ts'
import { isCrowded, translateConnectError, translateError } from './errors.ts'

it('a password that the server asks for and the URL has not is a refused connection, with what to do', () => {
  const said = 'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'

  expect(translateError(new Error(said), 'postgres h:5432/d')).toMatchObject({
    kind: 'schema',
    code: 'STORE_UNREACHABLE',
    message: `postgres h:5432/d refused the connection: ${said}`,
    hint: expect.stringContaining('password'),
  })
})

it.each([
  ['08P01', 'unsupported startup parameter: options'],
  ['42P05', 'prepared statement "m0" already exists'],
  ['26000', 'prepared statement "m0" does not exist'],
])('a pooler that nobody told us of is named, with what to do: %s', (code, said) => {
  expect(translateError(Object.assign(new Error(said), { code }), 'postgres h:5432/d')).toMatchObject({
    kind: 'schema',
    code: 'STORE_UNREACHABLE',
    hint: expect.stringContaining('pooler=transaction'),
  })
})

const coded = (code: string, said = 'said') => Object.assign(new Error(said), { code })

it.each([
  ['EMFILE', 'connect'],
  ['EADDRNOTAVAIL', 'connect'],
  ['EPROTO', 'write'],
  // Five letters, as the server's own codes have.
  ['EPERM', 'connect'],
  ['EBADF', 'write'],
])('what the network or this machine says is transient, in the middle too: %s', (code, syscall) => {
  expect(translateError(Object.assign(coded(code), { syscall }), 'w')).toMatchObject({
    kind: 'transient',
    code: 'STORE_UNREACHABLE',
  })
})

it.each([
  'There was an error establishing an SSL connection',
  'Connection terminated unexpectedly',
  'Received unexpected commandComplete message from backend.',
])('what the driver says of a connection that is none is transient: %s', (said) => {
  expect(translateError(new Error(said), 'w')).toMatchObject({ kind: 'transient', code: 'STORE_UNREACHABLE' })
})

it.each([
  ['57014', 'canceling statement due to statement timeout'],
  ['25P03', 'terminating connection due to idle-in-transaction timeout'],
  ['25P04', 'terminating connection due to transaction timeout'],
])('what the server ends for the time it took is transient: %s', (code, said) => {
  expect(translateError(coded(code, said), 'w')).toMatchObject({
    kind: 'transient',
    code: 'STORE_BUSY',
    message: `w took too long: ${said}`,
  })
})

it('words of a caller that the server quotes are not taken for those of the driver', () => {
  const error = coded('22P02', 'invalid input syntax for type bigint: "Connection terminated"')

  expect(translateError(error, 'w')).toMatchObject({ kind: 'constraint' })
})

it('a certificate that is not believed is told as such', () => {
  expect(translateConnectError(coded('SELF_SIGNED_CERT_IN_CHAIN'), 'w')).toMatchObject({
    kind: 'transient',
    message: 'w was not believed: said',
    hint: expect.stringContaining('?ca=FILE'),
  })
})

it.each([coded('XX000', 'Tenant or user not found'), coded('57P03'), coded('CK001'), new TypeError('odd'), 'odd'])(
  'what nobody knows is met by another try when it comes of connecting: %o',
  (error) => {
    expect(translateConnectError(error, 'w')).toMatchObject({ kind: 'transient', code: 'STORE_UNREACHABLE' })
  },
)

it.each([
  coded('28P01'),
  coded('3D000'),
  coded('22023', 'invalid value for parameter "jit"'),
  coded('42704', 'unrecognized configuration parameter "enable_seqscan"'),
  new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a non-empty string'),
])('what needs a hand stays so when it comes of connecting: %o', (error) => {
  expect(translateConnectError(error, 'w')).toMatchObject({
    kind: 'schema',
    code: 'STORE_UNREACHABLE',
    message: `w refused the connection: ${error.message}`,
  })
})

it('our own errors come back as they are', () => {
  const own = new ConfigError('CONFIG_INVALID', 'pg is not installed')

  expect(translateConnectError(own, 'w')).toBe(own)
})

it.each([
  ['the server', '53300', 'sorry, too many clients already', true],
  ['PgBouncer', '08P01', 'no more connections allowed (max_client_conn)', true],
  ['PgBouncer, of a server that it cannot reach', '08P01', 'server login has been failing, try again later', false],
  ['somebody who quotes it', '22P02', 'no more connections allowed', false],
])('too many connections is what it is, whoever says so: %s', (_, code, said, crowded) => {
  const error = coded(code, said)

  expect(isCrowded(error)).toBe(crowded)
  expect(isCrowded(translateConnectError(error, 'w'))).toBe(crowded)
})
