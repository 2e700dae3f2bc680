/** F-33: payloads and results of 1 MiB in number. Each comes back as it was, and the process holds a few of them, however many there are. */
import { describe, expect, test } from 'vitest'
import { startChild } from '../support/child.ts'
import { describeOnEvery } from '../support/every-store.ts'
import { tally } from '../support/tally.ts'
import type { PayloadsRun } from './payloads-run.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const COUNT = LONG ? 10_000 : 48
/** A store in memory holds what waits, and what ended until it is removed. */
const AHEAD_IN_MEMORY = 16
/**
 * What the process may grow by, in MiB. At once it holds 16 inputs, the 16 rows that are made of them, what two statements of a
 * driver make of 1 MiB each (three times as long in text), and four jobs that run with their results: 100 MiB or less. The rest is
 * garbage that nobody has collected yet; its heap may have 128 MiB, so this does not depend on how much this machine has. Only the
 * long form proves it: of a few dozen a process that keeps all of them takes no more.
 */
const MOST_MIB = 400
const HEAP = '--max-old-space-size=128'
const FILE = new URL('payloads-run.ts', import.meta.url).pathname

describe('memory', () => cases(async () => 'memory:', AHEAD_IN_MEMORY))

await describeOnEvery(({ freshUrl }) => cases(freshUrl, COUNT))

function cases(freshUrl: () => Promise<string>, ahead: number): void {
  test(
    `${COUNT} payloads of 1 MiB come back, in bounded memory`,
    async () => {
      const env = { NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} ${HEAP}` }
      const child = startChild(FILE, [await freshUrl(), `${COUNT}`, `${ahead}`], undefined, { env })

      const line = await child.line('done')

      const said: PayloadsRun = JSON.parse(line.slice('done '.length))
      if (LONG) console.log(line)
      expect(said).toMatchObject({ done: COUNT, wrong: 0 })
      expect(said.grownMib).toBeLessThan(MOST_MIB)
      tally({ jobs: said.done })
    },
    LONG ? 7_200_000 : 120_000,
  )
}
