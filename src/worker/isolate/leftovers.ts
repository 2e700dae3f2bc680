/**
 * What an attempt leaves behind in its isolate. A timer or a child process goes on for a job that is over, and its errors would be
 * charged to the next one: such an isolate is not used again. Sockets may stay, since pools of connections do no harm; after an
 * attempt that was aborted nothing may, since nobody knows what it was in the middle of.
 */

/** How many of each kind of thing keep the event loop going. */
export type Resources = ReadonlyMap<string, number>

const NEVER_LEFT: ReadonlySet<string> = new Set(['Timeout', 'Immediate', 'ProcessWrap', 'Worker'])

/** What keeps the event loop going now. */
export function resourcesNow(): Resources {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

/** The kinds of which there is more than before, as far as they count. */
export function leftSince(before: Resources, isAborted: boolean): readonly string[] {
  return [...resourcesNow()]
    .filter(([kind, count]) => count > (before.get(kind) ?? 0) && (isAborted || NEVER_LEFT.has(kind)))
    .map(([kind]) => kind)
}
