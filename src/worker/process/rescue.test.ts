import { expect, test } from 'vitest'
import { wrappedStore } from '../../../test/support/wrapped-store.ts'
import { ManualClock } from '../../base/clock.ts'
import { Telemetry } from '../../base/telemetry.ts'
import { createMemoryStore } from '../../store/memory/store.ts'
import { Rescue } from './rescue.ts'

const idOf = (n: number) => `01a228d2-a44a-7e57-b964-${String(n).padStart(12, '0')}`

/** `count` jobs that the worker `w` holds in a store that fails while `isAway`. */
async function held(count: number) {
  const clock = new ManualClock()
  const telemetry = new Telemetry()
  const looks: string[] = []
  let isAway = false
  const inner = createMemoryStore({ clock })
  await inner.open()
  await inner.migrate()
  const store = wrappedStore(inner, (jobs) => ({
    recover: (...args) => {
      looks.push(args[0])
      return isAway ? Promise.reject(new Error('away')) : jobs.recover(...args)
    },
  }))
  const jobs = Array.from({ length: count }, (_, n) => ({
    id: idOf(n),
    name: 'a',
    version: 1,
    queue: 'q',
    priority: 5,
    payload: new Uint8Array(),
  }))
  await store.jobs.insert(jobs)
  const take = async () => {
    const claim = { workerId: 'w', queues: 'all', names: ['a'], limit: 1_000, leaseMs: 30_000 } as const
    let all = 0
    for (;;) {
      const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim })
      all += claimed.length
      if (claimed.length === 0) return all
    }
  }
  expect(await take()).toBe(count)
  const reclaimed: string[] = []
  const failed: string[] = []
  telemetry.on('job.reclaimed', ({ jobId, crashes }) => reclaimed.push(`${jobId} ${crashes}`))
  telemetry.on('store.failed', ({ operation }) => failed.push(operation))
  const rescue = new Rescue({ clock, telemetry, store: async () => store })
  const turn = async () => {
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  const pass = async (ms: number) => {
    await turn()
    clock.advance(ms)
    await turn()
  }
  return { store, rescue, reclaimed, failed, looks, pass, take, setAway: (value: boolean) => (isAway = value) }
}

test('all that a dead worker held is taken back, more than one batch too; what it had begun is a crash, the rest is not', async () => {
  const { store, rescue, reclaimed } = await held(1_200)
  await store.cluster.beat({
    id: 'w',
    host: 'h',
    pid: 1,
    version: '0',
    names: [],
    queues: null,
    concurrency: 1,
    running: 1,
    node: 'n',
    status: 'running',
    health: null,
  })

  await rescue.recover('w', [
    { id: idOf(3), epoch: 1 },
    { id: idOf(4), epoch: 7 },
  ])

  expect(reclaimed).toHaveLength(1_200)
  expect(reclaimed.filter((line) => line.endsWith(' 1'))).toEqual([`${idOf(3)} 1`])
  expect(await store.cluster.nodes(60_000)).toEqual([])
})

test('what a statement under way has still claimed for it is looked for again, half a second and five seconds later', async () => {
  const { rescue, reclaimed, looks, take, pass } = await held(1)
  await rescue.recover('w', [])
  expect(reclaimed).toHaveLength(1)
  expect(await take()).toBe(1)

  await pass(500)
  expect(reclaimed).toHaveLength(2)
  await pass(5_000)
  await pass(60_000)

  expect(looks).toHaveLength(3)
})

test('a store that is away is asked again each second, told of each time, and no more after a stop', async () => {
  const { rescue, reclaimed, failed, looks, pass, setAway } = await held(1)
  setAway(true)
  const done = rescue.recover('w', [])
  await pass(1_000)
  await pass(1_000)
  expect(failed).toEqual(['recover', 'recover', 'recover'])
  setAway(false)
  await pass(1_000)
  await done
  expect(reclaimed).toHaveLength(1)

  setAway(true)
  void rescue.recover('w', [])
  await pass(0)
  rescue.stop()
  await pass(1_000)
  const before = looks.length
  await pass(60_000)

  expect(looks).toHaveLength(before)
})
