/** F-21: the server takes no writes for a while, as a primary that has become a replica. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { defineJob } from '../../src/index.ts'
import { healthOfWorker } from '../../src/runtime/health.ts'
import { openMill } from '../support/mill.ts'
import { type Outsider, outsiderOn } from '../support/outsider.ts'
import { freshStoreUrl, type TestServer } from '../support/servers.ts'
import { tally } from '../support/tally.ts'

const WAIT = { timeout: 20_000 }
/** By how much a worker's clock goes on between two looks at how it is: far less than it waits for, each time. */
const STEP_MS = 250
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
    const mill = await openMill({ store: await ordinaryUrl(server, url, outsider) })
    const failures: unknown[] = []
    mill.on('store.failed', ({ error }) => failures.push(error))
    mill.work([job], { lease: '5s', heartbeat: '50ms', poll: '20ms', restart: true })
    const before = await mill.enqueue(job, 1)
    expect(await before.result({ timeout: '20s' })).toBe(1)

    await outsider.run(...SWITCH[server.kind].off)

    const refused = { kind: 'transient', code: 'STORE_READ_ONLY' }
    await vi.waitFor(() => expect(mill.enqueue(job, 2)).rejects.toMatchObject(refused), WAIT)
    await vi.waitFor(() => expect(failures).not.toEqual([]), WAIT)
    await outsider.run(...SWITCH[server.kind].on)
    const after = await vi.waitFor(() => mill.enqueue(job, 3), WAIT)
    expect(await after.result({ timeout: '20s' })).toBe(3)
    tally({ jobs: 2, 'refused writes': failures.length })
    for (const error of failures) expect(error).toMatchObject(refused)
  })

  test('a worker without work is not ready while the server takes no writes, and after three leases ends, unless it goes on by itself', async () => {
    const url = await freshStoreUrl(server)
    const outsider = await outsiderOn(url)
    onTestFinished(() => outsider.run(...SWITCH[server.kind].on))
    const store = await ordinaryUrl(server, url, outsider)
    const clock = new ManualClock(Date.now())
    const [watched, ending] = [await openMill({ store, clock }), await openMill({ store })]
    const worker = watched.work([job], { poll: '20ms', restart: true })
    const ended = ending.work([job], { lease: '1s', poll: '20ms' }).done
    const stateOfStore = () => {
      clock.advance(STEP_MS)
      const { isReady, checks } = healthOfWorker(worker)
      return { isReady, detail: checks.find(({ name }) => name === 'store')?.detail }
    }
    const well = { isReady: true, detail: expect.stringContaining('it answered') }
    await (await ending.enqueue(job, 1)).result({ timeout: '20s' })
    await vi.waitFor(() => expect(stateOfStore()).toEqual(well), WAIT)

    await outsider.run(...SWITCH[server.kind].off)

    const refused = { isReady: false, detail: expect.stringMatching(/no writes for .* \(STORE_READ_ONLY\)/) }
    await vi.waitFor(() => expect(stateOfStore()).toEqual(refused), WAIT)
    const unreachable = { code: 'STORE_UNREACHABLE', message: expect.stringContaining('no writes for 3000 ms') }
    await expect(ended).rejects.toMatchObject(unreachable)
    await outsider.run(...SWITCH[server.kind].on)
    await vi.waitFor(() => expect(stateOfStore()).toEqual(well), WAIT)
    tally({ 'workers told': 2 })
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
    tally({ jobs: 1, 'refused writes': 3 })
    expect((await near.count({})).count).toBe(1)
  })
}

/** The URL of the store for somebody whom such a server refuses. */
async function ordinaryUrl({ kind }: TestServer, url: string, { run }: Outsider): Promise<string> {
  return kind === 'mysql' ? await asOrdinaryUser(url, run) : url
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
