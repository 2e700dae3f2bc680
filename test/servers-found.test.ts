/** What is said before all tests of the servers that they would need. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import setup, { type Search } from './servers-found.ts'
import { findServer } from './support/find-server.ts'
import { type ServerKind, serverOn } from './support/servers.ts'

const URLS: Readonly<Record<ServerKind, string>> = {
  postgres: 'postgres://test@127.0.0.1:1/test',
  mysql: 'mysql://root@127.0.0.1:1/mysql',
}
const said: string[] = []
const provide = vi.fn()
/** Both are there. Nobody connects to them. */
const whole: Search = {
  find: async (kind) => serverOn(kind, URLS[kind]),
  lackForPrivate: () => null,
  say: (line) => said.push(line),
}

beforeEach(() => {
  said.length = 0
  provide.mockClear()
  for (const name of ['POSTGRES_URL', 'MYSQL_URL']) vi.stubEnv(`MILLRACE_TEST_${name}`, '')
  vi.stubEnv('MILLRACE_REQUIRE', '')
})
afterEach(() => {
  vi.unstubAllEnvs()
})

test('nothing is said where both servers were found and private ones can be started', async () => {
  const close = await setup({ provide }, whole)
  await close()

  expect(said).toEqual([])
  expect(provide.mock.calls).toEqual([
    ['servers', { postgres: { url: URLS.postgres, lack: null }, mysql: { url: URLS.mysql, lack: null } }],
  ])
})

test.each([
  ['', 'Tests are skipped for want of a postgres server: none answers; of a mysql server: none answers.'],
  ['all', 'Tests fail for want of a postgres server: none answers; of a mysql server: none answers.'],
])('one line says what could not be had (MILLRACE_REQUIRE=%s)', async (required, line) => {
  vi.stubEnv('MILLRACE_REQUIRE', required)

  await setup({ provide }, { ...whole, find: async () => 'none answers' })

  expect(said).toEqual([line])
  const lack = (kind: ServerKind) => ({ url: null, lack: `a ${kind} server: none answers` })
  expect(provide.mock.calls).toEqual([['servers', { postgres: lack('postgres'), mysql: lack('mysql') }]])
})

test('a server that was found is shared where none of the tests’ own can be started, which is said', async () => {
  const lackForPrivate = (kind: ServerKind) => (kind === 'mysql' ? 'mariadbd is not installed' : null)

  await setup({ provide }, { ...whole, lackForPrivate })

  expect(said).toEqual(['Tests are skipped for want of a private mysql server: mariadbd is not installed.'])
  expect(provide.mock.calls[0]?.[1]).toMatchObject({ mysql: { url: URLS.mysql } })
})

test.each(['postgres', 'mysql'] as const)('a %s server that is named has to be there', async (named) => {
  const variable = `MILLRACE_TEST_${named.toUpperCase()}_URL`
  vi.stubEnv(variable, URLS[named])
  const find = (kind: ServerKind) => (kind === named ? findServer(kind) : whole.find(kind))

  await expect(setup({ provide }, { ...whole, find })).rejects.toThrow(`${variable} does not connect: `)

  expect(provide).not.toHaveBeenCalled()
})
