/** Reads and writes everything that the memory store holds, as it is. */
import type { CopiedJob, CopyPage, CopyPart, CopyParts, EdgeRow } from '../contract/index.ts'
import { isEnded, type Job, toRow } from './job.ts'
import { keyName, type Tables } from './tables.ts'

/** See `CopyFacet.read`. The cursor is the place in the list of all. Cost: O(everything). */
export function readPart<P extends CopyPart>(
  tables: Tables,
  part: P,
  cursor: string | null,
  limit: number,
): CopyPage<CopyParts[P]> {
  const from = Number(cursor ?? 0)
  // Each part's list is of its own type.
  const all = PARTS[part].all(tables) as readonly CopyParts[P][]
  const end = from + limit
  return { items: all.slice(from, end), next: end < all.length ? String(end) : null }
}

/** See `CopyFacet.write`. */
export function writePart<P extends CopyPart>(tables: Tables, part: P, items: readonly CopyParts[P][]): void {
  // The items are the part's, as the signature says.
  const { put, after } = PARTS[part] as Pick<Part<CopyParts[P]>, 'put' | 'after'>
  for (const item of items) put(tables, item)
  after?.(tables)
}

interface Part<T> {
  readonly all: (tables: Tables) => readonly T[]
  /** Leaves what is there. */
  readonly put: (tables: Tables, item: T) => void
  /** Puts in order what has an order of its own. */
  readonly after?: (tables: Tables) => void
}

const PARTS: { readonly [P in CopyPart]: Part<CopyParts[P]> } = {
  live: { all: (tables) => jobsOf(tables, false), put: putJob },
  archive: { all: (tables) => jobsOf(tables, true), put: putJob },
  edges: {
    all: (tables) =>
      [...tables.children].flatMap(([parentId, children]) =>
        [...children].map(([childId, policy]) => ({ parentId, childId, policy })),
      ),
    put: putEdge,
  },
  keys: {
    all: (tables) => [...tables.keys.values()],
    put(tables, hold) {
      const name = keyName(hold.scope, hold.key)
      if (!tables.keys.has(name)) tables.keys.set(name, hold)
    },
  },
  logs: {
    all: (tables) => [...tables.byId].flatMap((job) => job.logs.map((line) => ({ jobId: job.id, ...line }))),
    put(tables, { jobId, ...line }) {
      const logs = tables.jobs.get(jobId)?.logs
      if (logs?.some(({ seq }) => seq === line.seq) === false) logs.push(line)
    },
  },
  queues: {
    all: (tables) =>
      [...tables.paused].map(([name, { at, by, reason }]) => ({
        name,
        pausedAt: at,
        pausedBy: by,
        pauseReason: reason,
      })),
    put(tables, { name, pausedAt, pausedBy, pauseReason }) {
      if (pausedAt === null || tables.paused.has(name)) return
      tables.paused.set(name, { at: pausedAt, by: pausedBy ?? '', reason: pauseReason ?? '' })
    },
  },
  values: {
    all: (tables) => [...tables.values].map(([key, { value, version }]) => ({ key, value, version })),
    put(tables, { key, value, version }) {
      if (!tables.values.has(key)) tables.values.set(key, { value, version })
    },
  },
  remembered: {
    all: (tables) => [...tables.done].map(([id, doneAt]) => ({ id, doneAt })),
    put(tables, { id, doneAt }) {
      if (!tables.done.has(id)) tables.done.set(id, doneAt)
    },
    // They are let go of in the order in which they stand.
    after(tables) {
      const inOrder = [...tables.done].sort(([, a], [, b]) => a - b)
      tables.done.clear()
      for (const [id, at] of inOrder) tables.done.set(id, at)
    },
  },
}

function jobsOf(tables: Tables, ended: boolean): readonly CopiedJob[] {
  return [...tables.byId]
    .filter((job) => isEnded(job.state) === ended)
    .map((job) => {
      const { uniqueScope, startedAt, blockedOn, checkpoint } = job
      return { ...toRow(job), uniqueScope, startedAt, blockedOn, checkpoint }
    })
}

function putJob(tables: Tables, copied: CopiedJob): void {
  if (tables.jobs.has(copied.id)) return
  const job: Job = { ...copied, history: [...copied.history], logs: [] }
  tables.add(job)
}

/** The parent's row counts the edge already. */
function putEdge(tables: Tables, { parentId, childId, policy }: EdgeRow): void {
  const children = tables.children.get(parentId) ?? new Map()
  if (children.has(childId)) return
  tables.children.set(parentId, children.set(childId, policy))
  const parents = tables.parents.get(childId) ?? new Set()
  tables.parents.set(childId, parents.add(parentId))
}
