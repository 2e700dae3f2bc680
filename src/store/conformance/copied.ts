/** What the cases of copying share: whole stores copied, read and compared. */
import { COPY_PARTS, type CopyPart, type CopyParts, type Store } from '../contract/index.ts'
import { createMemoryStore } from '../memory/store.ts'
import { type Fixture, LEASE_MS, newJob } from './fixture.ts'

/** Gives a memory store that goes by the case's clock, as the other side of a copy. */
export async function withMemory(f: Fixture, body: (memory: Store) => Promise<void>): Promise<void> {
  const memory = createMemoryStore({ clock: f.clock })
  await memory.open()
  try {
    await body(memory)
  } finally {
    await memory.close()
  }
}

/** Copies every part, in pages of two, so that each has seams. */
export async function copyAll(from: Store, to: Store): Promise<void> {
  for (const part of COPY_PARTS) await copyPart(from, to, part)
}

async function copyPart<P extends CopyPart>(from: Store, to: Store, part: P): Promise<void> {
  await to.copy.write(part, await readAll(from, part, 2))
}

/** The items of a part, read in pages of so many. */
export async function readAll<P extends CopyPart>(
  store: Store,
  part: P,
  limit: number,
): Promise<readonly CopyParts[P][]> {
  return (await pagesOf(store, part, limit)).flat()
}

/** The pages of a part, of so many items at most. */
export async function pagesOf<P extends CopyPart>(
  store: Store,
  part: P,
  limit: number,
): Promise<readonly (readonly CopyParts[P][])[]> {
  const pages: (readonly CopyParts[P][])[] = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<typeof store.copy.read<P>>> = await store.copy.read(part, cursor, limit)
    pages.push(page.items)
    cursor = page.next
  } while (cursor !== null)
  return pages
}

/** Every part in an order that does not depend on the driver. */
export async function contents(store: Store): Promise<Readonly<Record<string, readonly unknown[]>>> {
  const parts = await Promise.all(
    COPY_PARTS.map(async (part) => [part, sorted(await readAll(store, part, 100))] as const),
  )
  return Object.fromEntries(parts)
}

function sorted(items: readonly unknown[]): readonly unknown[] {
  const nameOf = (item: unknown) => JSON.stringify(item, Object.keys(item ?? {}).toSorted())
  return items.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
}

/** Leaves nothing of jobs but their ids: so many are settled together, one group after the other. */
export async function forget(store: Store, groups: readonly number[]): Promise<readonly string[]> {
  const ids: string[] = []
  for (const count of groups) {
    await store.jobs.insert(Array.from({ length: count }, () => newJob({ queue: 'brief' })))
    const queues = [{ queue: 'brief', max: count }]
    const claim = { workerId: 'w1', queues, names: ['job'], limit: count, leaseMs: LEASE_MS }
    const { claimed } = await store.jobs.exchange({ workerId: 'w1', settle: [], claim })
    const settle = claimed.map(
      (job) => ({ ...leaseOf(job), runMs: 1, to: 'completed', result: null, forget: true }) as const,
    )
    await store.jobs.exchange({ workerId: 'w1', settle })
    ids.push(...claimed.map(({ id }) => id))
  }
  return ids
}

/** What a settlement needs of a claimed job. */
export function leaseOf({ id, epoch }: { readonly id: string; readonly epoch: number }) {
  return { id, epoch }
}
