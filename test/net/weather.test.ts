/** F-16: a network that is slow, uneven or rude. */
import { expect, it, vi } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { describeOn, freshStoreUrl, SERVER_KINDS, type ServerKind, type TestServer } from '../support/servers.ts'
import { tally } from '../support/tally.ts'
import { startProxyTo, type Weather } from '../support/tcp-proxy.ts'
import { HELD, type Hold, holdUnder } from './held-jobs.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const WAIT = { timeout: 60_000 }
const SHORT_LEASE_MS = 3_000
/** A lease that bad weather costs, and what a busy machine may add to a timer. */
const LEASE_MS = 1_000
const SLACK_MS = 2_000
const GENTLE: Readonly<Record<string, Weather>> = {
  '40 ms late': { delayMs: 20 },
  'up to 40 ms late': { jitterMs: 20 },
  'in drops of 64 bytes': { delayMs: 1, pieceBytes: 64 },
}
/** How much later a server answers, both ways together. */
const LATE_MS = LONG ? [50, 200, 1_000, 5_000] : [1_000]
/**
 * A lease that no such lateness costs a running job, in round trips: extending takes one, three beats fit into a lease, and a job
 * that ends has to be settled within its own, which takes one on PostgreSQL and three on MySQL, where the driver sends one
 * statement after the other.
 */
const ROUND_TRIPS: Readonly<Record<ServerKind, number>> = { postgres: 3.3, mysql: 6 }
/**
 * The same for jobs that are claimed from there as well. On MySQL a first claim that looks before it begins asks and prepares
 * eleven times, and the lease is extended two trips later: seen at 13 of them, on a busy machine more.
 */
const ROUND_TRIPS_OF_CLAIM: Readonly<Record<ServerKind, number>> = { postgres: 5, mysql: 20 }
const LATE_CLAIM_MS: Readonly<Record<ServerKind, readonly number[]>> = {
  postgres: LATE_MS,
  mysql: LONG ? LATE_MS : [200],
}
/**
 * How long a call may take from so far, where not the default. Connecting takes eight round trips on MySQL, and may take 10 s or a
 * third of this: by default a connection that is lost, or has lain idle, would not be replaced.
 */
const DEADLINE_MS: Readonly<Record<number, number>> = { 5000: 180_000 }

/** No answer within a lease of a second, or none at all as long as it lasts. */
const BAD: Readonly<Record<string, Weather>> = {
  'answers 1,400 ms late': { delayMs: 700 },
  'a byte each 100 ms': { delayMs: 100, pieceBytes: 1 },
}

for (const kind of SERVER_KINDS) {
  await describeOn(kind, (server) => {
    it('a slow, an uneven and a dripping network cost no lease', async () => {
      const held = await Promise.all(
        Object.entries(GENTLE).map(async ([name, weather]) => {
          const hold = {
            leaseMs: SHORT_LEASE_MS,
            heartbeatMs: SHORT_LEASE_MS / 15,
            leases: 1.2,
            claimed: 'under',
          } as const
          return { name, ...(await holdUnder(server, weather, hold)) }
        }),
      )

      tally({ jobs: HELD * held.length, 'slow networks': held.length })
      for (const { name, lost, outcomes } of held)
        expect({ name, lost, outcomes }).toEqual({ name, lost: 0, outcomes: Array(HELD).fill(['completed']) })
    }, 120_000)

    it(`a lease of ${ROUND_TRIPS[kind]} round trips is never lost, however long these are`, async () => {
      await expectHeld(server, LATE_MS, ROUND_TRIPS[kind], 'before')
    }, 900_000)

    it(`one of ${ROUND_TRIPS_OF_CLAIM[kind]} round trips is not lost by a worker that claims from so far`, async () => {
      await expectHeld(server, LATE_CLAIM_MS[kind], ROUND_TRIPS_OF_CLAIM[kind], 'under')
    }, 900_000)

    it('a lease that the network is too slow for is lost in good order: another worker has the job, and the slow one works on', async () => {
      await Promise.all(
        Object.values(BAD).map(async (weather) => {
          const direct = await freshStoreUrl(server, { deadline: '3000' })
          const { proxy, url } = await startProxyTo(direct)
          const [far, near] = [await openMill({ store: url }), await openMill({ store: direct })]
          const runs: { readonly by: string; readonly begunAt: number; endedAt: number }[] = []
          const heldBy = (by: string) =>
            defineJob({
              name: 'held',
              run: async (_: undefined, { signal }) => {
                const run = { by, begunAt: performance.now(), endedAt: Number.POSITIVE_INFINITY }
                runs.push(run)
                if (runs.length === 1) await new Promise((resolve) => signal.addEventListener('abort', resolve))
                run.endedAt = performance.now()
                return by
              },
            })
          const job = await near.enqueue(heldBy('near'), undefined)
          far.work([heldBy('far')], { lease: `${LEASE_MS}ms`, poll: '20ms', restart: true })
          await vi.waitFor(() => expect(runs).toHaveLength(1), WAIT)

          proxy.setWeather(weather)
          const begun = performance.now()
          const other = near.work([heldBy('near')], { lease: `${LEASE_MS}ms`, poll: '20ms' })
          expect(await job.result({ timeout: '20s' })).toBe('near')
          expect(runs[0]?.endedAt).toBeLessThan(begun + LEASE_MS + SLACK_MS)
          expect(runs.map(({ by }) => by)).toEqual(['far', 'near'])
          expect(runs[1]?.begunAt).toBeGreaterThan(runs[0]?.endedAt ?? Number.POSITIVE_INFINITY)
          // What a busy machine claims so late that it gives it back unstarted is on record too.
          const outcomes = (await near.get(job.id))?.history.map(({ outcome }) => outcome)
          expect(outcomes?.filter((outcome) => outcome !== 'pending')).toEqual(['lost', 'completed'])
          proxy.setWeather({})
          await other.stop()

          const next = await near.enqueue(heldBy('near'), undefined)
          expect(await next.result({ timeout: '30s' })).toBe('far')
          // Whatever it still said of the first when it was heard again was not believed.
          expect(await job.result({ timeout: '20s' })).toBe('near')
          tally({ jobs: 2, 'leases lost': 1 })
        }),
      )
    }, 120_000)

    for (const how of ['end', 'reset', 'half'] as const) {
      it(`goes on by itself when its connections are cut (${how})`, async () => {
        const { proxy, url } = await startProxyTo(await freshStoreUrl(server))
        const mill = await openMill({ store: url })
        const quick = defineJob({ name: 'quick', run: (input: number) => input })
        mill.work([quick], { lease: `${SHORT_LEASE_MS}ms`, heartbeat: '200ms', poll: '20ms' })
        expect(await (await mill.enqueue(quick, 0)).result({ timeout: '20s' })).toBe(0)

        for (let round = 1; round <= 2; round++) {
          const cuts = proxy.cut(how)
          expect(cuts).toBeGreaterThan(0)
          const job = await vi.waitFor(() => mill.enqueue(quick, round), WAIT)
          expect(await job.result({ timeout: '20s' })).toBe(round)
          tally({ jobs: 1, cuts })
        }
      })
    }
  })
}

/** Jobs that are held for some leases of so many round trips, for each length of these, are completed once. */
async function expectHeld(server: TestServer, late: readonly number[], trips: number, claimed: Hold['claimed']) {
  const held = await Promise.all(
    late.map(async (ms) => {
      const deadlineMs = DEADLINE_MS[ms]
      const far = deadlineMs === undefined ? {} : { deadlineMs }
      // Below some seconds it is the machine that is measured.
      const hold = { leaseMs: Math.max(3_000, ms * trips), leases: LONG ? 3 : 1.3, claimed, ...far }
      return { ms, ...(await holdUnder(server, { delayMs: ms / 2 }, hold)) }
    }),
  )

  tally({ jobs: HELD * held.length, 'slow networks': held.length })
  if (LONG) console.log(JSON.stringify({ kind: server.kind, claimed, lost: held.map(({ ms, lost }) => [ms, lost]) }))
  for (const { ms, lost, outcomes } of held)
    expect({ ms, lost, outcomes }).toEqual({ ms, lost: 0, outcomes: Array(HELD).fill(['completed']) })
}
