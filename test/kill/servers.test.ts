/** SIGKILL of workers and of their connections to a server: nothing is lost, stuck or run again without a record. */
import { expect, test } from 'vitest'
import { openMill } from '../support/mill.ts'
import { outsiderOn } from '../support/outsider.ts'
import { generator, seedOf } from '../support/random.ts'
import { describeOn, freshStoreUrl, SERVER_KINDS } from '../support/servers.ts'
import { tempDir } from '../support/temp-store.ts'
import { logBytes } from './ledger.ts'
import { allEnded, enqueueAll, faultsOf, startWorker } from './load.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const JOBS = LONG ? 5_000 : 240
const BLOWS = LONG ? 50 : 6
const WORKERS = 3
/** Bytes of a job's two lines in the logs, at least. */
const BOTH_LINES = 88

for (const kind of SERVER_KINDS) {
  await describeOn(kind, (server) => {
    test(
      `${JOBS} jobs, ${BLOWS} blows: a worker killed, or every connection ended`,
      async () => {
        const random = generator(seedOf(17))
        const url = await freshStoreUrl(server)
        const folder = tempDir()
        const mill = await openMill({ store: url })
        const outsider = await outsiderOn(url)
        const workers = Array.from({ length: WORKERS }, () => startWorker(url, folder))
        await Promise.all(workers.map((worker) => worker.line('ready')))

        const ids: string[] = []
        let ended = 0
        for (let blow = 0; blow < BLOWS; blow++) {
          const before = logBytes(folder)
          const inputs = Array.from({ length: JOBS / BLOWS }, () => Math.floor(random() * 6))
          ids.push(...(await enqueueAll(mill, inputs)))
          const wanted = before + Math.floor(random() * inputs.length) * BOTH_LINES
          await expect.poll(() => logBytes(folder) >= wanted, { timeout: 60_000, interval: 1 }).toBe(true)
          if (blow % 2 === 0) {
            await workers.shift()?.kill()
            workers.push(startWorker(url, folder))
          } else ended += await outsider.endOthers()
        }
        await allEnded(mill, 90_000)
        await Promise.all(workers.map((worker) => worker.kill()))

        expect(ended).toBeGreaterThan(0)
        expect(await faultsOf(mill, ids, folder)).toEqual([])
      },
      LONG ? 3_600_000 : 180_000,
    )
  })
}
