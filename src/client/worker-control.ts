/** Steering workers and nodes from any machine: a message through the store, and a look at what became of it. */
import type { Clock } from '../base/clock.ts'
import { ALIVE_WITHIN_MS } from '../core/alive.ts'
import { type Duration, parseDuration } from '../core/duration.ts'
import { checkOptions } from '../core/options.ts'
import { MESSAGE_VERBS, type MessageVerb, type NodeRow, type Store } from '../store/contract/index.ts'
import { oneOf } from './arguments.ts'

/** How a worker or a node is asked. */
export interface AskOptions {
  /** Who asks, for logs. Default `an app`. */
  readonly by?: string
  /** How long to wait for it to be done, default 30 s. It may still be done later, within 5 minutes. */
  readonly timeout?: Duration
}

/**
 * What became of it. `done`: each worker is paused, claims again, or has ended. `draining`: it has begun to end, and jobs still run.
 * `unanswered`: nothing was seen of it in time. `missing`: no live worker or node has this id.
 */
export type AskResult = 'done' | 'draining' | 'unanswered' | 'missing'

const OPTIONS = ['by', 'timeout']
const LOOK_EVERY_MS = 100
const TTL_MS = 300_000

/** Workers that reported themselves lately. */
export function liveWorkers(store: Store): Promise<readonly NodeRow[]> {
  return store.cluster.nodes(ALIVE_WITHIN_MS)
}

/** Asks one worker, or all of a node, by id. Resolves when it is done, or with what it has come to when the time is over. */
export async function askWorker(
  store: Store,
  clock: Clock,
  id: string,
  verb: MessageVerb,
  options: AskOptions = {},
): Promise<AskResult> {
  checkOptions(options, OPTIONS, 'askWorker')
  oneOf(verb, 'the verb', MESSAGE_VERBS)
  const timeoutMs = parseDuration(options.timeout ?? 30_000, 'timeout')
  const before = (await liveWorkers(store)).filter(isOf(id)).map((row) => row.id)
  if (before.length === 0) return 'missing'
  await store.cluster.post({ to: id, verb, by: options.by ?? 'an app', ttlMs: TTL_MS })
  const end = clock.monotonic() + timeoutMs
  for (;;) {
    const rows = (await liveWorkers(store)).filter((row) => before.includes(row.id))
    const answer = answerOf(rows, verb)
    if (answer === 'done' || clock.monotonic() >= end) return answer
    await new Promise<void>((resolve) => {
      // Holds the process: somebody waits for this.
      const timer = setTimeout(resolve, LOOK_EVERY_MS)
      timer.ref()
    })
  }
}

function isOf(id: string): (row: NodeRow) => boolean {
  return (row) => row.id === id || row.node === id
}

function answerOf(rows: readonly NodeRow[], verb: MessageVerb): AskResult {
  const isDraining = rows.some((row) => row.status === 'draining')
  switch (verb) {
    case 'pause':
      // One that ends claims nothing either.
      return rows.every((row) => row.status !== 'running') ? 'done' : 'unanswered'
    case 'resume':
      return rows.every((row) => row.status !== 'paused') ? 'done' : 'unanswered'
    case 'stop':
    case 'restart':
      return rows.length === 0 ? 'done' : isDraining ? 'draining' : 'unanswered'
    default:
      return verb satisfies never
  }
}
