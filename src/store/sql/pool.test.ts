import { describe, expect, it } from 'vitest'
import { StoreError } from '../../core/errors.ts'
import { Pool, type Pooled } from './pool.ts'

class FakeConnection implements Pooled {
  isBroken = false
  idleSince = 0
  async check(): Promise<void> {}
  async close(): Promise<void> {
    this.isBroken = true
  }
  destroy(): void {
    this.isBroken = true
  }
}

describe('a pool', () => {
  it('keeps a connection for urgent calls, also when all of them lay idle before', async () => {
    const pool = poolOf({ size: 2 })
    await fill(pool, 2)
    const held = hold(pool)
    const second = hold(pool)
    await held.begun

    expect(await pool.use(async () => 'urgent', true)).toBe('urgent')

    expect(second.hasBegun).toBe(false)
    held.end()
    await second.begun
    second.end()
    await Promise.all([held.done, second.done])
    await pool.close()
  })

  it('gives a free connection to the urgent one of those who wait', async () => {
    const pool = poolOf({ size: 1 })
    const held = hold(pool)
    await held.begun
    const order: string[] = []
    const ordinary = pool.use(async () => order.push('ordinary'))
    const urgent = pool.use(async () => order.push('urgent'), true)

    held.end()
    await Promise.all([ordinary, urgent, held.done])

    expect(order).toEqual(['urgent', 'ordinary'])
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
    const opening = openings()
    const pool = poolOf({ size: 3, connect: opening.connect })
    const first = pool.use(async () => undefined, true)
    opening.next()
    await first
    const exchange = hold(pool, true)
    await exchange.begun
    expect(opening.count).toBe(2)
    opening.next()

    await pool.use(async () => undefined, true)
    const beside = [hold(pool, true), hold(pool, true)]

    opening.next()
    expect(opening.count).toBe(3)
    const all = [exchange, ...beside]
    for (const { begun } of all) await begun
    for (const { end } of all) end()
    await Promise.all(all.map(({ done }) => done))
    await pool.close()
  })

  it('tells nobody of a connection that it could not open ahead, and does not try again at once', async () => {
    const opening = openings()
    const pool = poolOf({ size: 3, connect: opening.connect })
    const first = pool.use(async () => undefined, true)
    opening.next()
    await first

    const calls = Array.from({ length: 5 }, () => () => pool.use(async () => 'answered', true))
    const answers = [await calls[0]?.()]
    opening.next(new Error('too many connections'))
    for (const call of calls.slice(1)) answers.push(await call())

    expect(answers).toEqual(Array(5).fill('answered'))
    expect(opening.count).toBe(2)
    await pool.close()
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

  it('ends what is being opened for nobody when it is closed', async () => {
    const opening = openings()
    const pool = poolOf({ size: 3, connect: opening.connect })
    const first = pool.use(async () => undefined, true)
    opening.next()
    await first
    await pool.use(async () => undefined, true)
    expect(opening.count).toBe(2)

    await pool.close()

    expect(opening.ended).toBe(1)
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

function poolOf({
  size,
  deadlineMs = 30_000,
  made = [],
  connect = async () => new FakeConnection(),
  onLate = async () => undefined,
}: {
  readonly size: number
  readonly deadlineMs?: number
  readonly made?: FakeConnection[]
  readonly connect?: (signal: AbortSignal) => Promise<FakeConnection>
  readonly onLate?: (connection: FakeConnection) => Promise<void>
}): Pool<FakeConnection> {
  const pool = new Pool({
    where: 'a fake',
    size,
    deadlineMs,
    connect: async (_, signal) => {
      const connection = await connect(signal)
      made.push(connection)
      return connection
    },
    isLost: () => false,
    translate: (error) => error,
    onLate,
  })
  pool.open()
  return pool
}

/** Connecting that is answered by hand: `next` opens the oldest that was asked for, or fails it. */
function openings() {
  const waiting: PromiseWithResolvers<FakeConnection>[] = []
  const all = {
    count: 0,
    /** How many were given up. */
    ended: 0,
    connect(signal: AbortSignal) {
      all.count++
      const opening = Promise.withResolvers<FakeConnection>()
      waiting.push(opening)
      signal.addEventListener('abort', () => {
        if (waiting.includes(opening)) all.ended++
        opening.reject(new Error('given up'))
      })
      return opening.promise
    },
    next(error?: Error) {
      const opening = waiting.shift()
      if (error === undefined) opening?.resolve(new FakeConnection())
      else opening?.reject(error)
    },
  }
  return all
}

/** Has `count` connections made that then lie idle. */
async function fill(pool: Pool<FakeConnection>, count: number): Promise<void> {
  const held = Array.from({ length: count }, () => hold(pool, true))
  await Promise.all(held.map(({ begun }) => begun))
  for (const { end } of held) end()
  await Promise.all(held.map(({ done }) => done))
}

/** A call that lasts until it is ended. */
function hold(pool: Pool<FakeConnection>, isUrgent = false) {
  const begun = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  const call = {
    hasBegun: false,
    begun: begun.promise,
    end: ended.resolve,
    done: pool.use(async () => {
      call.hasBegun = true
      begun.resolve()
      await ended.promise
    }, isUrgent),
  }
  return call
}

/** A call whose answer never comes: it fails once its connection is destroyed. */
function untilDestroyed(connection: FakeConnection): Promise<never> {
  return new Promise((_, reject) => {
    const destroy = connection.destroy.bind(connection)
    connection.destroy = () => {
      destroy()
      reject(new Error('the connection ended'))
    }
  })
}
