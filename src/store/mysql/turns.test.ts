import { expect, test } from 'vitest'
import { Turns, type TurnTaker } from './turns.ts'

/** A connection that answers each statement as it is told, and notes what it was asked. */
class Taker implements TurnTaker {
  isBroken = false
  readonly asked: string[] = []
  readonly #answer: (text: string) => number | Error

  constructor(answer: (text: string) => number | Error = () => 1) {
    this.#answer = answer
  }

  async aside(text: string, [name]: readonly string[]) {
    this.asked.push(`${/\w+_LOCK/.exec(text)?.[0]} ${name}`)
    const answer = this.#answer(text)
    if (answer instanceof Error) throw answer
    return { rows: [[answer]] }
  }

  destroy(): void {
    this.isBroken = true
  }
}

const LOST = Object.assign(new Error('gone'), { code: 'PROTOCOL_CONNECTION_LOST' })

test('two turns are taken in turn, and each is left once, by its name', async () => {
  const turns = new Turns('app')
  const [one, two] = [new Taker(), new Taker()]
  await turns.take(one)
  await turns.take(two)
  for (const taker of [one, one, two]) turns.leave(taker)

  expect(one.asked).toEqual([`GET_LOCK ${turns.names[0]}`, `RELEASE_LOCK ${turns.names[0]}`])
  expect(two.asked).toEqual([`GET_LOCK ${turns.names[1]}`, `RELEASE_LOCK ${turns.names[1]}`])
})

test('a process takes the turn that it holds less of, so that it does not wait for itself', async () => {
  const turns = new Turns('app')
  const [slow, quick] = [new Taker(), new Taker()]
  await turns.take(quick)
  await turns.take(slow)
  for (let i = 0; i < 3; i++) {
    turns.leave(quick)
    await turns.take(quick)
  }

  expect(slow.asked).toEqual([`GET_LOCK ${turns.names[1]}`])
  expect(new Set(quick.asked.map((asked) => asked.split(' ')[1]))).toEqual(new Set([turns.names[0]]))
})

test('each database has turns of its own, whose names a server takes', () => {
  const names = ['app', 'other', 'x'.repeat(64)].flatMap((database) => new Turns(database).names)

  expect(new Set(names).size).toBe(6)
  for (const name of names) expect(name.length).toBeLessThanOrEqual(64)
})

test.each([
  ['does not come in time', 0],
  ['is refused, as by a cluster', new Error('GET_LOCK is not supported')],
])('when a turn %s, the claim goes on without, and the next ones do not ask', async (_, answer) => {
  const turns = new Turns('app')
  const taker = new Taker(() => answer)
  await turns.take(taker)
  turns.leave(taker)
  await turns.take(taker)

  expect(taker.asked).toEqual([`GET_LOCK ${turns.names[0]}`])
  expect(taker.isBroken).toBe(false)
})

test('a lost connection is no refusal', async () => {
  const turns = new Turns('app')

  await expect(turns.take(new Taker(() => LOST))).rejects.toBe(LOST)
  const next = new Taker()
  await turns.take(next)
  expect(next.asked).toHaveLength(1)
})

test('a turn that cannot be given back ends with its connection', async () => {
  const turns = new Turns('app')
  const taker = new Taker((text) => (text.includes('RELEASE') ? new Error('no') : 1))
  await turns.take(taker)
  turns.leave(taker)

  await expect.poll(() => taker.isBroken).toBe(true)
})
