/** The stores that several processes can share, for tests that ask the same of each. */
import { describe } from 'vitest'
import { describeOn, freshStoreUrl, SERVER_KINDS, type TestServer } from './servers.ts'
import type { StoreKind } from './tables.ts'
import { tempStorePath } from './temp-store.ts'

const PATIENT = { deadline: '60s' } as const

/** Where a test makes stores of its own. The calls of each wait a minute for others. */
export interface TestStores {
  readonly kind: StoreKind
  /** The URL of a store that does not exist yet and is removed after the test. */
  freshUrl(): Promise<string>
  /** What `use` gives of such a store, which is removed when it is done: for tests that need very many. */
  onFresh<T>(use: (url: string) => Promise<T>): Promise<T>
  /** The same of an empty store whose tables another may have made: making them takes longer than most tests. */
  onEmpty<T>(use: (url: string) => Promise<T>): Promise<T>
}

/** Declares tests on SQLite and on both servers; those of a server are skipped, or fail, as `describeOn` says. */
export async function describeOnEvery(declare: (stores: TestStores) => void): Promise<void> {
  describe('sqlite', () => declare(files()))
  for (const kind of SERVER_KINDS) await describeOn(kind, (server) => declare(storesOf(server)))
}

function files(): TestStores {
  const freshUrl = async () => `sqlite:${tempStorePath()}?durability=normal&busy=60s`
  const onFresh: TestStores['onFresh'] = async (use) => use(await freshUrl())
  return { kind: 'sqlite', freshUrl, onFresh, onEmpty: onFresh }
}

function storesOf(server: TestServer): TestStores {
  return {
    kind: server.kind,
    freshUrl: () => freshStoreUrl(server, PATIENT),
    async onFresh(use) {
      const url = server.freshUrl(PATIENT)
      await server.create(url)
      return use(url).finally(() => server.drop(url))
    },
    async onEmpty(use) {
      const url = server.borrowUrl()
      await server.create(url)
      return use(url).finally(() => server.giveBack(url))
    },
  }
}
