/** F-21: the server takes no writes for a while, as a primary that has become a replica. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { outsiderOn } from '../support/outsider.ts'
import { freshStoreUrl, type TestServer } from '../support/servers.ts'

const WAIT = { timeout: 20_000 }
const job = defineJob({ name: 'job', run: (input: number) => input })
/** Statements that make the server refuse writes, and take them again. */
const SWITCH = {
  postgres: {
    off: ['ALTER SYSTEM SET default_transaction_read_only = on', 'SELECT pg_reload_conf()'],
    on: ['ALTER SYSTEM RESET default_transaction_read_only', 'SELECT pg_reload_conf()'],
  },
  mysql: { off: ['SET GLOBAL read_only = 1'], on: ['SET GLOBAL read_only = 0'] },
} as const

/** Statements after which new sessions take no writes while those that are open go on, and the same undone. */
const FOR_NEW = {
  postgres: {
    off: ['ALTER DATABASE postgres SET default_transaction_read_only = on'],
    on: ['ALTER DATABASE postgres RESET default_transaction_read_only'],
  },
  mysql: { off: ['SET GLOBAL tx_read_only = 1'], on: ['SET GLOBAL tx_read_only = 0'] },
} as const

/** Declares the tests. */
export function readOnlyCases(server: TestServer): void {
  test('a server that takes no writes is said to be read-only, and work goes on by itself when it takes them again', async () => {
    const url = await freshStoreUrl(server)
    const outsider = await outsiderOn(url)
    onTestFinished(() => outsider.run(...SWITCH[server.kind].on))
    const mill = await openMill({ store: server.kind === 'mysql' ? await asOrdinaryUser(url, outsider.run) : url })
    const failures: unknown[] = []
    mill.on('store.failed', ({ error }) => failures.push(error))
    mill.work([job], { lease: '5s', heartbeat: '50ms', poll: '20ms', restart: true })
    const before = await mill.enqueue(job, 1)
    expect(await before.result({ timeout: '20s' })).toBe(1)

    await outsider.run(...SWITCH[server.kind].off)

    const refused = { kind: 'transient', code: 'STORE_READ_ONLY' }
    await vi.waitFor(() => expect(mill.enqueue(job, 2)).rejects.toMatchObject(refused), WAIT)
    await outsider.run(...SWITCH[server.kind].on)
    const after = await vi.waitFor(() => mill.enqueue(job, 3), WAIT)
    expect(await after.result({ timeout: '20s' })).toBe(3)
    for (const error of failures) expect(error).toMatchObject(refused)
  })

  test('connections that stay read-only while new ones are not, as after a switch to another server, are given up', async () => {
    const url = await freshStoreUrl(server)
    const outsider = await outsiderOn(url)
    onTestFinished(() => outsider.run(...FOR_NEW[server.kind].on))
    const near = await openMill({ store: url })
    await outsider.run(...FOR_NEW[server.kind].off)
    const mill = await openMill({ store: url })
    mill.work([job], { poll: '20ms', restart: true })
    const refused = { kind: 'transient', code: 'STORE_READ_ONLY' }
    for (let calls = 0; calls < 3; calls++) await expect(mill.enqueue(job, 1)).rejects.toMatchObject(refused)

    await outsider.run(...FOR_NEW[server.kind].on)

    const after = await vi.waitFor(() => mill.enqueue(job, 2), WAIT)
    expect(await after.result({ timeout: '20s' })).toBe(2)
    expect((await near.count({})).count).toBe(1)
  })
}

/** The URL for somebody else: an administrator of MySQL writes whatever `read_only` says. */
export async function asOrdinaryUser(
  url: string,
  run: (...statements: readonly string[]) => Promise<void>,
): Promise<string> {
  const ordinary = new URL(url)
  const user = `'app'@'127.0.0.1'`
  await run(`CREATE OR REPLACE USER ${user}`, `GRANT ALL ON ${ordinary.pathname.slice(1)}.* TO ${user}`)
  ordinary.username = 'app'
  return ordinary.href
}
