import { expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import { liveWorkers } from '../client/worker-control.ts'
import { Registry } from '../job/registry.ts'
import { createMemoryStore } from '../store/memory/store.ts'
import { workerSettings } from '../worker/options.ts'
import { WorkerRow } from './worker-row.ts'

test.each([{ lease: '5m' }, { lease: '10m', heartbeat: '4m' }, {}])(
  'a worker with %o is alive for everybody at any time, however seldom it extends its leases',
  async (options) => {
    const clock = new ManualClock()
    const store = createMemoryStore({ clock })
    await store.open()
    await store.migrate()
    const row = new WorkerRow({
      id: 'w',
      store,
      clock,
      settings: workerSettings(options),
      registry: new Registry([]),
      health: { read: async () => null, stop: () => undefined },
      worker: { running: 0, jobsDone: 0, storeAnsweredMs: 0 },
      node: null,
      status: () => 'running',
      onError: (error) => expect.fail(String(error)),
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
