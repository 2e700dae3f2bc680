/** Stores on PostgreSQL whose claims are large enough to go on for each other (src/store/postgres/front.ts). */
import type pg from 'pg'
import { expect, onTestFinished } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { newId } from '../../src/base/id.ts'
import type { ClaimRequest, NewJob, Store } from '../../src/store/contract/index.ts'
import { createPostgresStore } from '../../src/store/postgres/store.ts'
import { postgresStore } from './postgres-store.ts'
import type { TestServer } from './servers.ts'

/** What a claim asks for. */
export const ROWS = 64
export const CLAIM: ClaimRequest = { workerId: 'w', queues: 'all', names: ['job'], limit: ROWS, leaseMs: 30_000 }

/** Two stores on one schema, whose time stands still, and a session beside them. */
export interface TwoStores {
  readonly clock: ManualClock
  readonly store: Store
  readonly other: Store
  readonly client: pg.Client
  readonly schema: string
  /** How many fronts there are. */
  fronts(): Promise<number>
}

export function someJob(more: Partial<NewJob> = {}): NewJob {
  return { id: newId(), name: 'job', version: 1, queue: 'q', priority: 5, payload: Buffer.from('{}'), ...more }
}

export function jobs(count: number, more: Partial<NewJob> = {}): NewJob[] {
  return Array.from({ length: count }, () => someJob(more))
}

/** The ids of one claim. */
export async function claimed(store: Store, more: Partial<ClaimRequest> = {}): Promise<readonly string[]> {
  const claim = { ...CLAIM, ...more }
  const { claimed } = await store.jobs.exchange({ workerId: claim.workerId, settle: [], claim })
  return claimed.map(({ id }) => id)
}

/** Makes them. `through`: how both reach the server instead. */
export async function twoStores(server: TestServer, through = (url: string) => url): Promise<TwoStores> {
  const clock = new ManualClock()
  const { url, store, client, schema } = await postgresStore(server, clock, through)
  const other = createPostgresStore({ url, clock })
  await other.open()
  onTestFinished(() => other.close())
  const fronts = async () => Number((await client.query(`SELECT count(*) AS n FROM ${schema}.front`)).rows[0]?.n)
  return { clock, store, other, client, schema, fronts }
}

/** The first claim of a store begins at the head; the second, since that was full, leaves word of where it ended, behind itself. */
export async function goOn(
  { store, fronts }: Pick<TwoStores, 'store' | 'fronts'>,
  more: Partial<ClaimRequest> = {},
): Promise<void> {
  for (let i = 0; i < 2; i++) expect(await claimed(store, more)).toHaveLength(ROWS)
  await expect.poll(fronts).toBeGreaterThan(0)
}
