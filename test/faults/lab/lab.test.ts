/**
 * Every scenario of the laboratory on every store: in its short form, or once in its long one. One after the other; but a short run
 * lets the next one begin in its quiet time, in which little happens.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seedOf } from '../../support/random.ts'
import { SERVER_KINDS, sharedServer } from '../../support/servers.ts'
import { type Built, build } from './built.ts'
import { filesPlace, type Place, serverPlace } from './places.ts'
import { runOnce } from './run.ts'
import { SCENARIOS } from './scenarios.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const size = LONG ? 'long' : 'short'
const seed = seedOf(41)
let built: Built
let turn = Promise.resolve()
beforeAll(async () => {
  built = await build()
})
afterAll(() => built.remove())

const places: Place[] = [filesPlace('normal')]
for (const kind of SERVER_KINDS) {
  const server = sharedServer(kind)
  if (server !== null) places.push(serverPlace(server))
}
afterAll(async () => {
  for (const place of places) await place.close()
})

for (const scenario of SCENARIOS) {
  const isOn = ({ kind }: Place) =>
    (scenario.stores?.includes(kind) ?? true) && (LONG || kind === 'sqlite' || scenario.isOfStore === true)
  describe.concurrent(`${scenario.fault}, ${scenario.summary}`, () => {
    for (const place of places.filter(isOn)) {
      test(
        `holds on ${place.kind}: ${scenario.name}`,
        () =>
          inTurn((onQuiet) =>
            place.onFresh(async (url) => {
              const result = await runOnce(scenario, { url, built, seed, size, ...(!LONG && { onQuiet }) })
              if (LONG) console.log(JSON.stringify(result))
              expect(result.violations).toEqual([])
            }),
          ),
        LONG ? 10 * 3_600_000 : 600_000,
      )
    }
  })
}

/** Runs when those before have done, or said that the next one may begin. */
async function inTurn(run: (next: () => void) => Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const before = turn
  turn = promise
  await before
  await run(resolve).finally(resolve)
}
