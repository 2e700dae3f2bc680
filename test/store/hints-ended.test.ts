/** A worker that finds all it asks for tells that jobs have ended now and then, and at the end; nobody is woken for each exchange. */
import type { RowDataPacket } from 'mysql2/promise'
import { expect, onTestFinished, test } from 'vitest'
import { claimRequest, newJob } from '../../src/store/conformance/fixture.ts'
import type { ClaimedJob } from '../../src/store/contract/index.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { describeOn, freshStoreUrl, migratedStore, SERVER_KINDS } from '../support/servers.ts'

const MS = 1_500
/** Within so long, in milliseconds, it is told meanwhile. */
const ENDED_MS = 200

for (const kind of SERVER_KINDS) {
  await describeOn(kind, (server) => {
    test('that jobs have ended is told now and then while there are more, and at once when there are none', async () => {
      const url = await freshStoreUrl(server)
      const [store, other] = [await migratedStore(url), await migratedStore(url)]
      await store.jobs.insert(Array.from({ length: 2_000 }, () => newJob()))
      let heard = 0
      onTestFinished(other.wake.subscribe(() => heard++))
      const told = kind === 'mysql' ? await hintsOf(url) : async () => heard
      let held: readonly ClaimedJob[] = []
      const exchange = async (limit: number) => {
        const settle = held.map(({ id, epoch }) => ({ id, epoch, runMs: 1, to: 'completed', result: null }) as const)
        const { claimed, settled } = await store.jobs.exchange({
          workerId: 'w',
          settle,
          claim: claimRequest({ workerId: 'w', limit }),
        })
        expect(settled.every((one) => one === 'settled')).toBe(true)
        held = claimed
      }
      await exchange(1)
      // Hints of the jobs themselves, and of listening.
      await expect.poll(() => heard, { timeout: 10_000 }).toBeGreaterThan(0)
      const begunAt = performance.now()
      const before = await told()
      let exchanges = 0
      while (performance.now() - begunAt < MS) {
        await exchange(1)
        exchanges++
      }
      const tookMs = performance.now() - begunAt
      expect(exchanges).toBeGreaterThan(20)
      const hints = (await told()) - before
      expect(hints).toBeGreaterThan(0)
      expect(hints).toBeLessThanOrEqual(tookMs / ENDED_MS + 4)

      await exchange(2_000)
      const atLast = await told()
      await exchange(2_000)
      expect(held).toEqual([])
      await expect.poll(told, { timeout: 10_000 }).toBeGreaterThan(atLast)
    })
  })
}

/** How many hints were given; a listener there hears also that another job is first in line. */
async function hintsOf(url: string): Promise<() => Promise<number>> {
  const client = await mysqlClient(url)
  return async () => {
    const [rows] = await client.query<RowDataPacket[]>('SELECT count FROM millrace_signal')
    return Number(rows[0]?.count)
  }
}
