import { expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import { liveWorkers } from '../client/worker-control.ts'
import { Registry } from '../job/registry.ts'
import { createMemoryStore } from '../store/memory/store.ts'
import { workerSettings } from '../worker/options.ts'
import { WorkerRow, type WorkerRowParts } from './worker-row.ts'

test.each([{ lease: '5m' }, { lease: '10m', heartbeat: '4m' }, {}])(
  'a worker with %o is alive for everybody at any time, however seldom it extends its leases',
  async (options) => {
    const clock = new ManualClock()
    const store = createMemoryStore({ clock })
    await store.open()
    await store.migrate()
    const row = rowOf({
      store,
      clock,
      settings: workerSettings(options),
      wrote: () => undefined,
      couldNotWrite: (_, error) => expect.fail(String(error)),
    })
    row.start()
    const looks: (readonly string[])[] = []
    for (let seconds = 0; seconds < 300; seconds += 5) {
      clock.advance(seconds === 0 ? 0 : 5_000)
      await new Promise((resolve) => setImmediate(resolve))
      looks.push((await liveWorkers(store)).map(({ id }) => id))
    }
    await row.stop()

    expect(looks).toEqual(Array(60).fill(['w']))
  },
)

test('a row that could not be written is tried again no later than it would be written anyway', async () => {
  const clock = new ManualClock()
  const store = createMemoryStore({ clock })
  const triedAt: number[] = []
  const refusal = new Error('it takes no writes')
  const beat = async () => {
    triedAt.push(clock.monotonic())
    throw refusal
  }
  const failures: unknown[] = []
  const row = rowOf({
    store: { ...store, cluster: { ...store.cluster, beat } },
    clock,
    settings: workerSettings({ lease: '12s' }),
    wrote: () => expect.fail('it was not written'),
    couldNotWrite: (_, error) => failures.push(error),
  })
  row.start()
  for (let seconds = 0; seconds <= 20; seconds++) {
    clock.advance(seconds === 0 ? 0 : 1_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await row.stop()

  expect(triedAt).toEqual([0, 1_000, 3_000, 7_000, 11_000, 15_000, 19_000])
  expect(failures).toEqual(triedAt.map(() => refusal))
})

/** The row of a worker without work. */
function rowOf({
  wrote,
  couldNotWrite,
  ...parts
}: Pick<WorkerRowParts, 'store' | 'clock' | 'settings'> & Omit<WorkerRowParts['contact'], 'view'>): WorkerRow {
  return new WorkerRow({
    ...parts,
    id: 'w',
    registry: new Registry([]),
    health: { read: async () => null, stop: () => undefined },
    worker: { running: 0, jobsDone: 0 },
    node: null,
    status: () => 'running',
    contact: { view: { storeAnsweredMs: 0, isStoreReadOnly: false }, wrote, couldNotWrite },
  })
}
