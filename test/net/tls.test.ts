/** Servers that prove who they are, or do not: what is believed, and what is told about a password. */
import dns, { type LookupAddress } from 'node:dns'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createStore } from '../../src/runtime/store-url.ts'
import { hasOpenssl, makeCertificates } from '../support/certificates.ts'
import { lacks } from '../support/needs.ts'
import { describeOn, describeOnPrivate, freshStoreUrl, migratedStore, SERVER_KINDS } from '../support/servers.ts'

const NAME = 'db.test'
const PASSWORD = 'se@cret'
/** The parameter that says how far a certificate is believed; what it says for encrypted without that, and for in the clear. */
const BELIEF = {
  postgres: { name: 'sslmode', blind: 'require', off: 'disable' },
  mysql: { name: 'tls', blind: 'require', off: 'off' },
} as const
/** Makes a user with a password, who may connect from this machine's address only encrypted. */
const USER = {
  postgres: [`CREATE ROLE app LOGIN SUPERUSER PASSWORD '${PASSWORD}'`, 'SELECT pg_reload_conf()'],
  mysql: [
    `CREATE USER 'app'@'127.0.0.1' IDENTIFIED BY '${PASSWORD}' REQUIRE SSL`,
    "GRANT ALL ON *.* TO 'app'@'127.0.0.1'",
    `CREATE USER 'app'@'localhost' IDENTIFIED BY '${PASSWORD}'`,
    "GRANT ALL ON *.* TO 'app'@'localhost'",
  ],
} as const
/** Who may connect to PostgreSQL, and how. */
const POSTGRES_RULES = 'host all test 127.0.0.1/32 trust\nhostssl all app 127.0.0.1/32 scram-sha-256\n'

// As a name server would: these names are this machine.
beforeEach(() => {
  const lookup = dns.lookup
  const answer = (host: string, options: unknown, callback: (...results: unknown[]) => void) => {
    if (!host.endsWith('.test')) return Reflect.apply(lookup, dns, [host, options, callback])
    const all: readonly LookupAddress[] = [{ address: '127.0.0.1', family: 4 }]
    const wantsAll = typeof options === 'object' && options !== null && 'all' in options && options.all === true
    process.nextTick(() => (wantsAll ? callback(null, all) : callback(null, '127.0.0.1', 4)))
  }
  const spy = vi.spyOn(dns, 'lookup').mockImplementation(answer as typeof dns.lookup)
  onTestFinished(() => spy.mockRestore())
})

describe.skipIf(lacks('openssl', hasOpenssl()))('a server with a certificate', async () => {
  const files = hasOpenssl() ? makeCertificates(NAME) : null
  if (files === null) return
  const settings = {
    postgres: ['ssl=on', `ssl_cert_file=${files.cert}`, `ssl_key_file=${files.key}`],
    mysql: [`--ssl-cert=${files.cert}`, `--ssl-key=${files.key}`, '--skip-name-resolve'],
  }
  for (const kind of SERVER_KINDS) {
    await describeOnPrivate(
      kind,
      (server, machine) => {
        const { name: belief, blind, off } = BELIEF[kind]
        const urlAt = async (host: string, parameters: Readonly<Record<string, string>>) => {
          const url = new URL(await freshStoreUrl(server, parameters))
          url.hostname = host
          url.username = 'app'
          url.password = encodeURIComponent(PASSWORD)
          return url
        }
        /** Opens a store at this host with these parameters; the error that it met, or null. */
        const failureAt = async (host: string, parameters: Readonly<Record<string, string>>) => {
          const store = await createStore((await urlAt(host, parameters)).href)
          try {
            await store.open()
            await store.migrate()
            return null
          } catch (error) {
            return error
          } finally {
            await store.close()
          }
        }
        beforeAll(async () => {
          if (kind === 'postgres') writeFileSync(join(machine.folder, 'data', 'pg_hba.conf'), POSTGRES_RULES)
          await server.run(...USER[kind])
        })

        it('is believed by its name and its authority', async () => {
          expect(await failureAt(NAME, { ca: files.ca })).toBeNull()
        })

        it.each([
          ['an authority that nobody named', NAME, {}],
          ['another authority', NAME, { ca: files.otherCa }],
          ['another name', 'other.test', { ca: files.ca }],
        ])('is not believed with %s, by default', async (_, host, parameters) => {
          const error = await failureAt(host, parameters)

          expect(error).toMatchObject({
            code: 'STORE_UNREACHABLE',
            message: expect.stringContaining('was not believed'),
            hint: expect.stringContaining('?ca=FILE'),
          })
          expect(`${String(error)} ${JSON.stringify(error)}`).not.toMatch(/se(@|%40)cret/)
        })

        it('is spoken to in secret without being believed when asked to', async () => {
          expect(await failureAt('other.test', { [belief]: blind })).toBeNull()
        })

        it('elsewhere that is not believed is what diagnose warns of, and one that is believed is not', async () => {
          const warnings = async (url: URL) => {
            const found = await (await migratedStore(url.href)).diagnose()
            return found.filter(({ code }) => code === 'TLS_UNVERIFIED').map(({ message }) => message)
          }
          const plainly = async (host: string) => {
            const url = await urlAt(host, { [belief]: off })
            // The administrator may connect in the clear.
            ;[url.username, url.password] = [new URL(server.url).username, '']
            return url
          }

          expect(await warnings(await urlAt(NAME, { ca: files.ca }))).toEqual([])
          expect(await warnings(await urlAt('other.test', { [belief]: blind }))).toEqual([
            expect.stringContaining(`${belief}=${blind} whoever answers in its place is believed`),
          ])
          expect(await warnings(await plainly(NAME))).toEqual([
            expect.stringContaining(`${belief}=${off} whoever is on the way`),
          ])
          expect(await warnings(await plainly('127.0.0.1'))).toEqual([])
        })

        it('that wants no plain connection refuses one', async () => {
          expect(await failureAt(NAME, { [belief]: off })).toMatchObject({ kind: 'schema' })
        })

        it('does not let anybody in with a wrong password, and the password is not told', async () => {
          const url = new URL(await freshStoreUrl(server, { ca: files.ca }))
          url.hostname = NAME
          url.username = 'app'
          url.password = encodeURIComponent(`not-${PASSWORD}`)
          const store = await createStore(url.href)

          const error = await store.open().catch((reason: unknown) => reason)

          expect(error).toMatchObject({ kind: 'schema', code: 'STORE_UNREACHABLE' })
          expect(`${String(error)} ${JSON.stringify(error)} ${store.description}`).not.toMatch(/se(@|%40)cret/)
        })

        if (kind === 'postgres') {
          it('verify-ca believes another name', async () => {
            expect(await failureAt('other.test', { sslmode: 'verify-ca', ca: files.ca })).toBeNull()
            expect(await failureAt('other.test', { sslmode: 'verify-ca', ca: files.otherCa })).not.toBeNull()
          })

          it('does not pass for an address that its certificate does not have', async () => {
            const error = await failureAt('127.0.0.1', { sslmode: 'verify-full', ca: files.ca })

            expect(error).toMatchObject({ message: expect.stringContaining('was not believed') })
          })
        } else {
          it('is reached by its socket', async () => {
            expect(await failureAt('localhost', { socket: join(machine.folder, 'socket') })).toBeNull()
          })
        }
      },
      settings[kind],
    )
  }
})

for (const kind of SERVER_KINDS) {
  await describeOn(kind, (server) => {
    it('a server elsewhere without a certificate is refused by default', async () => {
      const url = new URL(server.freshUrl())
      url.hostname = NAME
      const store = await createStore(url.href)

      const error = await store.open().catch((reason: unknown) => reason)

      expect(error).toMatchObject({ code: 'STORE_UNREACHABLE' })
    })
  })
}
