/** F-18: the app leaks connections until the server takes no more. */
import mysql from 'mysql2/promise'
import pg from 'pg'
import { expect, onTestFinished, test, vi } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { freshStoreUrl, type TestServer } from '../support/servers.ts'
import { tally } from '../support/tally.ts'

const LEAKY = 20
const LEASE_MS = 3_000
const WORK = { lease: `${LEASE_MS}ms`, heartbeat: '500ms', poll: '20ms', concurrency: LEAKY + 5 } as const
const WAIT = { timeout: 30_000, interval: 10 }

/** Declares the test. */
export function leakCases(server: TestServer): void {
  test(`connections that ${LEAKY} handlers leak until the server takes no more cost no lease`, async () => {
    const url = await freshStoreUrl(server, { pool: '2' })
    const mill = await openMill({ store: url })
    const lost: string[] = []
    mill.on('lease.lost', ({ jobId }) => lost.push(jobId))
    const leaked: (() => Promise<void>)[] = []
    const giveBack = async () => void (await Promise.all(leaked.splice(0).map((end) => end())))
    onTestFinished(giveBack)
    const end = Promise.withResolvers<void>()
    const refusals: unknown[] = []
    const leaky = defineJob({
      name: 'leaky',
      run: async () => {
        // Whatever it gets it keeps.
        while (refusals.length === 0)
          await leak(url).then(
            (one) => leaked.push(one),
            (error) => refusals.push(error),
          )
        await end.promise
      },
    })
    const quick = defineJob({ name: 'quick', run: (input: number) => input })
    const jobs = await mill.enqueueMany(leaky, Array(LEAKY).fill(undefined))
    // Both connections of the store's pool are there before the others come.
    await Promise.all(Array.from({ length: 4 }, () => mill.count({})))
    mill.work([leaky, quick], WORK)
    await vi.waitFor(() => expect(refusals).not.toEqual([]), WAIT)

    // Time has to pass here: a lease that was not extended without a free connection would end meanwhile.
    const over = performance.now() + 1.2 * LEASE_MS
    await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(over), WAIT)
    expect(String(refusals[0])).toMatch(/too many (clients|connections)/i)
    expect(await (await mill.enqueue(quick, 7)).result({ timeout: '20s' })).toBe(7)
    await giveBack()
    end.resolve()
    await Promise.all(jobs.map((job) => job.result({ timeout: '20s' })))

    tally({ jobs: LEAKY + 1, 'refused connections': refusals.length })
    expect(lost).toEqual([])
    for (const { id } of jobs) expect((await mill.get(id))?.history).toMatchObject([{ outcome: 'completed' }])
  }, 90_000)
}

/** Connects and gives what ends it. */
async function leak(url: string): Promise<() => Promise<void>> {
  const { protocol, hostname, port, username, pathname } = new URL(url)
  const place = { host: hostname, port: Number(port), user: username, database: pathname.slice(1) }
  if (protocol === 'mysql:') {
    const connection = await mysql.createConnection(place)
    connection.on('error', () => undefined)
    return () => connection.end()
  }
  const client = new pg.Client(place)
  client.on('error', () => undefined)
  await client.connect()
  return () => client.end()
}
