/**
 * F-14: the connection is cut after exactly n bytes in a direction, n swept over a whole life of jobs: connecting, enqueueing,
 * claiming, extending, settling, the commits between them (sent, and their answers lost). No job is lost, made twice or run
 * again without a record. With MILLRACE_LONG at more than 10,000 positions. Where not each byte is a position, MILLRACE_SEED moves
 * them all.
 */
import { expect, it } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import { countAll } from '../../src/store/conformance/list.ts'
import { generator, seedOf } from '../support/random.ts'
import { describeOn, freshStoreUrl, migratedStore, SERVER_KINDS } from '../support/servers.ts'
import { tally } from '../support/tally.ts'
import { type Direction, startProxyTo } from '../support/tcp-proxy.ts'
import { type Life, lifeFaults, liveLife } from './job-life.ts'

/** Positions in each direction. */
const POSITIONS = process.env.MILLRACE_LONG ? 2_600 : 12
/** How much of a step lies before the first. */
const first = generator(seedOf(13))()

for (const kind of SERVER_KINDS) {
  await describeOn(kind, (server) => {
    for (const direction of ['up', 'down'] satisfies readonly Direction[]) {
      it(
        `a connection cut ${direction}stream after any byte costs no job and makes none twice`,
        async () => {
          const direct = await freshStoreUrl(server)
          const witness = await migratedStore(direct)
          const { proxy, url } = await startProxyTo(direct)
          const clock = new ManualClock()
          const live = async (): Promise<Life> => {
            const store = await createStore(url, '.', clock)
            return liveLife(store, clock).finally(() => store.close())
          }
          expect(await lifeFaults(witness, await live())).toEqual([])
          const before = proxy.bytes[direction]
          await live()
          const total = proxy.bytes[direction] - before
          const step = Math.max(1, total / POSITIONS)

          const faults: string[] = []
          let [lives, cuts, noticed] = [2, 0, 0]
          for (let at = first * step; at < total; at += step) {
            proxy.cutAfter(direction, Math.floor(at))
            const life = await live()
            lives++
            if (!proxy.isArmed) cuts++
            if (life.failures > 0) noticed++
            faults.push(
              ...(await lifeFaults(witness, life)).map((fault) => `after ${Math.floor(at)} of ${total}: ${fault}`),
            )
          }

          tally({ jobs: lives * 3, cuts, 'cuts noticed': noticed })
          expect(faults).toEqual([])
          expect(await countAll(witness, {})).toBe(lives * 3)
          // A few bytes at the end may not be sent in every life; and a cut beside the calls, in a hint, is nobody's failure.
          expect(cuts).toBeGreaterThanOrEqual(Math.floor((total / step) * 0.8))
          expect(noticed).toBeGreaterThanOrEqual(cuts * 0.5)
          if (process.env.MILLRACE_LONG) console.log(JSON.stringify({ kind, direction, total, cuts, noticed }))
        },
        process.env.MILLRACE_LONG ? 3_600_000 : 60_000,
      )
    }
  })
}
