/** When a pool opens connections: for whom, ahead of whom, and not any more once it closes. */
import { describe, expect, it } from 'vitest'
import type { Pool } from '../../src/store/sql/pool.ts'
import { FakeConnection, fill, hold, openings, poolOf } from '../support/fake-pool.ts'

describe('a pool', () => {
  it('gives a call that waits for a new connection another one that is free before', async () => {
    const opening = openings()
    const pool = poolOf({ size: 3, connect: opening.connect })
    const first = hold(pool)
    opening.next()
    await first.begun
    const second = hold(pool)

    first.end()
    await second.begun

    expect(opening.count).toBe(2)
    opening.next()
    second.end()
    await Promise.all([first.done, second.done])
    await pool.close()
  })

  it('has one more connection open than urgent calls use, so that a heartbeat waits for none', async () => {
    const { pool, opening } = await withOneOpen()
    const exchange = hold(pool, 'urgent')
    await exchange.begun
    expect(opening.count).toBe(2)
    opening.next()

    await pool.use(async () => undefined, 'urgent')
    const beside = [hold(pool, 'urgent'), hold(pool, 'urgent')]

    opening.next()
    expect(opening.count).toBe(3)
    const all = [exchange, ...beside]
    for (const { begun } of all) await begun
    for (const { end } of all) end()
    await Promise.all(all.map(({ done }) => done))
    await pool.close()
  })

  it('does not leave a connection lying for heartbeats while others are only being opened', async () => {
    const opening = openings()
    const pool = poolOf({ size: 4, connect: opening.connect })
    const first = hold(pool, 'urgent')
    opening.next()
    await first.begun
    const behind = Array.from({ length: 3 }, () => hold(pool, 'urgent'))
    await turn()
    expect(opening.count).toBe(4)

    for (const [i, call] of [first, ...behind].entries()) {
      await call.begun
      expect([first, ...behind].filter(({ hasBegun }) => hasBegun)).toHaveLength(i + 1)
      call.end()
      await call.done
    }
    await pool.close()
  })

  it('tells nobody of a connection that it could not open ahead, and does not try again at once', async () => {
    const { pool, opening } = await withOneOpen()

    const calls = Array.from({ length: 5 }, () => () => pool.use(async () => 'answered', 'urgent'))
    const answers = [await calls[0]?.()]
    opening.next(new Error('too many connections'))
    for (const call of calls.slice(1)) answers.push(await call())

    expect(answers).toEqual(Array(5).fill('answered'))
    expect(opening.count).toBe(2)
    await pool.close()
  })

  it('leaves the last open connection beside a worker to its heartbeat, and opens another for what else waits', async () => {
    const { pool, opening } = await withThreeOpen()
    const [claim, read] = [hold(pool, 'urgent'), hold(pool)]
    await Promise.all([claim.begun, read.begun])

    const second = hold(pool)
    await turn()
    expect([second.hasBegun, opening.count]).toEqual([false, 1])
    expect(await pool.use(async () => 'beat', 'heartbeat')).toBe('beat')
    expect(second.hasBegun).toBe(false)

    opening.next()
    await second.begun
    await endAll(pool, claim, read, second)
  })

  it('shares what is open where the server grants no more, the last of it with urgent calls alone', async () => {
    const { pool, opening } = await withThreeOpen()
    const [claim, read] = [hold(pool, 'urgent'), hold(pool)]
    await Promise.all([claim.begun, read.begun])
    const second = hold(pool)
    await turn()

    opening.next(new Error('too many connections'))
    await turn()
    expect([second.hasBegun, await pool.use(async () => 'beat', 'heartbeat')]).toEqual([false, 'beat'])

    read.end()
    await second.begun
    await endAll(pool, claim, read, second)
  })

  it('has an urgent call wait for what is open, too', async () => {
    const { pool, opening } = await withThreeOpen()
    const held = [hold(pool, 'urgent'), hold(pool, 'urgent'), hold(pool, 'heartbeat')]
    await Promise.all(held.map(({ begun }) => begun))
    const beat = hold(pool, 'heartbeat')
    await turn()
    for (let left = opening.count; left > 0; left--) opening.next(new Error('too many connections'))
    await turn()
    expect(beat.hasBegun).toBe(false)

    held[0]?.end()
    await beat.begun
    await endAll(pool, ...held, beat)
  })

  it('tells whoever waited so in vain why it had none, not that the server did not answer', async () => {
    const { pool, opening } = await withThreeOpen({ deadlineMs: 50 })
    const held = [hold(pool, 'urgent'), hold(pool, 'urgent'), hold(pool, 'heartbeat')]
    const ended = Promise.allSettled(held.map(({ done }) => done))
    await Promise.all(held.map(({ begun }) => begun))
    const refused = expect(pool.use(async () => undefined, 'urgent')).rejects.toThrow('too many connections')
    await turn()
    for (let left = opening.count; left > 0; left--) opening.next(new Error('too many connections'))

    await refused
    for (const { end } of held) end()
    await ended
    await pool.close()
  })

  it('tries anew for those who wait so once nothing is open any more', async () => {
    const { pool, opening } = await withThreeOpen()
    const end = Promise.withResolvers<void>()
    const ending = (['urgent', 'urgent', 'heartbeat'] as const).map((urgency) =>
      pool.use(async (connection) => {
        await end.promise
        connection.destroy()
      }, urgency),
    )
    const beat = hold(pool, 'heartbeat')
    await turn()
    const tried = opening.count
    for (let left = tried; left > 0; left--) opening.next(new Error('too many connections'))
    await turn()
    expect(opening.count).toBe(tried)

    end.resolve()
    await Promise.all(ending)
    expect(opening.count).toBeGreaterThan(tried)
    opening.next()
    await beat.begun
    await endAll(pool, beat)
  })

  it('refuses a call whose connection could not be opened, and tries again for others', async () => {
    const opening = openings()
    const pool = poolOf({ size: 2, connect: opening.connect })
    const refused = expect(pool.use(async () => undefined)).rejects.toThrow('no route')
    const other = pool.use(async () => 'answered')

    opening.next(new Error('no route'))
    await refused
    opening.next()

    expect(await other).toBe('answered')
    await pool.close()
  })

  it('gives those who wait for a new connection theirs when it is closed, and makes no other', async () => {
    const opening = openings()
    const pool = poolOf({ size: 3, connect: opening.connect })
    const calls = [hold(pool), hold(pool)]

    const closed = pool.close()
    opening.next()
    opening.next()
    for (const { begun } of calls) await begun
    for (const { end } of calls) end()

    await Promise.all([closed, ...calls.map(({ done }) => done)])
    expect(opening.count).toBe(2)
  })

  it('refuses a call whose idle connection had ended when it is closed meanwhile, and connects no more', async () => {
    const made: FakeConnection[] = []
    const pool = poolOf({ size: 1, made })
    await fill(pool, 1)
    const answer = Promise.withResolvers<void>()
    Object.assign(made[0] ?? {}, { idleSince: -1e9, check: () => answer.promise })
    const refused = expect(pool.use(async () => undefined)).rejects.toMatchObject({ code: 'STORE_CLOSED' })

    const closed = pool.close()
    answer.reject(new Error('it has ended'))

    await Promise.all([refused, closed])
    expect(made).toHaveLength(1)
  })

  it.each([
    [5_000, 5_000],
    [30_000, 10_000],
    [180_000, 60_000],
  ])('with a deadline of %i ms for a call gives up connecting after %i ms', async (deadlineMs, connectMs) => {
    const given: number[] = []
    const connect = async (_: AbortSignal, timeoutMs: number) => {
      given.push(timeoutMs)
      return new FakeConnection()
    }
    const pool = poolOf({ size: 1, deadlineMs, connect })

    await pool.use(async () => undefined)

    expect(given).toEqual([expect.closeTo(connectMs, -3)])
    await pool.close()
  })

  it('ends what is being opened for nobody when it is closed', async () => {
    const { pool, opening } = await withOneOpen()
    await pool.use(async () => undefined, 'urgent')
    expect(opening.count).toBe(2)

    await pool.close()

    expect(opening.ended).toBe(1)
  })
})

/** A pool of three, of which an urgent call has opened one and given it back. */
async function withOneOpen() {
  const opening = openings()
  const pool = poolOf({ size: 3, connect: opening.connect })
  const first = pool.use(async () => undefined, 'urgent')
  opening.next()
  await first
  return { pool, opening }
}

/** A pool of five beside a worker, with three connections that lie idle. */
async function withThreeOpen({ deadlineMs = 30_000 } = {}) {
  const opening = openings()
  let left = 3
  const connect = async (signal: AbortSignal) => (left-- > 0 ? new FakeConnection() : opening.connect(signal))
  const pool = poolOf({ size: 5, deadlineMs, connect })
  await fill(pool, 3)
  return { pool, opening }
}

async function endAll(pool: Pool<FakeConnection>, ...calls: readonly ReturnType<typeof hold>[]) {
  for (const { end } of calls) end()
  await Promise.all(calls.map(({ done }) => done))
  await pool.close()
}

/** Lets everything that was begun come to its end. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
