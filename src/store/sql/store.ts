/** The facets of a SQL store: the slow road's operations over a `Database`, the hot ones as the driver gives them. */
import { StoreError } from '../../core/errors.ts'
import type { ExchangeRequest, ExchangeResult, JobsFacet } from '../contract/index.ts'
import type { ClusterFacet, QueuesFacet, StateFacet } from '../contract/store.ts'
import { readCheckpoint, saveCheckpoint } from './checkpoint.ts'
import { cancel, prune, remove, retry, update } from './control.ts'
import { changeWhere } from './control-where.ts'
import { expire, nextDue, promote, unblock } from './due.ts'
import { hasLeases, reclaim, recover, report, start } from './lease.ts'
import { post, take } from './mailbox.ts'
import { clearQueue, listQueues, pauseQueue, queueStats, resumeQueue } from './queues.ts'
import { countJobs, edgesOf, finishedJobs, jobById, listJobs, logLines } from './read.ts'
import { reseal } from './reseal.ts'
import type { Sight } from './rows.ts'
import type { Database, QuerySession } from './session.ts'
import { beat, getState, listState, nodes, putState, removeNode } from './shared.ts'

/** What each driver writes itself. */
export interface HotPath extends Pick<JobsFacet, 'insert' | 'insertWithin' | 'settleWithin'> {
  exchange(request: ExchangeRequest): Promise<ExchangeResult>
  /** Extends leases, of which there is one at least, in one round trip where it can. */
  readonly extend: JobsFacet['extend']
  readonly extendWaiting: JobsFacet['extendWaiting']
  /** Takes back jobs whose lease has ended, where the shared statement does not know. */
  readonly reclaim?: JobsFacet['reclaim']
}

/** The jobs facet of a SQL store. */
export function jobsFacet(db: Database, hot: HotPath): JobsFacet {
  /** What may end jobs or make them claimable tells others about it. */
  const told = async <T>(change: Promise<T>, isNews: (result: T) => boolean): Promise<T> => {
    const result = await change
    if (isNews(result)) db.hint()
    return result
  }
  const seen = seeing(db)
  const some = <T>(results: readonly T[]) => results.length > 0
  const each = async <T>(ids: readonly string[], change: () => Promise<readonly T[]>): Promise<readonly T[]> =>
    ids.length === 0 ? db.read(async () => []) : told(change(), some)
  return {
    insert: hot.insert,
    insertWithin: hot.insertWithin,
    settleWithin: hot.settleWithin,
    exchange: hot.exchange,
    extend: (workerId, leases, leaseMs) =>
      leases.length === 0 ? db.read(async () => []) : hot.extend(workerId, leases, leaseMs),
    extendWaiting: (workerId, leases, leaseMs, waitMs) =>
      leases.length === 0 ? db.read(async () => []) : hot.extendWaiting(workerId, leases, leaseMs, waitMs),
    start: (workerId, lease) => db.transact((tx) => start(tx, workerId, lease), 'urgent'),
    report: (workerId, reports) => db.transact((tx) => report(tx, workerId, reports), 'urgent'),
    saveCheckpoint: (workerId, lease, bytes) =>
      db.transact((tx) => saveCheckpoint(tx, workerId, lease, bytes), 'urgent'),
    checkpoint: (id) => db.read((s) => readCheckpoint(s, id)),
    promote: (limit) =>
      told(
        db.transact((tx) => promote(tx, limit)),
        (count) => count > 0,
      ),
    expire: (limit) =>
      told(
        db.transact((tx) => expire(tx, limit)),
        (count) => count > 0,
      ),
    nextDue: () => db.read(nextDue),
    async reclaim(limit) {
      if (!(await db.read(hasLeases))) return []
      return told(hot.reclaim?.(limit) ?? db.transact((tx) => reclaim(tx, limit)), some)
    },
    recover: (workerId, started, limit) => told(recover(db, workerId, started, limit), some),
    unblock: (keyIds, limit) =>
      told(
        db.transact((tx) => unblock(tx, keyIds, limit)),
        (count) => count > 0,
      ),
    cancel: (ids) => each(ids, () => db.transact((tx) => cancel(tx, ids))),
    retry: (ids) => each(ids, () => db.transact((tx) => retry(tx, ids))),
    update: (ids, change) => each(ids, () => db.transact((tx) => update(tx, ids, change))),
    remove: (ids) => each(ids, () => db.transact((tx) => remove(tx, ids))),
    prune: (retention, limit) => db.transact((tx) => prune(tx, retention, limit)),
    get: (id) => seen((s, sight) => jobById(s, id, sight)),
    finished: (ids) => seen((s, sight) => finishedJobs(s, ids, sight)),
    list: (request) => seen((s, sight) => listJobs(s, db.dialect.words, request, sight)),
    count: (filter, cap, cursor) => db.read((s) => countJobs(s, db.dialect.words, filter, cap, cursor)),
    changeWhere: (request) => changeWhere(db, request),
    logs: (id, afterSeq, limit) => db.read((s) => logLines(s, id, afterSeq, limit)),
    edges: (id) => db.read((s) => edgesOf(s, id)),
    reseal: (cursor, limit, visit) => reseal(db, cursor, limit, visit),
  }
}

/**
 * Runs reads of jobs. A viewer may be kept from payloads by the database itself (docs/postgresql.md, docs/mysql.md); it refuses
 * the first read then, and from there on jobs are read without them.
 */
function seeing(db: Database) {
  let sight: Sight = 'all'
  return async <T>(read: (session: QuerySession, sight: Sight) => Promise<T>): Promise<T> => {
    try {
      return await db.read((session) => read(session, sight))
    } catch (error) {
      const isForbidden = error instanceof StoreError && error.code === 'STORE_READ_ONLY' && error.kind === 'schema'
      if (sight === 'open' || !isForbidden) throw error
      // Forbidden without them too: it was not about payloads, and the first error says what it was about.
      const result = await db.read((session) => read(session, 'open')).catch(() => Promise.reject(error))
      sight = 'open'
      return result
    }
  }
}

/** The queues facet of a SQL store. */
export function queuesFacet(db: Database): QueuesFacet {
  return {
    list: () => db.read(listQueues),
    stats: (queue) => db.read((s) => queueStats(s, queue)),
    pause: (queue, by, reason) => db.transact((tx) => pauseQueue(tx, queue, by, reason)),
    async resume(queue) {
      await db.transact((tx) => resumeQueue(tx, queue))
      db.hint()
    },
    async clear(queue, states, limit) {
      const count = await db.transact((tx) => clearQueue(tx, queue, states, limit))
      if (count > 0) db.hint()
      return count
    },
  }
}

/** The state facet of a SQL store. */
export function stateFacet(db: Database): StateFacet {
  return {
    get: (key) => db.read((s) => getState(s, key)),
    put: (key, value, expected) => db.transact((tx) => putState(tx, key, value, expected)),
    list: (prefix, limit) => db.read((s) => listState(s, prefix, limit)),
  }
}

/** The cluster facet of a SQL store. */
export function clusterFacet(db: Database): ClusterFacet {
  return {
    beat: (node) => db.transact((tx) => beat(tx, node), 'urgent'),
    nodes: async (withinMs) => {
      const since = Math.floor((await db.time()) - withinMs)
      return db.read((s) => nodes(s, since))
    },
    remove: (id) => db.transact((tx) => removeNode(tx, id)),
    async post(message) {
      await db.transact((tx) => post(tx, message))
      db.hint()
    },
    take: (to) => take(db, to),
  }
}
