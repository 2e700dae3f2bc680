/** What processes share beside jobs: small values with compare-and-set, and who is alive. */
import type { NodeRow } from '../contract/store.ts'
import { healthText, NODE_COLUMNS, nodeOf } from '../sql/node-row.ts'
import { int, text } from '../sql/rows.ts'
import type { Connection } from './connection.ts'

const GET = 'SELECT value, version FROM millrace_state WHERE key = ?'
const CREATE = 'INSERT INTO millrace_state (key, value, version) VALUES (?, ?, 1) ON CONFLICT (key) DO NOTHING'
const SWAP = 'UPDATE millrace_state SET value = ?2, version = version + 1 WHERE key = ?1 AND version = ?3'
const LIST = 'SELECT key, value, version FROM millrace_state WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3 + 0'
const BEAT =
  `INSERT INTO millrace_node (${NODE_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11, ?12) ` +
  'ON CONFLICT (id) DO UPDATE SET names = ?5, queues = ?6, concurrency = ?7, running = ?8, seen_at = ?9, node_id = ?10, ' +
  'status = ?11, health = ?12'
const NODES = `SELECT ${NODE_COLUMNS} FROM millrace_node WHERE seen_at >= ? ORDER BY id`
const REMOVE = 'DELETE FROM millrace_node WHERE id = ?'
const FORGET = 'DELETE FROM millrace_node WHERE seen_at < ?'

/** A worker that has been silent this long is forgotten when another one beats. */
const FORGET_AFTER_MS = 86_400_000

/** See `StateFacet.get`. */
export function getState(c: Connection, key: string): { readonly value: string; readonly version: number } | null {
  const row = c.get(GET, key)
  if (row === undefined) return null
  const [value, version] = row
  return { value: text(value), version: int(version) }
}

/** See `StateFacet.put`. */
export function putState(c: Connection, key: string, value: string, expected: number | null): number | null {
  if (expected === null) return c.sql(CREATE).run(key, value).changes === 1 ? 1 : null
  return c.sql(SWAP).run(key, value, expected).changes === 1 ? expected + 1 : null
}

/** See `StateFacet.list`. */
export function listState(
  c: Connection,
  prefix: string,
  limit: number,
): readonly { readonly key: string; readonly value: string; readonly version: number }[] {
  // Keys compare as bytes; U+10FFFF stands above whatever may follow the prefix.
  const rows = c.all(LIST, prefix, `${prefix}\u{10ffff}`, limit)
  return rows.map((row) => ({ key: text(row[0]), value: text(row[1]), version: int(row[2]) }))
}

/** See `ClusterFacet.beat`. */
export function beat(c: Connection, node: Omit<NodeRow, 'seenAt' | 'startedAt'>): void {
  const queues = node.queues === null ? null : JSON.stringify(node.queues)
  const now = c.now()
  c.sql(BEAT).run(
    node.id,
    node.host,
    node.pid,
    node.version,
    JSON.stringify(node.names),
    queues,
    node.concurrency,
    node.running,
    now,
    node.node,
    node.status,
    healthText(node),
  )
  c.sql(FORGET).run(now - FORGET_AFTER_MS)
}

/** See `ClusterFacet.nodes`. */
export function nodes(c: Connection, withinMs: number): readonly NodeRow[] {
  return c.all(NODES, c.now() - withinMs).map(nodeOf)
}

/** See `ClusterFacet.remove`. */
export function removeNode(c: Connection, id: string): void {
  c.sql(REMOVE).run(id)
}
