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
 * What became of it. `done`: each worker is paused, claims again, or has ended, which only a row that was taken away says. `draining`:
 * it has begun to end, and jobs still run. `unanswered`: nothing was seen of it in time, or it is silent: its event loop is blocked,
 * or it is dead and its node too. `missing`: no live worker or node has this id.
 */
export type AskResult = 'done' | 'draining' | 'unanswered' | 'missing'

const OPTIONS = ['by', 'timeout']
const LOOK_EVERY_MS = 100
const TTL_MS = 300_000
/** Longer than anybody waits: until then the row of a worker that says nothing is there, unless somebody takes it away. */
const ROW_WITHIN_MS = 86_400_000

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
  const targets = await targetsOf(store, id)
  if (targets.length === 0) return 'missing'
  await store.cluster.post({ to: id, verb, by: options.by ?? 'an app', ttlMs: TTL_MS })
  const end = clock.monotonic() + timeoutMs
  for (;;) {
    const answer = answerOf(await rowsOf(store, targets), verb)
    if (answer === 'done' || clock.monotonic() >= end) return answer
    await new Promise<void>((resolve) => {
      // Holds the process: somebody waits for this.
      const timer = setTimeout(resolve, LOOK_EVERY_MS)
      timer.ref()
    })
  }
}

/** A worker's row, and whether it tells how the worker is now. */
interface Told {
  readonly row: NodeRow
  readonly isLive: boolean
}

/**
 * The ids of the workers that are meant, none when none of them is alive. Of a node also those that have been silent for a while: it
 * looks after them, and takes the row of a dead one away.
 */
async function targetsOf(store: Store, id: string): Promise<readonly string[]> {
  const isOf = (row: NodeRow) => row.id === id || row.node === id
  if (!(await liveWorkers(store)).some(isOf)) return []
  // One whose row could not be taken away, long ago, is no answer that is missing.
  return (await store.cluster.nodes(TTL_MS)).filter(isOf).map((row) => row.id)
}

/** What there is of these workers. */
async function rowsOf(store: Store, ids: readonly string[]): Promise<readonly Told[]> {
  const live = new Set((await liveWorkers(store)).map((row) => row.id))
  const rows = await store.cluster.nodes(ROW_WITHIN_MS)
  return rows.filter((row) => ids.includes(row.id)).map((row) => ({ row, isLive: live.has(row.id) }))
}

function answerOf(told: readonly Told[], verb: MessageVerb): AskResult {
  const isSo = (is: (status: NodeRow['status']) => boolean) => told.every(({ row, isLive }) => isLive && is(row.status))
  switch (verb) {
    case 'pause':
      // One that ends claims nothing either.
      return isSo((status) => status !== 'running') ? 'done' : 'unanswered'
    case 'resume':
      return isSo((status) => status !== 'paused') ? 'done' : 'unanswered'
    case 'stop':
    case 'restart':
      if (told.length === 0) return 'done'
      return told.some(({ row, isLive }) => isLive && row.status === 'draining') ? 'draining' : 'unanswered'
    default:
      return verb satisfies never
  }
}
