/**
 * What an attempt leaves behind in its isolate. A timer or a child process goes on for a job that is over, and its errors would be
 * charged to the next one: such an isolate is not used again. So it is with a request under way, a file being written or a name being
 * looked up, whose promise nobody awaits: it is given a moment to end, so that its error is that of the attempt it belongs to and
 * what it writes is whole. Sockets may stay, since pools of connections do no harm; after an attempt that was aborted nothing may,
 * since nobody knows what it was in the middle of.
 *
 * Node names neither what `node:crypto` and `node:zlib` compute beside the event loop nor what `dns.resolve` asks.
 */
import { setTimeout as wait } from 'node:timers/promises'

/** How many of each kind of thing keep the event loop going. */
export type Resources = ReadonlyMap<string, number>

/** What `process.getActiveResourcesInfo` calls them in Node 24: files, names of hosts, connections that are being made. */
const REQUESTS: ReadonlySet<string> = new Set([
  'FSReqPromise',
  'FSReqCallback',
  'CloseReq',
  'GetAddrInfoReqWrap',
  'GetNameInfoReqWrap',
  'ConnectWrap',
])
const NEVER_LEFT: ReadonlySet<string> = new Set(['Timeout', 'Immediate', 'ProcessWrap', 'Worker', ...REQUESTS])

const MOST_WAIT_MS = 100

/** What keeps the event loop going now. */
export function resourcesNow(): Resources {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

/** Resolves when the requests begun since then have ended, at once when there are none, and within 100 ms in any case. */
export async function requestsEnded(before: Resources): Promise<void> {
  const until = performance.now() + MOST_WAIT_MS
  while (moreThan(before).some((kind) => REQUESTS.has(kind)) && performance.now() < until) await wait(1)
}

/** The kinds of which there is more than before, as far as they count. */
export function leftSince(before: Resources, isAborted: boolean): readonly string[] {
  return moreThan(before).filter((kind) => isAborted || NEVER_LEFT.has(kind))
}

function moreThan(before: Resources): readonly string[] {
  return [...resourcesNow()].filter(([kind, count]) => count > (before.get(kind) ?? 0)).map(([kind]) => kind)
}
