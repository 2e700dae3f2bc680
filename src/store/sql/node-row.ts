/** A worker's row of the SQL stores as the contract's object. */
import { type NodeRow, readHealth, readStatus } from '../contract/index.ts'
import { type Columns, int, listOrNull, text, textOrNull } from './rows.ts'

/** What `nodeOf` reads, in its order. */
export const NODE_COLUMNS =
  'id, host, pid, version, names, queues, concurrency, running, started_at, seen_at, node_id, status, health'

/** A row of `NODE_COLUMNS` as a worker. */
export function nodeOf(row: Columns): NodeRow {
  return {
    id: text(row[0]),
    host: text(row[1]),
    pid: int(row[2]),
    version: text(row[3]),
    names: listOrNull(row[4]) ?? [],
    queues: row[5] === null ? null : (listOrNull(row[5]) ?? []),
    concurrency: int(row[6]),
    running: int(row[7]),
    startedAt: int(row[8]),
    seenAt: int(row[9]),
    node: textOrNull(row[10]),
    status: readStatus(row[11]),
    health: readHealth(row[12]),
  }
}

/** A worker's health as it is stored. */
export function healthText({ health }: Pick<NodeRow, 'health'>): string | null {
  return health === null ? null : JSON.stringify(health)
}
