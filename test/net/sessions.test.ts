/** F-19: a session is ended by the server each 100 ms, at random, with whatever it is doing. */
import { expect, test } from 'vitest'
import { allEnded, enqueueAll, faultsOf, startWorker } from '../kill/load.ts'
import { openMill } from '../support/mill.ts'
import { outsiderOn } from '../support/outsider.ts'
import { generator, seedOf } from '../support/random.ts'
import { describeOn, freshStoreUrl, SERVER_KINDS } from '../support/servers.ts'
import { tally } from '../support/tally.ts'
import { tempDir } from '../support/temp-store.ts'
import { endAtRandom } from './session-ender.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
/** 10,000 in all in the long form, in parts of which each can be run by itself. */
const PARTS = LONG ? 4 : 1
const ENDED = LONG ? 2_500 : 15
const EVERY_MS = 100
/** Enqueued for each session that is ended, so that there is always something under way. */
const JOBS = LONG ? 2 : 10
const MOST_RUN_MS = 30
const WORKERS = LONG ? 3 : 2

for (const kind of SERVER_KINDS) {
  await describeOn(kind, (server) => {
    test.each(Array.from({ length: PARTS }, (_, i) => i + 1))(
      `${ENDED} sessions ended, one each ${EVERY_MS} ms, cost no job and run none without a record: part %i of ${PARTS}`,
      async () => {
        const random = generator(seedOf(23))
        const url = await freshStoreUrl(server)
        const folder = tempDir()
        const mill = await openMill({ store: url })
        const outsider = await outsiderOn(url)
        const workers = Array.from({ length: WORKERS }, () => startWorker(url, folder))
        await Promise.all(workers.map((worker) => worker.line('ready')))
        const waves: Promise<readonly string[]>[] = []
        const enqueue = () => {
          const inputs = Array.from({ length: JOBS }, () => Math.floor(random() * MOST_RUN_MS))
          waves.push(enqueueAll(mill, inputs))
        }

        enqueue()
        await endAtRandom(outsider, random, { count: ENDED, everyMs: EVERY_MS }, enqueue)
        const ids = (await Promise.all(waves)).flat()
        await allEnded(mill, 90_000)
        await Promise.all(workers.map((worker) => worker.kill()))

        tally({ jobs: ids.length, 'ended sessions': ENDED })
        expect(ids).toHaveLength((ENDED + 1) * JOBS)
        if (LONG) console.log(JSON.stringify({ kind, ended: ENDED, jobs: ids.length }))
        expect(await faultsOf(mill, ids, folder)).toEqual([])
      },
      LONG ? 3_600_000 : 60_000,
    )
  })
}
