/** Who is given which connection of a pool, and when one is destroyed. */
import { describe, expect, it } from 'vitest'
import { StoreError } from '../../src/core/errors.ts'
import { type FakeConnection, fill, hold, poolOf, untilDestroyed } from '../support/fake-pool.ts'

const LONG_AGO = -1e9

describe('a pool', () => {
  it('keeps a connection for urgent calls, also when all of them lay idle before', async () => {
    const pool = poolOf({ size: 2 })
    await fill(pool, 2)
    const held = hold(pool)
    const second = hold(pool)
    await held.begun

    expect(await pool.use(async () => 'urgent', 'urgent')).toBe('urgent')

    expect(second.hasBegun).toBe(false)
    held.end()
    await second.begun
    second.end()
    await Promise.all([held.done, second.done])
    await pool.close()
  })

  it('has a connection that only heartbeats use, whatever else there is to do', async () => {
    const pool = poolOf({ size: 6 })
    const urgent = Array.from({ length: 6 }, () => hold(pool, 'urgent'))
    const ordinary = Array.from({ length: 6 }, () => hold(pool))
    const all = [...urgent, ...ordinary]
    for (let rounds = 0; rounds < 20; rounds++) await new Promise(setImmediate)
    expect(all.filter(({ hasBegun }) => hasBegun)).toHaveLength(5)

    expect(await pool.use(async () => 'beat', 'heartbeat')).toBe('beat')

    for (const { end } of all) end()
    await Promise.all(all.map(({ done }) => done))
    await pool.close()
  })

  it('gives a free connection to the most urgent of those who wait', async () => {
    const pool = poolOf({ size: 1 })
    const held = hold(pool)
    await held.begun
    const order: string[] = []
    const kinds = ['ordinary', 'urgent', 'heartbeat'] as const
    const waiting = kinds.map((kind) => pool.use(async () => order.push(kind), kind))

    held.end()
    await Promise.all([...waiting, held.done])

    expect(order).toEqual(['heartbeat', 'urgent', 'ordinary'])
    await pool.close()
  })

  it('destroys a connection whose call is past its deadline, and makes another', async () => {
    const made: FakeConnection[] = []
    const pool = poolOf({ size: 1, deadlineMs: 20, made })

    await expect(pool.use((connection) => untilDestroyed(connection))).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
    })

    expect(made[0]?.isBroken).toBe(true)
    expect(await pool.use(async (connection) => connection)).toBe(made[1])
    await pool.close()
  })

  it('tells of a connection whose call was late, and closes when that has been dealt with', async () => {
    const dealtWith = Promise.withResolvers<void>()
    const late: FakeConnection[] = []
    const onLate = (connection: FakeConnection) => {
      late.push(connection)
      return dealtWith.promise
    }
    const pool = poolOf({ size: 1, deadlineMs: 20, onLate })
    await expect(pool.use((connection) => untilDestroyed(connection))).rejects.toThrow('did not answer')
    let isClosed = false

    const closed = pool.close().then(() => {
      isClosed = true
    })
    await new Promise((resolve) => setImmediate(resolve))

    expect([late.length, late[0]?.isBroken, isClosed]).toEqual([1, true, false])
    dealtWith.resolve()
    await closed
  })

  it('does not give out a connection that its server forgot', async () => {
    const made: FakeConnection[] = []
    const pool = poolOf({ size: 1, made })
    await fill(pool, 1)
    made[0]?.destroy()

    expect(await pool.use(async (connection) => connection)).toBe(made[1])
    await pool.close()
  })

  it('asks one that lay idle for long whether it still lives, and makes another within the deadline when all are silent', async () => {
    const made: FakeConnection[] = []
    const pool = poolOf({ size: 5, deadlineMs: 500, made })
    await fill(pool, 5)
    let asked = 0
    for (const connection of made) {
      connection.idleSince = LONG_AGO
      connection.check = () => {
        asked++
        return untilDestroyed(connection)
      }
    }
    const begun = performance.now()

    const used = await pool.use(async (connection) => connection)

    expect([asked, made.indexOf(used)]).toEqual([1, 5])
    expect(made.map(({ isBroken }) => isBroken)).toEqual([true, true, true, true, true, false])
    // Two seconds for each would have been ten.
    expect(performance.now() - begun).toBeLessThan(5_000)
    await pool.close()
  })

  it('keeps what was used a moment ago when one that lay idle for long does not answer', async () => {
    const made: FakeConnection[] = []
    const pool = poolOf({ size: 3, made })
    await fill(pool, 2)
    const held = hold(pool, 'urgent')
    await held.begun
    const answer = Promise.withResolvers<void>()
    for (const connection of made) Object.assign(connection, { idleSince: LONG_AGO, check: () => answer.promise })

    const call = pool.use(async (connection) => connection, 'urgent')
    held.end()
    await held.done
    answer.reject(new Error('it has ended'))

    // Whatever was opened ahead beside it.
    expect(made.slice(0, 2)).toContain(await call)
    expect(made.slice(0, 2).map(({ isBroken }) => isBroken)).toEqual(expect.arrayContaining([false, true]))
    await pool.close()
  })

  it('gives all tries of a call one deadline, and begins none after it', async () => {
    const pool = poolOf({ size: 2, deadlineMs: 50 })
    const tries = pool.tries()
    let begun = 0
    const attempt = (connection: FakeConnection) => {
      begun++
      return untilDestroyed(connection)
    }
    await expect(pool.use(attempt, 'ordinary', tries)).rejects.toThrow('did not answer')

    await expect(pool.use(attempt, 'ordinary', tries)).rejects.toThrow('did not answer')

    expect(begun).toBe(1)
    await pool.close()
  })

  it('tells what waits on a connection why it ends it, so that nobody takes that for another end', async () => {
    const pool = poolOf({ size: 1, deadlineMs: 50 })
    let reason: unknown
    const call = pool.use(
      (connection) =>
        new Promise((_, reject) => {
          connection.destroy = (why) => {
            reason = why
            connection.isBroken = true
            reject(new Error('the connection ended'))
          }
        }),
    )

    await expect(call).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })

    expect(reason).toMatchObject({ code: 'STORE_UNREACHABLE' })
    await pool.close()
  })

  it('tells a call so that is late since it waited for a lock, and keeps the connections that lie idle', async () => {
    const made: FakeConnection[] = []
    const pool = poolOf({ size: 2, deadlineMs: 500, made })
    await fill(pool, 2)
    const tries = pool.tries()
    const busy = new StoreError('transient', 'STORE_BUSY', 'it is busy: try restarting transaction', {
      fields: { code: 'ER_LOCK_WAIT_TIMEOUT' },
      hint: 'Look for locks.',
    })
    const call = pool.use(
      (connection) => {
        tries.waited = busy
        return untilDestroyed(connection)
      },
      'ordinary',
      tries,
    )

    await expect(call).rejects.toMatchObject({
      kind: 'transient',
      code: 'STORE_BUSY',
      fields: { code: 'ER_LOCK_WAIT_TIMEOUT', deadlineMs: 500 },
      message: expect.stringMatching(
        /did not end the call within 0.5 s: it waited for a lock. It may have been done all/,
      ),
      hint: 'Look for locks.',
      cause: busy,
    })

    expect(made.map(({ isBroken }) => isBroken).toSorted()).toEqual([false, true])
    await pool.close()
  })

  it('makes another connection when the server takes no writes: a new one may lead to the server that does', async () => {
    const made: FakeConnection[] = []
    const pool = poolOf({ size: 2, made })
    await fill(pool, 2)
    const readOnly = new StoreError('transient', 'STORE_READ_ONLY', 'it follows another')

    await expect(pool.use(() => Promise.reject(readOnly))).rejects.toBe(readOnly)

    expect(made.map(({ isBroken }) => isBroken)).toEqual([true, true])
    expect(await pool.use(async (connection) => connection)).toBe(made[2])
    await pool.close()
  })

  it('keeps a connection whose user may not write', async () => {
    const made: FakeConnection[] = []
    const pool = poolOf({ size: 1, made })
    const forbidden = new StoreError('schema', 'STORE_READ_ONLY', 'it forbids it')

    await expect(pool.use(() => Promise.reject(forbidden))).rejects.toBe(forbidden)

    expect(await pool.use(async (connection) => connection)).toBe(made[0])
    await pool.close()
  })

  it('refuses whoever waits when it is closed, and waits for those under way', async () => {
    const pool = poolOf({ size: 1 })
    const held = hold(pool)
    await held.begun
    const waiting = pool.use(async () => undefined)
    const refused = expect(waiting).rejects.toMatchObject({ code: 'STORE_CLOSED' })

    const closed = pool.close()
    await refused
    held.end()

    await Promise.all([closed, held.done])
    await expect(pool.use(async () => undefined)).rejects.toMatchObject({ code: 'STORE_CLOSED' })
  })
})
