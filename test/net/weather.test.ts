/** F-16: a network that is slow, uneven or rude. */
import { expect, it, vi } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { describeOn, freshStoreUrl, SERVER_KINDS } from '../support/servers.ts'
import { startProxyTo, type Weather } from '../support/tcp-proxy.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const LEASE_MS = LONG ? 20_000 : 3_000
const WORK = { lease: `${LEASE_MS}ms`, heartbeat: `${LEASE_MS / 15}ms`, poll: '20ms' } as const
const WAIT = { timeout: 60_000 }
/**
 * How much later each way. A new connection to MySQL asks and prepares a dozen times before its first claim is through, so
 * that a lease of 3 s is none to use over 50 ms; the long form has a lease for that.
 */
const LATE_MS = LONG ? 150 : 20
const WEATHERS: Readonly<Record<string, Weather>> = {
  [`${LATE_MS} ms late`]: { delayMs: LATE_MS },
  [`up to ${LATE_MS} ms late`]: { jitterMs: LATE_MS },
  'in drops of 64 bytes': { delayMs: 1, pieceBytes: 64 },
}

for (const kind of SERVER_KINDS) {
  await describeOn(kind, (server) => {
    it('a slow, an uneven and a dripping network cost no lease', async () => {
      const faults = await Promise.all(
        Object.entries(WEATHERS).map(async ([name, weather]) => {
          const { proxy, url } = await startProxyTo(await freshStoreUrl(server))
          const mill = await openMill({ store: url })
          const lost: string[] = []
          mill.on('lease.lost', ({ jobId }) => lost.push(jobId))
          let running = 0
          const release = Promise.withResolvers<void>()
          const long = defineJob({
            name: 'long',
            run: () => {
              running++
              return release.promise
            },
          })
          mill.work([long], WORK)
          proxy.setWeather(weather)
          const before = proxy.bytes.down

          const jobs = await mill.enqueueMany(long, Array(4).fill(undefined))
          await vi.waitFor(() => expect(running).toBe(4), WAIT)
          // Held for longer than a lease: by heartbeats alone.
          const end = performance.now() + LEASE_MS * 1.2
          await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(end), WAIT)
          release.resolve()
          await Promise.all(jobs.map((job) => job.result({ timeout: '60s' })))

          expect(proxy.bytes.down).toBeGreaterThan(before)
          const histories = await Promise.all(jobs.map(async ({ id }) => (await mill.get(id))?.history ?? []))
          const outcomes = histories.flat().map(({ outcome }) => outcome)
          return lost.length === 0 && outcomes.join() === 'completed,completed,completed,completed'
            ? []
            : [`${name}: ${lost.length} leases lost, outcomes ${outcomes.join()}`]
        }),
      )

      expect(faults.flat()).toEqual([])
    }, 120_000)

    for (const how of ['end', 'reset', 'half'] as const) {
      it(`goes on by itself when its connections are cut (${how})`, async () => {
        const { proxy, url } = await startProxyTo(await freshStoreUrl(server))
        const mill = await openMill({ store: url })
        const quick = defineJob({ name: 'quick', run: (input: number) => input })
        mill.work([quick], WORK)
        expect(await (await mill.enqueue(quick, 0)).result({ timeout: '20s' })).toBe(0)

        for (let round = 1; round <= 2; round++) {
          expect(proxy.cut(how)).toBeGreaterThan(0)
          const job = await vi.waitFor(() => mill.enqueue(quick, round), WAIT)
          expect(await job.result({ timeout: '20s' })).toBe(round)
        }
      })
    }
  })
}
