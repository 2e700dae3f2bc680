/** What a pool needs of its connections, and how it tells whether one that lay idle still lives. */
import { leftUntil } from './line.ts'

/** What the pool needs of a connection. */
export interface Pooled {
  /** Whether it is of no more use. */
  readonly isBroken: boolean
  /** Since when it lies idle, by `performance.now()`, or did before its last use; 0: it is new. */
  idleSince: number
  /** Resolves when the server answers on it. */
  check(): Promise<void>
  /** Says goodbye to the server. */
  close(): Promise<void>
  /** Ends it at once; whatever waits on it fails, with `reason` where the driver lets it. */
  destroy(reason?: unknown): void
}

/** A connection that was used so recently is taken as it is. */
const TRUSTED_MS = 10_000
/** How long one that lay idle may take to answer. */
const PING_MS = 2_000
/** But no more of what its call has left, so that there is time to make another. */
const PING_SHARE = 1 / 3

/** Whether it lay idle for so long that its server may have forgotten it. */
export function isStale(connection: Pooled): boolean {
  return performance.now() - connection.idleSince >= TRUSTED_MS
}

/** Whether a connection that lay idle may be used. A stale one is asked; when it does not answer soon it is destroyed. */
export async function isAlive(connection: Pooled, deadline: number): Promise<boolean> {
  if (connection.isBroken || !isStale(connection)) return !connection.isBroken
  const timer = setTimeout(() => connection.destroy(), Math.min(PING_MS, leftUntil(deadline) * PING_SHARE))
  try {
    await connection.check()
  } catch {
    // Whatever it said, another connection is made.
    connection.destroy()
  } finally {
    clearTimeout(timer)
  }
  return !connection.isBroken
}
