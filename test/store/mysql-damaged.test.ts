/** Rows that no Millrace wrote: one that cannot be read ends as failed when its turn comes, and leaves nothing behind in the line. */
import type { RowDataPacket } from 'mysql2/promise'
import { expect, it } from 'vitest'
import { claimRequest, newJob } from '../../src/store/conformance/fixture.ts'
import type { ClaimedJob, JobsFacet } from '../../src/store/contract/index.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { borrowedStoreUrl, describeOn, migratedStore } from '../support/servers.ts'
import { tally } from '../support/tally.ts'

const BEYOND = '9223372036854775807'
/** What a hostile hand sets, on a job that waits. */
const UNREADABLE = [
  `version = ${BEYOND}`,
  `created_at = ${BEYOND}`,
  `run_at = -${BEYOND}`,
  `created_at = -${BEYOND}, run_at = -${BEYOND}`,
  `timeout_ms = ${BEYOND}`,
  "tags = '{'",
  `tags = '{"a":1}'`,
  "tags = '[1]'",
]

await describeOn('mysql', (server) => {
  it.each([
    ['together', 100],
    ['one by one', 1],
  ] as const)(
    'claimed %s, a job that cannot be read fails, its place is gone, and those beside it are claimed',
    async (_, limit) => {
      const url = await borrowedStoreUrl(server)
      const { jobs } = await migratedStore(url)
      const client = await mysqlClient(url)
      for (const damage of UNREADABLE) {
        const [bad, good] = [newJob(), newJob()]
        await jobs.insert([bad, good])
        // allow sql: the damages of this file
        await client.query(`UPDATE millrace_job j SET ${damage} WHERE j.id = ?`, [bad.id])
        await client.query('UPDATE millrace_ready r JOIN millrace_job j ON j.id = r.id SET r.run_at = j.run_at')

        const claimed = await claimAll(jobs, limit)
        const [places] = await client.query<RowDataPacket[]>('SELECT id FROM millrace_ready')

        expect([damage, claimed.map(({ id }) => id)]).toEqual([damage, [good.id]])
        expect([damage, places]).toEqual([damage, []])
        expect(await jobs.get(bad.id)).toMatchObject({ state: 'failed', reason: 'unreadable' })
        tally({ jobs: 2, 'rows damaged': 1 })
      }
    },
  )
})

/** Claims until there is nothing left, a few times at most. */
async function claimAll(jobs: JobsFacet, limit: number): Promise<readonly ClaimedJob[]> {
  const all: ClaimedJob[] = []
  for (let i = 0; i < 4; i++) {
    const { claimed, more } = await jobs.exchange({ workerId: 'w1', settle: [], claim: claimRequest({ limit }) })
    all.push(...claimed)
    if (!more) break
  }
  return all
}

/** What somebody sets by hand and leaves the place in the line as it was, and what then puts the job where it stands already. */
const MOVED = [
  ['state = 1', 'promote'],
  ['state = 4', 'promote'],
  ["state = 3, worker_id = 'w', lease_until = 1", 'reclaim'],
  ["state = 0, reason = 'key', blocked_on = 'k'", 'unblock'],
] as const

await describeOn('mysql', (server) => {
  it('a job that has its place already holds up none of those that are given theirs with it', async () => {
    const url = await borrowedStoreUrl(server)
    const { jobs } = await migratedStore(url)
    const client = await mysqlClient(url)
    for (const [damage, duty] of MOVED) {
      const bad = newJob()
      await jobs.insert([bad])
      // allow sql: the damages of this file
      await client.query(`UPDATE millrace_job SET ${damage} WHERE id = ?`, [bad.id])

      if (duty === 'promote') expect([damage, await jobs.promote(10)]).toEqual([damage, 1])
      else if (duty === 'unblock') expect([damage, await jobs.unblock(['k'], 10)]).toEqual([damage, 1])
      else expect(await jobs.reclaim(10)).toMatchObject([{ id: bad.id, to: 'pending' }])

      const { claimed } = await jobs.exchange({ workerId: 'w1', settle: [], claim: claimRequest() })
      expect([damage, claimed.map(({ id }) => id)]).toEqual([damage, [bad.id]])
    }
  })
})
