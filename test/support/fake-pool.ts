/** Pools of connections that lead nowhere. */
import { Pool } from '../../src/store/sql/pool.ts'
import type { Pooled } from '../../src/store/sql/pooled.ts'
import type { Urgency } from '../../src/store/sql/shares.ts'

/** A connection that leads nowhere. */
export class FakeConnection implements Pooled {
  isBroken = false
  idleSince = 0
  async check(): Promise<void> {}
  async close(): Promise<void> {
    this.isBroken = true
  }
  destroy(_reason?: unknown): void {
    this.isBroken = true
  }
}

/** An open pool. `made`: its connections, as they are made. */
export function poolOf({
  size,
  deadlineMs = 30_000,
  made = [],
  connect = async () => new FakeConnection(),
  onLate = async () => undefined,
}: {
  readonly size: number
  readonly deadlineMs?: number
  readonly made?: FakeConnection[]
  readonly connect?: (signal: AbortSignal, timeoutMs: number) => Promise<FakeConnection>
  readonly onLate?: (connection: FakeConnection) => Promise<void>
}): Pool<FakeConnection> {
  const pool = new Pool({
    where: 'a fake',
    size,
    deadlineMs,
    connect: async (timeoutMs, signal) => {
      const connection = await connect(signal, timeoutMs)
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
export function openings() {
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
export async function fill(pool: Pool<FakeConnection>, count: number): Promise<void> {
  const held = Array.from({ length: count }, () => hold(pool, 'heartbeat'))
  await Promise.all(held.map(({ begun }) => begun))
  for (const { end } of held) end()
  await Promise.all(held.map(({ done }) => done))
}

/** A call that lasts until it is ended. */
export function hold(pool: Pool<FakeConnection>, urgency: Urgency = 'ordinary') {
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
    }, urgency),
  }
  return call
}

/** A call whose answer never comes: it fails once its connection is destroyed. */
export function untilDestroyed(connection: FakeConnection): Promise<never> {
  return new Promise((_, reject) => {
    const destroy = connection.destroy.bind(connection)
    connection.destroy = () => {
      destroy()
      reject(new Error('the connection ended'))
    }
  })
}
