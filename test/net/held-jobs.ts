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
}

export interface Held {
  /** How often a lease was lost, of so many jobs times `leases`. */
  readonly lost: number
  /** How every attempt of each job ended. */
  readonly outcomes: readonly (readonly string[])[]
}

/** Jobs that are held at a time. */
export const HELD = 4
const WAIT = { timeout: 120_000 }

/** Starts jobs under clear weather, holds them while the other lasts, and lets them end under it. */
export async function holdUnder(server: TestServer, weather: Weather, hold: Hold): Promise<Held> {
  const { leaseMs, heartbeatMs } = hold
  const { proxy, url } = await startProxyTo(await freshStoreUrl(server))
  const mill = await openMill({ store: url })
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
  mill.work([long], { lease: `${leaseMs}ms`, poll: '20ms', ...beat })
  proxy.setWeather(weather)
  const before = proxy.bytes.down

  const jobs = await mill.enqueueMany(long, Array(HELD).fill(undefined))
  await vi.waitFor(() => expect(running).toBeGreaterThanOrEqual(HELD), WAIT)
  // Held by heartbeats alone. Time has to pass here: a lease that none of them extended would end meanwhile.
  const end = performance.now() + leaseMs * hold.leases
  await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(end), WAIT)
  release.resolve()
  await Promise.all(jobs.map((job) => job.result({ timeout: '120s' })))

  expect(proxy.bytes.down).toBeGreaterThan(before)
  const infos = await Promise.all(jobs.map(({ id }) => mill.get(id)))
  return { lost, outcomes: infos.map((info) => (info?.history ?? []).map(({ outcome }) => outcome)) }
}
