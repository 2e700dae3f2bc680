/** Whether hints come through is asked of the way they take (src/store/postgres/hint-probe.ts): F-22, and a listener that is cut off unseen. */
import pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { diagnoseHints } from '../../src/store/postgres/hint-probe.ts'
import { postgresSettings } from '../../src/store/postgres/options.ts'
import { createPostgresStore } from '../../src/store/postgres/store.ts'
import { Wake } from '../../src/store/postgres/wake.ts'
import { lacks } from '../support/needs.ts'
import { pgbouncerProgram, startPgbouncer } from '../support/pgbouncer.ts'
import { describeOn, freshStoreUrl, migratedStore, type TestServer } from '../support/servers.ts'
import { startProxyTo } from '../support/tcp-proxy.ts'

/** When the next probe is sent, and by when it has to come back. */
const EACH_MS = 60_000
const ANSWER_MS = 5_000
const RETRY_MS = 60_000
const PATIENT = { timeout: 20_000 }

/** One turn of the event loop. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Something that listens at a URL, with a time of its own, and a session that sends what it should hear. */
async function listening(server: TestServer, url: string) {
  const clock = new ManualClock()
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  onTestFinished(() => client.end())
  const wake = new Wake(postgresSettings(url), clock)
  onTestFinished(() => wake.close())
  const seen = { hints: 0, probes: 0, isDeaf: false }
  wake.open(async (channel, payload) => {
    if (!seen.isDeaf) await client.query('SELECT pg_notify($1, $2)', [channel, payload])
    seen.probes++
  })
  const unsubscribe = wake.subscribe(() => seen.hints++)
  const notify = (channel: string, payload: string) => client.query('SELECT pg_notify($1, $2)', [channel, payload])
  const tell = (payload: string) => notify(`millrace:${new URL(url).searchParams.get('schema')}`, payload)
  /** Waits until so many probes were sent, then for as long as the last one may take. */
  const unanswered = async (probes: number) => {
    await expect.poll(() => seen.probes, PATIENT).toBe(probes)
    await turn()
    clock.advance(ANSWER_MS)
    await turn()
  }
  return { clock, wake, seen, notify, tell, unanswered, unsubscribe }
}

await describeOn('postgres', (server) => {
  test('hints that come back to their sender are relied on, and those of a probe wake nobody', async () => {
    const { clock, wake, seen, tell, unanswered } = await listening(server, await freshStoreUrl(server))
    await expect.poll(() => seen.probes, PATIENT).toBe(1)
    await expect.poll(() => seen.hints, PATIENT).toBe(1)

    await tell('probe of another process')
    await tell('news')

    await expect.poll(() => seen.hints, PATIENT).toBe(2)
    clock.advance(EACH_MS)
    await expect.poll(() => seen.probes, PATIENT).toBe(2)
    await tell('news')
    await expect.poll(() => seen.hints, PATIENT).toBe(3)
    await unanswered(2)
    await turn()
    expect([wake.delivers, seen.hints]).toEqual([true, 3])
  })

  test('where none comes back on two connections in a row nobody relies on them, until one does', async () => {
    const { clock, wake, seen, unanswered } = await listening(server, await freshStoreUrl(server))
    seen.isDeaf = true
    await unanswered(1)
    expect(wake.delivers).toBe(true)
    const again = async (ms: number, hints: number) => {
      // The connection that is given up tells its end, then the wait for another begins.
      await expect
        .poll(() => {
          clock.advance(ms)
          return seen.hints
        }, PATIENT)
        .toBe(hints)
    }
    await again(100, 2)
    await unanswered(2)
    expect(wake.delivers).toBe(false)
    // Whoever else begins to listen waits for the next try as well.
    wake.subscribe(() => undefined)

    seen.isDeaf = false
    await again(RETRY_MS, 3)

    await expect.poll(() => wake.delivers, PATIENT).toBe(true)
  })

  test('a listener whose connection was swallowed unseen listens on another', async () => {
    const { proxy, url } = await startProxyTo(await freshStoreUrl(server))
    const { clock, seen, tell, unanswered } = await listening(server, url)
    await expect.poll(() => seen.hints, PATIENT).toBe(1)
    await tell('news')
    await expect.poll(() => seen.hints, PATIENT).toBe(2)
    proxy.setSilent(true)
    clock.advance(EACH_MS)
    await unanswered(2)
    proxy.setSilent(false)

    // What came meanwhile is asked for as soon as it listens again.
    await expect
      .poll(() => {
        clock.advance(100)
        return seen.hints
      }, PATIENT)
      .toBe(3)
    await tell('news')
    await expect.poll(() => seen.hints, PATIENT).toBe(4)
  })

  test('who does not listen any more is not asked', async () => {
    const url = await freshStoreUrl(server)
    const { clock, seen, wake, unsubscribe } = await listening(server, url)
    await expect.poll(() => seen.probes, PATIENT).toBe(1)
    unsubscribe()

    clock.advance(EACH_MS)
    await turn()
    expect(seen.probes).toBe(1)
    wake.subscribe(() => undefined)
    await expect.poll(() => seen.probes, PATIENT).toBe(2)
  })

  test('what keeps doctor from asking is a finding of its own', async () => {
    const url = await freshStoreUrl(server)
    const away = new URL(url)
    away.port = '1'

    expect(await diagnoseHints(postgresSettings(away.href), async () => undefined)).toMatchObject([
      { code: 'HINTS_UNHEARD', message: expect.stringContaining('could not be reached') },
    ])
  })

  test('doctor says nothing where hints come through', async () => {
    const store = await migratedStore(await freshStoreUrl(server))

    expect((await store.diagnose()).map(({ code }) => code)).not.toContain('HINTS_UNHEARD')
  })
})

const program = pgbouncerProgram()
describe.skipIf(lacks('pgbouncer', program !== null))('a pooler that the URL does not name', async () => {
  if (program === null) return
  await describeOn('postgres', async (server) => {
    const strict = await startPgbouncer(program, server.url)
    const lax = await startPgbouncer(program, server.url, ['ignore_startup_parameters = options'])

    test('is named by the error that it answers with', async () => {
      const store = createPostgresStore({ url: untold(strict(await freshStoreUrl(server))) })
      onTestFinished(() => store.close())

      await expect(store.open()).rejects.toMatchObject({
        code: 'STORE_UNREACHABLE',
        hint: expect.stringContaining('pooler=transaction'),
      })
    })

    test('and takes LISTEN without ever telling is found by probes, and by doctor', async () => {
      const url = untold(lax(await freshStoreUrl(server)))
      const { clock, wake, seen, notify, unanswered } = await listening(server, url)
      await unanswered(1)
      await expect
        .poll(() => {
          clock.advance(100)
          return seen.hints
        }, PATIENT)
        .toBe(2)
      await unanswered(2)

      expect(wake.delivers).toBe(false)
      expect(await diagnoseHints(postgresSettings(url), notify)).toMatchObject([{ code: 'HINTS_UNHEARD' }])
    })
  })
})

function untold(url: string): string {
  const plain = new URL(url)
  plain.searchParams.delete('pooler')
  return plain.href
}
