/** A fresh store on PostgreSQL beside a session that reads and writes its tables behind its back. */
import pg from 'pg'
import { onTestFinished } from 'vitest'
import type { Clock } from '../../src/base/clock.ts'
import type { Store } from '../../src/store/contract/index.ts'
import { createPostgresStore } from '../../src/store/postgres/store.ts'
import { freshStoreUrl, type TestServer } from './servers.ts'

/** The store, migrated, and the session. Both end with the test. */
export interface PostgresStore {
  readonly url: string
  readonly store: Store
  readonly client: pg.Client
  /** The name of its schema, and the same as SQL takes it. */
  readonly schemaName: string
  readonly schema: string
}

/** Makes one. `clock`: the time that the store goes by instead of the server's. `through`: how it reaches the server instead. */
export async function postgresStore(
  server: TestServer,
  clock?: Clock,
  through = (url: string) => url,
): Promise<PostgresStore> {
  const url = through(await freshStoreUrl(server))
  const store = createPostgresStore({ url, ...(clock !== undefined && { clock }) })
  await store.open()
  onTestFinished(() => store.close())
  await store.migrate()
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  onTestFinished(() => client.end())
  const schemaName = new URL(url).searchParams.get('schema') ?? ''
  return { url, store, client, schemaName, schema: pg.escapeIdentifier(schemaName) }
}
