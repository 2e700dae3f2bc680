/** What `Store.diagnose` finds, for the tests of each kind of store. */
import { expect, it } from 'vitest'
import type { DiagnosisLimits, Store } from '../../src/store/contract/index.ts'
import { freshStoreUrl, migratedStore, type TestServer } from './servers.ts'

/** The first finding with this code, and these words in its message. */
export async function finding(store: Store, code: string, limits: Partial<DiagnosisLimits> = {}, says = '') {
  const found = await store.diagnose(limits)
  return found.find((one) => one.code === code && one.message.includes(says))
}

/** The first answer that is one. Not asked all the time: MySQL shows its transactions anew only after 100 ms without a look. */
export async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>()
  const isFound = async () => {
    const answer = await ask()
    if (answer !== undefined) resolve(answer)
    return answer !== undefined
  }
  await expect.poll(isFound, { timeout: 20_000, interval: 250 }).toBe(true)
  return promise
}

/** Declares it for a server that takes 20 connections, of which PostgreSQL keeps 3; a program with a pool of five takes `own`, and a fifth is to be left. */
export function findsTooFewConnections(server: TestServer, own: number): void {
  it('more live programs than there are connections for, until one is gone', async () => {
    const store = await migratedStore(await freshStoreUrl(server, { pool: '5' }))
    const { cluster } = store
    const beat = (pid: number, worker: string) => cluster.beat({ ...NODE, pid, id: `${pid} ${worker}` })
    for (const worker of ['a', 'b', 'c']) await beat(1, worker)
    await beat(2, 'a')
    expect(await finding(store, 'CONNECTIONS_FEW')).toBeUndefined()

    await beat(3, 'a')

    const message = expect.stringMatching(new RegExp(`^3 programs .* ${own} connections each, ${3 * own} of (17|20):`))
    expect(await finding(store, 'CONNECTIONS_FEW')).toMatchObject({ severity: 'warning', message })
    await cluster.remove('3 a')
    expect(await finding(store, 'CONNECTIONS_FEW')).toBeUndefined()
  })
}

const ABOUT = { host: 'h', version: '1', names: [], queues: null, concurrency: 1, running: 0 }
const NODE = { ...ABOUT, node: null, status: 'running', health: null } as const
