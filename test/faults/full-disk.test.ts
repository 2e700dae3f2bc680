/** F-26 on a disk that is really full: several processes on one file, each of which is refused room. */
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { mountDisk } from '../support/mounted-disk.ts'
import { lacks } from '../support/needs.ts'
import { seedOf } from '../support/random.ts'
import { tally } from '../support/tally.ts'
import { build } from './lab/built.ts'
import { runOnce } from './lab/run.ts'
import { fullDisk } from './lab/scenarios/full-disk.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const MIB = 24
const LONG_MIB = 96

test(
  'what was acknowledged stays, and a node goes on by itself when there is room again',
  async ({ skip }) => {
    const disk = mountDisk(LONG ? LONG_MIB : MIB)
    if (lacks('right to mount a file system', disk !== undefined) || disk === undefined) return skip()
    onTestFinished(() => disk.remove())
    const built = await build()
    onTestFinished(() => built.remove())
    const url = `sqlite:${join(disk.folder, 'millrace.db')}?busy=10s`

    const result = await runOnce(fullDisk, { url, built, seed: seedOf(41), size: LONG ? 'long' : 'short' })

    if (LONG) console.log(JSON.stringify(result))
    expect(result.violations).toEqual([])
    tally({ jobs: result.jobs, ...result.fired })
  },
  LONG ? 3_600_000 : 240_000,
)
