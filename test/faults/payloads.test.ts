/** F-33: an odd value comes to the handler as one table says, or is refused by the code that stands there, whatever the store. */
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type CodecOptions, createKeyRing, defineJob, MillraceError } from '../../src/index.ts'
import { describeOnEvery } from '../support/every-store.ts'
import { openMill } from '../support/mill.ts'
import { tally } from '../support/tally.ts'
import { hashOf } from './filling.ts'
import { ODD_VALUES, type OddValue, type Outcome, RAISED, RAISED_VALUES } from './odd-values.ts'

const CODECS: Readonly<Record<string, () => CodecOptions>> = {
  'in the clear': () => ({}),
  sealed: () => ({ keys: createKeyRing({ active: 'k', keys: { k: randomBytes(32) } }), requireEncryption: true }),
}
const TIMEOUT_MS = 120_000
/** Larger ones are compared by their hashes: a look into each of a million keys takes minutes. */
const LARGE_CHARACTERS = 10_000

describe('memory', () => cases(async () => 'memory:'))

await describeOnEvery(({ freshUrl }) => cases(freshUrl))

function cases(freshUrl: () => Promise<string>): void {
  for (const [how, codec] of Object.entries(CODECS)) {
    test(
      `odd values, ${how}, come as the table says`,
      async () => expect(await enqueued(await freshUrl(), codec(), ODD_VALUES)).toStrictEqual(table(ODD_VALUES)),
      TIMEOUT_MS,
    )
  }

  test(
    'so do those that a handler returns',
    async () => expect(await returned(await freshUrl(), {}, ODD_VALUES)).toStrictEqual(tableOfReturned(ODD_VALUES)),
    TIMEOUT_MS,
  )

  test(
    'so do those at limits that were raised as far as they go, both ways',
    async () => {
      expect(await enqueued(await freshUrl(), RAISED, RAISED_VALUES)).toStrictEqual(table(RAISED_VALUES))
      expect(await returned(await freshUrl(), RAISED, RAISED_VALUES)).toStrictEqual(tableOfReturned(RAISED_VALUES))
    },
    TIMEOUT_MS,
  )
}

type Table = Readonly<Record<string, Outcome>>

function table(values: readonly OddValue[]): Table {
  return Object.fromEntries(values.map(({ what, comes }) => [what, told(comes)]))
}

function tableOfReturned(values: readonly OddValue[]): Table {
  return Object.fromEntries(values.map(({ what, comes, returned = comes }) => [what, told(returned)]))
}

/** What becomes of each value as a payload: by itself and beside another, seen by the handler and by who looks. */
async function enqueued(store: string, codec: CodecOptions, values: readonly OddValue[]): Promise<Table> {
  const mill = await openMill({ store, codec })
  const seen = new Map<string, unknown>()
  const takes = defineJob({ name: 'takes', run: (input: unknown, { id }) => void seen.set(id, input) })
  const ids = new Map<string, readonly string[]>()
  const outcomes: Record<string, Outcome> = {}
  for (const { what, make } of values) {
    try {
      const alone = await mill.enqueue(takes, make())
      const many = await mill.enqueueMany(takes, [make(), make()])
      ids.set(what, [alone.id, ...many.map(({ id }) => id)])
    } catch (error) {
      outcomes[what] = refusalOf(error)
      // Nor is it taken among others, which are not written then either.
      expect(refusalOf(await mill.enqueueMany(takes, ['before', make()]).catch((each: unknown) => each))).toEqual(
        outcomes[what],
      )
    }
  }

  await mill.work([takes], { drain: true }).done

  expect(seen.size).toBe(3 * ids.size)
  tally({ jobs: seen.size, 'values refused': values.length - ids.size })
  for (const [what, [id = '', ...others]] of ids) {
    const value = inShort(seen.get(id))
    for (const each of [id, ...others]) {
      expect(inShort(seen.get(each)), what).toStrictEqual(value)
      const job = await mill.get(each)
      expect(job, what).toMatchObject({ state: 'completed', isUnreadable: false })
      expect(inShort(job?.input), what).toStrictEqual(value)
    }
    outcomes[what] = { value }
  }
  return outcomes
}

/** What becomes of each value as a result: as who looks sees it, and who waits for it. */
async function returned(store: string, codec: CodecOptions, values: readonly OddValue[]): Promise<Table> {
  const mill = await openMill({ store, codec })
  const gives = defineJob({ name: 'gives', retry: false, run: (n: number): unknown => values[n]?.make() })
  const jobs = await mill.enqueueMany(gives, [...values.keys()])

  await mill.work([gives], { drain: true }).done

  tally({ jobs: jobs.length })
  const outcomes: Record<string, Outcome> = {}
  for (const [n, { what }] of values.entries()) {
    const job = await mill.get(jobs[n]?.id ?? '')
    if (job?.state !== 'completed') {
      outcomes[what] = { refused: job?.error?.code ?? `${job?.state}` }
      continue
    }
    const value = inShort(await jobs[n]?.result())
    outcomes[what] = { value }
    // Who looks cannot tell that nothing was returned from null.
    expect(inShort(job.result), what).toStrictEqual(value ?? null)
  }
  return outcomes
}

/** The code with which a value was refused at enqueue. What is no error of ours is told as it is. */
function refusalOf(error: unknown): Outcome {
  return error instanceof MillraceError ? { refused: error.code } : { refused: `not typed: ${String(error)}` }
}

function told(outcome: Outcome): Outcome {
  return 'value' in outcome ? { value: inShort(outcome.value) } : outcome
}

/** The value, or the hash of a large one. */
function inShort(value: unknown): unknown {
  return (JSON.stringify(value)?.length ?? 0) > LARGE_CHARACTERS ? hashOf(value) : value
}
