/** The stores that several processes can share, for tests that ask the same of each. */
import { describe } from 'vitest'
import { describeOn, freshStoreUrl, SERVER_KINDS } from './servers.ts'
import type { StoreKind } from './tables.ts'
import { tempStorePath } from './temp-store.ts'

/** Where a test makes stores of its own. */
export interface TestStores {
  readonly kind: StoreKind
  /** The URL of a store that does not exist yet and is removed after the test. Its calls wait a minute for others. */
  freshUrl(): Promise<string>
}

/** Declares tests on SQLite and on both servers; those of a server are skipped, or fail, as `describeOn` says. */
export async function describeOnEvery(declare: (stores: TestStores) => void): Promise<void> {
  describe('sqlite', () => {
    declare({ kind: 'sqlite', freshUrl: async () => `sqlite:${tempStorePath()}?durability=normal&busy=60s` })
  })
  for (const kind of SERVER_KINDS) {
    await describeOn(kind, (server) => {
      declare({ kind, freshUrl: () => freshStoreUrl(server, { deadline: '60s' }) })
    })
  }
}
