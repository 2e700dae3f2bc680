/** Jobs that are held for several leases while the way to the store is bad, and what became of their leases. */
import { expect, vi } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { freshStoreUrl, type TestServer } from '../support/servers.ts'
import { startProxyTo, type Weather } from '../support/tcp-proxy.ts'

export interface Hold {
  readonly leaseMs: number
  /** Default: the library's, a third of the lease. */
  readonly heartbeatMs?: number
  /** For how many leases the jobs are held. */
  readonly leases: number
  /** Whether they are claimed under that weather too, or before it. */
  readonly claimed: 'before' | 'under'
  /** How long a call of the store may take. Default: the library's. */
  readonly deadlineMs?: number
}

export interface Held {
  /** How often a lease was lost, of so many jobs times `leases`. */
  readonly lost: number
  /** How every attempt of each job ended. */
  readonly outcomes: readonly (readonly string[])[]
}

/** Jobs that are held at a time. */
export const HELD = 4
/** Jobs that run before. */
const WARMING = 20
const WAIT = { timeout: 120_000 }
/**
 * Connections of a worker that has been at work for a while: three for ordinary calls, one more that is opened ahead, one for a
 * heartbeat, and the one that listens. One that is opened when the way is bad already takes a heartbeat's time.
 */
const AT_WORK = 6

/** Holds jobs while such weather lasts, and lets them end under it. */
export async function holdUnder(server: TestServer, weather: Weather, hold: Hold): Promise<Held> {
  const { leaseMs, heartbeatMs, deadlineMs } = hold
  const direct = await freshStoreUrl(server, deadlineMs === undefined ? {} : { deadline: `${deadlineMs}ms` })
  const { proxy, url } = await startProxyTo(direct)
  const [mill, near] = [await openMill({ store: url }), await openMill({ store: direct })]
  let lost = 0
  mill.on('lease.lost', () => lost++)
  let running = 0
  const release = Promise.withResolvers<void>()
  const long = defineJob({
    name: 'long',
    run: () => {
      running++
      return release.promise
    },
  })
  const beat = heartbeatMs === undefined ? {} : { heartbeat: `${heartbeatMs}ms` }
  const quick = defineJob({ name: 'quick', run: () => null })
  mill.work([long, quick], { lease: `${leaseMs}ms`, poll: '20ms', ...beat })
  // What a server is asked for the first time on a connection takes it longer.
  const first = await near.enqueueMany(quick, Array(WARMING).fill(undefined))
  await Promise.all(first.map((job) => job.result({ timeout: '20s' })))
  if (hold.claimed === 'under') proxy.setWeather(weather)
  const jobs = await near.enqueueMany(long, Array(HELD).fill(undefined))
  await vi.waitFor(() => expect(running).toBeGreaterThanOrEqual(HELD), WAIT)
  await vi.waitFor(async () => {
    await Promise.all(Array.from({ length: AT_WORK }, () => mill.count()))
    expect(proxy.open).toBeGreaterThanOrEqual(AT_WORK)
  }, WAIT)
  proxy.setWeather(weather)
  const before = proxy.bytes.down
  // Held by heartbeats alone. Time has to pass here: a lease that none of them extended would end meanwhile.
  const end = performance.now() + leaseMs * hold.leases
  await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(end), {
    timeout: end - performance.now() + WAIT.timeout,
  })
  release.resolve()
  await Promise.all(jobs.map((job) => job.result({ timeout: '120s' })))

  expect(proxy.bytes.down).toBeGreaterThan(before)
  const infos = await Promise.all(jobs.map(({ id }) => near.get(id)))
  // Goodbyes are said in clear weather.
  proxy.setWeather({})
  return { lost, outcomes: infos.map((info) => (info?.history ?? []).map(({ outcome }) => outcome)) }
}
