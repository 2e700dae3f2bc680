import { expect, onTestFinished, test } from 'vitest'
import { tempDir } from '../../test/support/temp-store.ts'
import { ManualClock } from '../base/clock.ts'
import { newId } from '../base/id.ts'
import { Telemetry } from '../base/telemetry.ts'
import { createCodec } from '../codec/codec.ts'
import { defineJob } from '../job/define-job.ts'
import { Registry } from '../job/registry.ts'
import { createMemoryStore } from '../store/memory/store.ts'
import { Attempts } from './attempts.ts'
import { Checkpoints } from './checkpoints.ts'
import { Executor } from './executor.ts'
import { Fetcher } from './fetcher.ts'
import { workerSettings } from './options.ts'
import { RunningList, RunningListFile } from './process/running-list.ts'
import { Reporter } from './reporter.ts'
import { Settler } from './settler.ts'
import { Slots } from './slots.ts'

const WORKER = 'a-worker'

test('a job whose lease ends while others begin is not in the list of what has begun, and whoever begins after it is', async () => {
  const clock = new ManualClock()
  const store = createMemoryStore({ clock })
  await store.open()
  await store.migrate()
  const file = new RunningListFile(tempDir(), 'list')
  onTestFinished(() => file.close())
  const ids = Array.from({ length: 6 }, () => newId())
  const [first, skipped] = ids
  const begun: string[] = []
  let accused = file.readOwn()
  const work = defineJob({
    name: 'work',
    run: (_: unknown, { id }) => {
      begun.push(id)
      // So long that the lease of the next one ends.
      if (id === first) clock.advance(20)
      accused = file.readOwn()
      return new Promise(() => undefined)
    },
  })
  const telemetry = new Telemetry()
  const codec = createCodec({})
  const settings = workerSettings({ concurrency: 5 }, store.capabilities)
  const slots = new Slots(5, false)
  const fetcher = new Fetcher(settings, slots, WORKER, ['work'])
  const settler = new Settler()
  const attempts = new Attempts({
    workerId: WORKER,
    store,
    clock,
    telemetry,
    registry: new Registry([work]),
    settings,
    forgets: false,
    random: () => 0,
    executor: new Executor(codec, []),
    reporter: new Reporter(WORKER, store, codec, clock, telemetry),
    checkpoints: new Checkpoints(WORKER, store, codec),
    slots,
    fetcher,
    settler,
    runningList: new RunningList(file.fd),
    onChange: () => undefined,
    onReleased: () => undefined,
    onStoreFailed: () => undefined,
    onLateClaim: () => undefined,
  })
  onTestFinished(() => attempts.leases.stop())
  for (const id of ids) {
    const payload = await codec.encode({ jobId: id, jobName: 'work', field: 'payload' }, null)
    await store.jobs.insert([{ id, name: 'work', version: 1, queue: 'q', priority: 5, payload }])
  }
  const claim = { workerId: WORKER, queues: 'all', names: ['work'], limit: 6, leaseMs: 30_000 } as const
  const { claimed } = await store.jobs.exchange({ workerId: WORKER, settle: [], claim })
  const now = clock.monotonic()
  for (const job of claimed) fetcher.add([job], now + (job.id === skipped ? 10 : 1_000))

  attempts.startReady()

  expect(begun).toEqual(ids.filter((id) => id !== skipped))
  expect(new Set(accused.map(({ id }) => id))).toEqual(new Set(begun))
  const recovered = await store.jobs.recover(WORKER, accused, 10)
  const crashes = new Map(recovered.map((job) => [job.id, job.crashes]))
  expect(ids.map((id) => crashes.get(id))).toEqual([1, 0, 1, 1, 1, 1])
})
