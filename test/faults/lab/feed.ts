/** A load that goes on for as long as faults are brought about: some jobs always wait, and never so many that they hide a late one. */
import type { Laboratory, Producer } from './laboratory.ts'
import { now } from './ledgers.ts'

/** How much is sent. */
export interface FeedOptions {
  /** So many jobs, if it is not over before that. */
  readonly jobs: number
  /** So many wait or run at a time, and at most a batch more. */
  readonly ahead: number
  /** Jobs of a batch. */
  readonly batch: number
  readonly longestMs: number
  /** A second at most: a run that lasts long is not to have more than it takes. */
  readonly perS: number
  /** Goes on beyond `jobs` while this is false. */
  readonly isOver: () => boolean
}

/** Of each batch so many commit their effect themselves, and the last job waits for so many of those before it. */
const COMMITTED = 0.05
const PARENTS = 10
const LOOK_MS = 20

/** Feeds. Resolves with the number of jobs sent, and with how many a second that were. */
export async function feed(
  lab: Laboratory,
  producer: Producer,
  { jobs, ahead, batch, longestMs, perS, isOver }: FeedOptions,
): Promise<{ readonly sent: number; readonly sentPerS: number }> {
  const begun = now()
  const committed = Math.ceil(batch * COMMITTED)
  const inputs = (count: number) => Array.from({ length: count }, () => ({ ms: lab.between(0, longestMs + 1) }))
  let sent = 0
  while (sent < jobs || !isOver()) {
    const isEarly = sent > ((now() - begun) / 1_000) * perS
    if (isEarly || (await lab.left(ahead)) >= ahead) {
      await lab.rest(LOOK_MS, LOOK_MS)
      continue
    }
    await producer.send({ kind: 'committed', inputs: inputs(committed) })
    await producer.send({ kind: 'work', inputs: inputs(batch - committed - 1) })
    await producer.send({ kind: 'work', inputs: inputs(1), parents: PARENTS })
    sent += batch
  }
  return { sent, sentPerS: Math.round((sent / (now() - begun)) * 1_000) }
}
