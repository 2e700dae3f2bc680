/** A job that changes hands while a recovery waits for the row of another: it is its new worker's, and stays so. */
import { expect, test, vi } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { ASK_AGAIN_MS, WAITING_FOR_A_LOCK } from '../support/mysql-waits.ts'
import { describeOn, freshStoreUrl, migratedStore, SERVER_KINDS, type ServerKind } from '../support/servers.ts'
import { readTables } from '../support/tables.ts'
import { beginOn } from '../tx/begin.ts'

const LEASE_MS = 60_000
const WAIT = { timeout: 20_000, interval: ASK_AGAIN_MS }
/** Who waits for a row in the database or schema of the test. */
const WAITING: Readonly<Record<ServerKind, string>> = {
  postgres:
    "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%' || current_schema() || '%FOR UPDATE%'",
  mysql: WAITING_FOR_A_LOCK,
}

for (const kind of SERVER_KINDS) {
  await describeOn(kind, (server) => {
    test('recover takes nothing from another worker that has claimed the job meanwhile', async () => {
      const url = await freshStoreUrl(server)
      const { jobs } = await migratedStore(url)
      const [first, second] = [newJob(), newJob()]
      await jobs.insert([first, second])
      const claim = { workerId: 'dead', queues: 'all', names: ['job'], limit: 2, leaseMs: LEASE_MS } as const
      await jobs.exchange({ workerId: 'dead', settle: [], claim })
      const user = await beginOn(url)
      await jobs.insertWithin(user.tx, [{ ...newJob(), dependsOn: [{ parentId: first.id, policy: 'proceed' }] }])

      const recovering = jobs.recover('dead', [], 10)
      await vi.waitFor(
        async () => expect(await readTables(url, ({ rows }) => rows(WAITING[kind]))).toHaveLength(1),
        WAIT,
      )
      await jobs.exchange({ workerId: 'dead', settle: [{ id: second.id, epoch: 1, runMs: 1, to: 'pending' }] })
      const next = await jobs.exchange({ workerId: 'alive', settle: [], claim: { ...claim, workerId: 'alive' } })
      await user.end('commit')

      expect((await recovering).map(({ id }) => id)).toEqual([first.id])
      expect(next.claimed.map(({ id }) => id)).toEqual([second.id])
      expect(await jobs.get(second.id)).toMatchObject({ state: 'processing', workerId: 'alive', losses: 0 })
    })
  })
}

function newJob() {
  return { id: newId(), name: 'job', version: 1, queue: 'q', priority: 5, payload: Buffer.from('{}') }
}
