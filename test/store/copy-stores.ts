/** Stores for tests of copying: opened, and one with something of every part. */
import { onTestFinished } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import type { CopyPart, NewJob, Settlement, Store } from '../../src/store/contract/index.ts'

const LEASE_MS = 60_000

/** The program that copies in a process of its own. */
export const COPIER = new URL('copier.ts', import.meta.url).pathname

/** The store at a URL, with tables, closed after the test. */
export async function opened(url: string): Promise<Store> {
  const store = await createStore(url)
  await store.open()
  onTestFinished(() => store.close())
  await store.migrate()
  return store
}

export function payload(length: number): Uint8Array {
  return new Uint8Array(length).fill(5)
}

export function job(parts: Partial<NewJob> = {}): NewJob {
  return { id: newId(), name: 'n', version: 1, queue: 'q', priority: 5, payload: payload(20), ...parts }
}

/** Claims from a queue. */
export async function claimable(store: Store, limit = 100, queue = 'q') {
  const claim = { workerId: 'w', queues: [{ queue, max: limit }], names: ['n'], limit, leaseMs: LEASE_MS }
  const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim })
  return claimed.map(({ id, epoch }) => ({ id, epoch }))
}

/** Fills a store so that no part is empty; nothing in it runs. */
export async function fillEachPart(store: Store): Promise<void> {
  const parent = job()
  const ended = [job({ queue: 'ended' }), job({ queue: 'ended' })]
  const brief = [job({ queue: 'brief' }), job({ queue: 'brief' }), job({ queue: 'brief' })]
  await store.jobs.insert([
    ...[parent, job({ dependsOn: [{ parentId: parent.id, policy: 'fail' }] })],
    ...[job({ payload: payload(5_000) }), job({ unique: { scope: 's', key: 'k', onConflict: 'reject' } })],
    ...ended,
    ...brief,
  ])
  const running = await claimable(store, 2, 'ended')
  const logs = [{ seq: 1, level: 'info', message: payload(9) }] as const
  await store.jobs.report(
    'w',
    running.map((lease) => ({ ...lease, logs })),
  )
  const completed = { runMs: 1, to: 'completed', result: payload(3_000) } as const
  await settle(
    store,
    running.map((lease) => ({ ...lease, ...completed })),
  )
  const gone = { runMs: 1, to: 'completed', result: null, forget: true } as const
  await settle(
    store,
    (await claimable(store, 3, 'brief')).map((lease) => ({ ...lease, ...gone })),
  )
  await store.queues.pause('q', 'ana', 'moving')
  await store.state.put('a value', 'of the app', null)
}

/** The store, with something that happens before a part of it is read for the nth time. */
export function beforeRead(store: Store, part: CopyPart, nth: number, act: () => Promise<void>): Store {
  let reads = 0
  const read: Store['copy']['read'] = async (...args) => {
    if (args[0] === part && ++reads === nth) await act()
    return store.copy.read(...args)
  }
  return new Proxy(store, {
    get: (target, key) => (key === 'copy' ? { ...target.copy, read } : Reflect.get(target, key)),
  })
}

async function settle(store: Store, settlements: readonly Settlement[]): Promise<void> {
  await store.jobs.exchange({ workerId: 'w', settle: settlements })
}
