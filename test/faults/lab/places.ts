/** The stores that runs are made on: each run has one of its own, which is deleted after it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findServer } from '../../support/find-server.ts'
import { type ServerKind, serverOn, type TestServer } from '../../support/servers.ts'
import { kindOf, type StoreKind } from '../../support/tables.ts'

/** Where stores are made. */
export interface Place {
  readonly kind: StoreKind
  /** What `use` gives of a store that does not exist yet; it is deleted when that is done. */
  onFresh<T>(use: (url: string) => Promise<T>): Promise<T>
  /** Gives up what was connected to, or started. */
  close(): Promise<void>
}

/** A call waits so long for a lock: a process that was stopped may hold it. */
const PATIENT = { deadline: '90s' } as const

/** A folder for files. `durability`: as in a store's URL. */
export function filesPlace(durability: 'full' | 'normal'): Place {
  return {
    kind: 'sqlite',
    async onFresh(use) {
      const folder = mkdtempSync(join(tmpdir(), 'millrace-lab-'))
      const url = `sqlite:${join(folder, 'millrace.db')}?durability=${durability}&busy=90s`
      return use(url).finally(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
    },
    close: async () => undefined,
  }
}

/** A server's. */
export function serverPlace(server: TestServer): Place {
  return {
    kind: server.kind,
    async onFresh(use) {
      const url = server.freshUrl(PATIENT)
      await server.create(url)
      return use(url).finally(() => server.drop(url))
    },
    close: () => server.close(),
  }
}

/** By the name of a kind, or by the URL of a server; or why there is none. */
export async function placeNamed(store: string): Promise<Place | string> {
  if (store === 'sqlite') return filesPlace('full')
  const kinds: Readonly<Record<string, ServerKind>> = { postgres: 'postgres', mysql: 'mysql', mariadb: 'mysql' }
  const kind = kinds[store]
  if (kind !== undefined) {
    const found = await findServer(kind)
    return typeof found === 'string' ? found : serverPlace(found)
  }
  if (!URL.canParse(store)) return `${store} is neither sqlite, postgres, mysql nor the URL of a server`
  const named = kindOf(store)
  return named === 'sqlite'
    ? 'each run on SQLite has a file of its own: write --store sqlite'
    : serverPlace(serverOn(named, store))
}
