/** F-28 under the processes of an ordinary user: the modes of a file, or of its folder, are taken away, and given back. */
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { seedOf } from '../support/random.ts'
import { tally } from '../support/tally.ts'
import { tempDir } from '../support/temp-store.ts'
import { build } from './lab/built.ts'
import { runOnce } from './lab/run.ts'
import { forbidden } from './lab/scenarios/forbidden.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''

test(
  'what was acknowledged stays, and a node goes on by itself when its file may be opened again',
  async () => {
    // The folder is the ordinary user's own; the one around it can be entered.
    const built = await build()
    onTestFinished(() => built.remove())
    const around = tempDir()
    chmodSync(around, 0o755)
    const folder = join(around, 'store')
    mkdirSync(folder, { mode: 0o700 })
    const url = `sqlite:${join(folder, 'millrace.db')}?durability=normal&busy=10s`

    const result = await runOnce(forbidden, { url, built, seed: seedOf(41), size: LONG ? 'long' : 'short' })

    tally({ jobs: result.jobs, ...result.fired })
    if (LONG) console.log(JSON.stringify(result))
    expect(result.violations).toEqual([])
  },
  LONG ? 3_600_000 : 240_000,
)
