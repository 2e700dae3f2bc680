/** What workers share beside jobs: small values with compare-and-set, and who is alive. */
import { MESSAGES_AT_ONCE, type Message, type NewMessage } from '../contract/index.ts'
import type { ClusterFacet, NodeRow, StateFacet } from '../contract/store.ts'
import { byText } from './sorted-set.ts'
import type { Tables } from './tables.ts'

/** A worker that has been silent this long is forgotten when another one beats. */
const FORGET_AFTER_MS = 86_400_000

/** The state facet; each call goes through `run`, which refuses those on a closed store. */
export function stateFacet(tables: Tables, run: <T>(work: (now: number) => T) => Promise<T>): StateFacet {
  return {
    get: (key) => run(() => tables.values.get(key) ?? null),
    put: (key, value, expected) =>
      run(() => {
        const known = tables.values.get(key)
        if ((known?.version ?? null) !== expected) return null
        const version = (known?.version ?? 0) + 1
        tables.values.set(key, { value, version })
        return version
      }),
    list: (prefix, limit) =>
      run(() => {
        const found = [...tables.values].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => byText(a, b))
        return found.slice(0, limit).map(([key, stored]) => ({ key, ...stored }))
      }),
  }
}

/** The cluster facet; each call goes through `run`. */
export function clusterFacet(
  tables: Tables,
  run: <T>(work: (now: number) => T, wakes?: boolean) => Promise<T>,
): ClusterFacet {
  return {
    beat: (node) => run((now) => beat(tables, node, now)),
    nodes: (withinMs) =>
      run((now) =>
        [...tables.nodes.values()].filter((node) => node.seenAt >= now - withinMs).sort((a, b) => byText(a.id, b.id)),
      ),
    remove: (id) =>
      run(() => {
        tables.nodes.delete(id)
      }),
    post: (message) => run((now) => post(tables, message, now), true),
    take: (to) => run((now) => take(tables, to, now)),
  }
}

function post(tables: Tables, { to, verb, by, ttlMs }: NewMessage, now: number): void {
  const message = { to, verb, by, postedAt: now, expiresAt: Math.floor(now + ttlMs) }
  tables.messages = [...tables.messages, message]
}

function take(tables: Tables, to: string, now: number): readonly Message[] {
  const mine = tables.messages.filter((message) => message.to === to && message.expiresAt > now)
  const taken = mine.slice(0, MESSAGES_AT_ONCE)
  tables.messages = tables.messages.filter((message) => !taken.includes(message))
  return taken
}

function beat(tables: Tables, node: Omit<NodeRow, 'seenAt' | 'startedAt'>, now: number): void {
  tables.nodes.set(node.id, { ...node, startedAt: tables.nodes.get(node.id)?.startedAt ?? now, seenAt: now })
  for (const { id, seenAt } of [...tables.nodes.values()]) {
    if (seenAt < now - FORGET_AFTER_MS) tables.nodes.delete(id)
  }
}
