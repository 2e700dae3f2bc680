/** Jobs as a claim brings them, for tests of what a worker does with them. */
import type { ClaimedJob } from '../../src/store/contract/index.ts'

/** A plain job of the name `a`, in its first attempt. */
export function claimedJob(other: Partial<ClaimedJob> = {}): ClaimedJob {
  return {
    id: 'id',
    name: 'a',
    version: 1,
    queue: 'q',
    priority: 5,
    payload: new Uint8Array(0),
    attempt: 1,
    attemptOffset: 0,
    losses: 0,
    crashes: 0,
    epoch: 1,
    createdAt: 0,
    runAt: 0,
    timeoutMs: null,
    retry: null,
    tags: [],
    ...other,
  }
}
