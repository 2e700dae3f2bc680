import { monitorEventLoopDelay } from 'node:perf_hooks'
import { describe, expect, onTestFinished, test } from 'vitest'
import { until } from '../../test/support/node-run.ts'
import { ManualClock, systemClock } from '../base/clock.ts'
import { OwnHealth, pssOf, Vitals } from './vitals.ts'

const MIB = 2 ** 20
const WORKER = { storeAnsweredMs: 12.4, jobsDone: 3 }

function vitalsOn(clock = new ManualClock()): Vitals {
  const vitals = new Vitals(clock)
  onTestFinished(() => vitals.stop())
  return vitals
}

/** Keeps a core busy for so much time of the processor, however long that takes. */
function burn(ms: number): void {
  const before = process.cpuUsage()
  for (;;) {
    const { user, system } = process.cpuUsage(before)
    if (user + system >= ms * 1000) return
  }
}

/** Blocks the event loop for so long. */
function block(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

/** Lets what is due be done. */
async function turn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Lets the event loop be looked at so many times. */
async function samples(count: number): Promise<void> {
  const own = monitorEventLoopDelay({ resolution: 50 })
  own.enable()
  await until(() => own.count).toBeGreaterThanOrEqual(count)
  own.disable()
}

describe('the vitals of a process', () => {
  test('tell what share of a core it used since the reading before', () => {
    const clock = new ManualClock()
    const vitals = vitalsOn(clock)
    vitals.read(WORKER, null)

    burn(300)
    clock.advance(1_000)
    const busy = vitals.read(WORKER, null)
    clock.advance(1_000)
    const idle = vitals.read(WORKER, null)

    expect(busy.cpu).toBeGreaterThanOrEqual(0.3)
    expect(busy.cpu).toBeLessThan(0.6)
    expect(idle.cpu).toBeLessThan(0.2)
  })

  test('tell what JavaScript values take, and resident memory, which is more', () => {
    const vitals = vitalsOn()
    const before = vitals.read(WORKER, null)

    const held = Array.from({ length: 20 }, () => new Array<number>(MIB).fill(0.5))
    const after = vitals.read(WORKER, null)

    // Each is eight bytes; what was garbage before may go meanwhile.
    expect(held).toHaveLength(20)
    expect(after.heapBytes - before.heapBytes).toBeGreaterThan(80 * MIB)
    expect(after.rssBytes).toBeGreaterThan(after.heapBytes / 2)
    expect(after.rssBytes).toBeLessThan(64 * 1024 * MIB)
  })

  test('tell how late the event loop was: p50 of most looks, p99 of the worst, anew from each reading on', async () => {
    const vitals = vitalsOn()
    await samples(12)

    block(400)
    await samples(2)
    const once = vitals.read(WORKER, null)
    for (let i = 0; i < 6; i++) {
      block(200)
      await turn()
    }
    const always = vitals.read(WORKER, null)
    await samples(12)
    const well = vitals.read(WORKER, null)

    expect(once.loopDelayP99Ms).toBeGreaterThan(250)
    expect(once.loopDelayP50Ms).toBeLessThan(100)
    expect(always.loopDelayP50Ms).toBeGreaterThan(100)
    expect(well.loopDelayP50Ms).toBeLessThan(100)
  }, 60_000)

  test('are 0 for an event loop that was not looked at yet', () => {
    expect(vitalsOn().read(WORKER, null)).toMatchObject({ loopDelayP50Ms: 0, loopDelayP99Ms: 0 })
  })

  test('pass on what the worker and the system told', () => {
    expect(vitalsOn().read(WORKER, 7 * MIB)).toMatchObject({
      ...{ pssBytes: 7 * MIB, storeAnsweredMs: 12, jobsDone: 3, node: process.version },
    })
  })
})

test("a worker's own health is that of its process, the share of memory included where the system tells it", async () => {
  const health = new OwnHealth(systemClock)
  onTestFinished(() => health.stop())

  await health.read(WORKER)
  burn(50)
  const { cpu, rssBytes, pssBytes } = await health.read(WORKER)

  expect(cpu).toBeGreaterThan(0)
  // Two readings of what goes on growing.
  if (process.platform === 'linux') expect(pssBytes ?? 0).toBeGreaterThan(rssBytes / 20)
  expect(pssBytes ?? 0).toBeLessThan(rssBytes + 256 * MIB)
})

test('of a process that is not there nobody tells its share of memory', async () => {
  expect(await pssOf(1_000_000_000)).toBeNull()
})
