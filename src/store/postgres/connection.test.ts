/** What connecting meets before there is a session, from servers that say no more than one thing. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { Connection } from './connection.ts'
import { postgresSettings } from './options.ts'

const TENANT = 'Tenant or user not found'

it.each([
  ['that answers to TLS with an error', 'require', ['E']],
  ['that promises TLS and speaks none', 'require', ['S', 'not TLS at all']],
  ['of a code that nobody knows', 'disable', [fatal('XX000', TENANT)]],
  ['that ends at once', 'disable', []],
])('a server %s is out of reach, and may be in reach the next time', async (_, sslmode, answers) => {
  const opening = Connection.open(postgresSettings(await serverSaying(answers, sslmode)), 10_000)

  await expect(opening).rejects.toMatchObject({ kind: 'transient', code: 'STORE_UNREACHABLE' })
})

it.each([
  ['28P01', 'password authentication failed for user "u"'],
  ['42704', 'unrecognized configuration parameter "enable_seqscan"'],
])('a server that refuses is told as such: %s', async (code, said) => {
  const opening = Connection.open(postgresSettings(await serverSaying([fatal(code, said)], 'disable')), 10_000)

  await expect(opening).rejects.toMatchObject({
    kind: 'schema',
    message: expect.stringContaining(`refused the connection: ${said}`),
  })
})

/** The URL of a server that gives these answers, one to each message, and then ends. */
async function serverSaying(answers: readonly (string | Buffer)[], sslmode: string): Promise<string> {
  const server = createServer((socket) => {
    const left = [...answers]
    socket.on('error', () => undefined)
    socket.on('data', () => {
      const answer = left.shift()
      if (answer !== undefined) socket.write(answer)
      if (left.length === 0) socket.end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  // A server that listens has a port.
  const { port } = server.address() as AddressInfo
  return `postgres://u@127.0.0.1:${port}/d?sslmode=${sslmode}`
}

/** An ErrorResponse (https://www.postgresql.org/docs/current/protocol-error-fields.html). */
function fatal(code: string, said: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${said}\0\0`)
  const head = Buffer.from('E\0\0\0\0')
  head.writeInt32BE(fields.length + 4, 1)
  return Buffer.concat([head, fields])
}
