/** What processes share beside jobs: small values with compare-and-set, and who is alive. */
import type { NodeRow } from '../contract/store.ts'
import { healthText, NODE_COLUMNS, nodeOf } from './node-row.ts'
import { int, text } from './rows.ts'
import { type RowsStatement, rowsJson, type Session, type Transaction } from './session.ts'

const GET = 'SELECT value, version FROM millrace_state WHERE state_key = $1'
const CREATE: RowsStatement = {
  write: 'insert',
  table: 'state',
  columns: { state_key: 'text', value: 'text', version: 'int' },
  key: ['state_key'],
  onTaken: 'skip',
}
const SWAP = 'UPDATE millrace_state SET value = $1, version = version + 1 WHERE state_key = $2 AND version = $3'
const LIST =
  'SELECT state_key, value, version FROM millrace_state WHERE state_key >= $1 AND state_key < $2 ORDER BY state_key LIMIT $3'
const BEAT: RowsStatement = {
  write: 'insert',
  table: 'node',
  columns: {
    id: 'text',
    host: 'text',
    pid: 'int',
    version: 'text',
    names: 'text',
    queues: 'text',
    concurrency: 'int',
    running: 'int',
    started_at: 'int',
    seen_at: 'int',
    node_id: 'text',
    status: 'text',
    health: 'text',
  },
  key: ['id'],
  onTaken: ['names', 'queues', 'concurrency', 'running', 'seen_at', 'node_id', 'status', 'health'],
}
const NODES = `SELECT ${NODE_COLUMNS} FROM millrace_node WHERE seen_at >= $1 ORDER BY id`
const REMOVE = 'DELETE FROM millrace_node WHERE id = $1'
const FORGET = 'DELETE FROM millrace_node WHERE seen_at < $1'

/** A worker that has been silent this long is forgotten when another one beats. */
const FORGET_AFTER_MS = 86_400_000

/** See `StateFacet.get`. */
export async function getState(
  s: Session,
  key: string,
): Promise<{ readonly value: string; readonly version: number } | null> {
  const [row] = (await s.query(GET, [key])).rows
  return row === undefined ? null : { value: text(row[0]), version: int(row[1]) }
}

/** See `StateFacet.put`. */
export async function putState(
  s: Session,
  key: string,
  value: string,
  expected: number | null,
): Promise<number | null> {
  if (expected === null) {
    const { changes } = await s.query(CREATE, [rowsJson([{ state_key: key, value, version: 1 }])])
    return changes === 1 ? 1 : null
  }
  return (await s.query(SWAP, [value, key, expected])).changes === 1 ? expected + 1 : null
}

/** See `StateFacet.list`. */
export async function listState(
  s: Session,
  prefix: string,
  limit: number,
): Promise<readonly { readonly key: string; readonly value: string; readonly version: number }[]> {
  // Keys compare as bytes; U+10FFFF stands above whatever may follow the prefix.
  const { rows } = await s.query(LIST, [prefix, `${prefix}\u{10ffff}`, limit])
  return rows.map((row) => ({ key: text(row[0]), value: text(row[1]), version: int(row[2]) }))
}

/** See `ClusterFacet.beat`. */
export async function beat(tx: Transaction, node: Omit<NodeRow, 'seenAt' | 'startedAt'>): Promise<void> {
  const { id, host, pid, version, concurrency, running, status } = node
  const queues = node.queues === null ? null : JSON.stringify(node.queues)
  const names = JSON.stringify(node.names)
  const at = { started_at: tx.now, seen_at: tx.now }
  const more = { node_id: node.node, status, health: healthText(node) }
  await Promise.all([
    tx.query(BEAT, [rowsJson([{ id, host, pid, version, names, queues, concurrency, running, ...at, ...more }])]),
    tx.query(FORGET, [tx.now - FORGET_AFTER_MS]),
  ])
}

/** The workers seen since an instant. */
export async function nodes(s: Session, since: number): Promise<readonly NodeRow[]> {
  const { rows } = await s.query(NODES, [since])
  return rows.map(nodeOf)
}

/** See `ClusterFacet.remove`. */
export async function removeNode(s: Session, id: string): Promise<void> {
  await s.query(REMOVE, [id])
}
