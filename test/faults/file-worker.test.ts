/** F-28: the file of a store goes away under a worker of its own process: it ends, and says why, instead of working where nobody looks. */
import { copyFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { tally } from '../support/tally.ts'
import { tempDir } from '../support/temp-store.ts'
import { type Built, build } from './lab/built.ts'
import { Laboratory } from './lab/laboratory.ts'

/** The exit code of a command whose store cannot be worked on. */
const STORE = 3
let built: Built
beforeAll(async () => {
  built = await build()
})
afterAll(() => built.remove())

test.each([
  ['deleted', (path: string) => rmSync(path)],
  [
    'replaced',
    (path: string) => {
      copyFileSync(path, `${path}.new`)
      renameSync(`${path}.new`, path)
    },
  ],
])(
  'a worker whose file is %s ends with its exit code and says STORE_MOVED',
  async (_, harm) => {
    const path = join(tempDir(), 'millrace.db')
    const lab = new Laboratory({ url: `sqlite:${path}?durability=normal`, built, seed: 1, leaseMs: 1_000 })
    onTestFinished(async () => {
      await lab.stop()
      lab.remove()
    })
    const producer = await lab.producer()
    const worker = lab.worker()
    await producer.send({ kind: 'work', inputs: [{ ms: 0 }, { ms: 600_000 }] })
    await lab.until(
      'a handler is under way, another has ended',
      () => lab.starts() === 2 && lab.underWay(worker.pid) === 1,
    )

    harm(path)

    const { code, stderr } = await worker.ended
    tally({ jobs: lab.starts(), 'workers ended': 1 })
    expect({ code, stderr }).toMatchObject({ code: STORE, stderr: expect.stringMatching(/deleted|replaced/) })
  },
  60_000,
)
