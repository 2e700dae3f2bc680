import { expect, test } from 'vitest'
import { Turns, type TurnTaker } from './turns.ts'

const DEADLINE_MS = 8_000

/** A connection that answers each statement as it is told, and notes what it was asked. */
class Taker implements TurnTaker {
  isDestroyed = false
  readonly asked: string[] = []
  readonly #refuses: string | undefined

  constructor(refuses?: string) {
    this.#refuses = refuses
  }

  async query(text: string, [key, wait]: readonly string[]) {
    const word = /pg_advisory_(\w+)/.exec(text)?.[1] ?? ''
    this.asked.push([word, key, wait].filter((part) => part !== undefined).join(' '))
    if (word === this.#refuses) throw new Error('no')
  }

  destroy(): void {
    this.isDestroyed = true
  }

  /** A statement that is sent, and answered once `done` is. */
  send(done: Promise<void> = Promise.resolve()): () => Promise<string> {
    return async () => {
      this.asked.push('claim')
      await done
      return 'claimed'
    }
  }
}

test('the lock, the claim and the end of the turn are sent together', async () => {
  const turns = new Turns('app', DEADLINE_MS)
  const taker = new Taker()
  const { promise, resolve } = Promise.withResolvers<void>()

  const claimed = turns.during(taker, taker.send(promise))
  const [key] = turns.keys
  expect(taker.asked).toEqual([`lock ${key} 1000ms`, 'claim', `unlock ${key}`])
  resolve()

  expect(await claimed).toBe('claimed')
})

test('a process takes the turn that it holds less of, so that it does not wait for itself', async () => {
  const turns = new Turns('app', DEADLINE_MS)
  const [slow, quick] = [new Taker(), new Taker()]
  const { promise, resolve } = Promise.withResolvers<void>()
  const claimed = turns.during(slow, slow.send(promise))
  for (let i = 0; i < 3; i++) await turns.during(quick, quick.send())
  resolve()
  await claimed

  const keysOf = (taker: Taker) => new Set(taker.asked.filter((one) => one !== 'claim').map((one) => one.split(' ')[1]))
  expect(keysOf(slow)).toEqual(new Set([turns.keys[0]]))
  expect(keysOf(quick)).toEqual(new Set([turns.keys[1]]))
})

test('each schema has turns of its own, and a short deadline a short wait', async () => {
  const keys = ['app', 'other'].flatMap((schema) => new Turns(schema, DEADLINE_MS).keys)
  expect(new Set(keys).size).toBe(4)

  const taker = new Taker()
  await new Turns('app', 1_000).during(taker, taker.send())
  expect(taker.asked[0]).toMatch(/ 250ms$/)
})

test('when a turn does not come, the claim goes on without, and the next ones do not ask', async () => {
  const turns = new Turns('app', DEADLINE_MS)
  const taker = new Taker('lock')
  expect(await turns.during(taker, taker.send())).toBe('claimed')
  const asked = taker.asked.length

  expect(await turns.during(taker, taker.send())).toBe('claimed')
  expect(taker.asked.slice(asked)).toEqual(['claim'])
  expect(taker.isDestroyed).toBe(false)
})

test('a claim that fails is told, and the turn is over for this process', async () => {
  const turns = new Turns('app', DEADLINE_MS)
  const taker = new Taker()
  const failing = turns.during(taker, async () => {
    throw new Error('gone')
  })
  await expect(failing).rejects.toThrow('gone')
  await turns.during(taker, taker.send())

  expect(taker.asked.at(-1)).toBe(`unlock ${turns.keys[0]}`)
})

test('a turn that cannot be given back ends with its connection', async () => {
  const taker = new Taker('unlock')
  await new Turns('app', DEADLINE_MS).during(taker, taker.send())

  await expect.poll(() => taker.isDestroyed).toBe(true)
})
