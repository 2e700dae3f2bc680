import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { expect, it, onTestFinished } from 'vitest'
import { isDisbelief, isOfNetwork, sentenceOf, unreachedError } from './network-error.ts'

const system = (code: string, syscall: string) => Object.assign(new Error(`${syscall} ${code}`), { code, syscall })
const coded = (code: string) => Object.assign(new Error('said'), { code })

it.each([
  system('ECONNREFUSED', 'connect'),
  system('EMFILE', 'connect'),
  system('ENFILE', 'socket'),
  system('ENOBUFS', 'connect'),
  system('EADDRNOTAVAIL', 'connect'),
  system('EPERM', 'connect'),
  system('EBADF', 'write'),
  system('EPROTO', 'write'),
  system('ENOTFOUND', 'getaddrinfo'),
  // Node adds words that no list here knows.
  system('ENEWWORD', 'connect'),
  coded('ETIMEDOUT'),
  coded('EAI_AGAIN'),
  coded('ERR_SSL_WRONG_VERSION_NUMBER'),
  coded('ERR_STREAM_DESTROYED'),
  Object.assign(coded('HANDSHAKE_SSL_ERROR'), { library: 'SSL routines', reason: 'wrong version number' }),
  new AggregateError([system('EMFILE', 'connect'), coded('x')]),
])('$message ($code, $library) is of the network', (error) => {
  expect(isOfNetwork(error)).toBe(true)
  expect(isDisbelief(error)).toBe(false)
})

it.each([coded('23505'), coded('ER_DUP_ENTRY'), coded('CERT_HAS_EXPIRED'), new TypeError('a bug'), null, 'a text'])(
  '%o is not',
  (error) => {
    expect(isOfNetwork(error)).toBe(false)
  },
)

it('what Node itself says of a port where nobody listens, and of TLS with one who speaks none, is of the network', async () => {
  const plain = createServer((socket) => socket.end('not TLS')).listen(0, '127.0.0.1')
  await once(plain, 'listening')
  onTestFinished(() => void plain.close())
  // A server that listens has a port.
  const { port } = plain.address() as AddressInfo
  const refused = once(connect(1, '127.0.0.1'), 'connect').catch((error: unknown) => error)
  const unspoken = once(connectTls(port, '127.0.0.1'), 'secureConnect').catch((error: unknown) => error)

  expect(await refused).toSatisfy(isOfNetwork)
  expect(await unspoken).toSatisfy(isOfNetwork)
})

it.each([
  'CERT_HAS_EXPIRED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
])('%s is disbelief', (code) => {
  expect(isDisbelief(coded(code))).toBe(true)
})

it('several that failed are told by their sentences, and the error carries nothing else of them', () => {
  const error = new AggregateError([coded('a'), Object.assign(coded('b'), { sql: 'SELECT secret' })], '')

  expect(sentenceOf(error)).toBe('said; said')
  expect(unreachedError(error.errors[1], 'db h')).toMatchObject({
    kind: 'transient',
    code: 'STORE_UNREACHABLE',
    message: 'db h could not be reached: said',
    fields: { store: 'db h', code: 'b' },
  })
  expect(JSON.stringify(unreachedError(error.errors[1], 'db h').cause)).not.toContain('secret')
})
