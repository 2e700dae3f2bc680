import { expect, test } from 'vitest'
import { claimedJob } from '../../test/support/claimed-job.ts'
import { wrappedStore } from '../../test/support/wrapped-store.ts'
import { ManualClock } from '../base/clock.ts'
import { Telemetry } from '../base/telemetry.ts'
import { defineJob } from '../job/define-job.ts'
import { Registry } from '../job/registry.ts'
import { createMemoryStore } from '../store/memory/store.ts'
import { Fetcher } from './fetcher.ts'
import { workerSettings } from './options.ts'
import type { RunningJob } from './running-job.ts'
import { Slots } from './slots.ts'
import { Starter } from './starter.ts'

const WITH_LEASE = 1_000_000

/**
 * A worker with three slots whose handlers take `runMs` of the event loop each, and end in that turn when `endsAtOnce`. That a
 * start is on record the store says after `startMs`.
 */
function starterOf({ runMs = 0, startMs = 0, endsAtOnce = false, mostUnsettled = Number.POSITIVE_INFINITY } = {}) {
  const clock = new ManualClock()
  const slots = new Slots(3, false)
  const settings = { ...workerSettings({ concurrency: 3 }), maxPrefetch: mostUnsettled - 3 }
  const fetcher = new Fetcher(workerSettings({ concurrency: 3 }), slots, 'w', ['a'])
  const settler = { unsettled: 0 }
  const begun: string[] = []
  const back: string[] = []
  const told: string[] = []
  const end = (job: RunningJob) => {
    job.isOver = true
    slots.give(job)
    settler.unsettled++
    starter.now = clock.monotonic()
    starter.startMore()
  }
  const starter = new Starter({
    ...{ clock, slots, settings, fetcher, settler },
    workerId: 'w',
    store: wrappedStore(createMemoryStore({ clock }), () => ({
      start: async () => {
        clock.advance(startMs)
        return 'written'
      },
    })),
    telemetry: new Telemetry(),
    registry: new Registry([defineJob({ name: 'a', run: () => undefined })]),
    completer: { waiting: 0 },
    unstarted: { giveOneBack: ({ id }) => back.push(id) },
    isolates: { contained: () => undefined, isApart: () => false },
    executor: {
      run: (job) => {
        begun.push(job.id)
        clock.advance(runMs)
        if (endsAtOnce) end(job)
      },
    },
    outlet: {
      progress: () => undefined,
      log: () => undefined,
      completeIn: async () => undefined,
      checkpoint: async () => undefined,
      restore: async () => undefined,
    },
    steps: { onPrepare: () => undefined, onStart: () => undefined, onEnd: () => undefined },
    onMore: () => told.push('more'),
    onReleased: ({ id }) => told.push(`released ${id}`),
    onLeft: ({ id }) => told.push(`left ${id}`),
    onStoreFailed: (operation) => told.push(`failed ${operation}`),
  })
  const add = (id: string, leaseEnd = WITH_LEASE, losses = 0) => fetcher.add([claimedJob({ id, losses })], leaseEnd)
  return { starter, fetcher, settler, begun, back, told, add }
}

test('starts as many as there are slots, oldest claim first', () => {
  const { starter, fetcher, begun, told, add } = starterOf()
  for (const id of ['1', '2', '3', '4']) add(id)

  starter.startReady()

  expect(begun).toEqual(['1', '2', '3'])
  expect(fetcher.waiting).toBe(1)
  expect(told).toEqual([])
})

test('refills the slots of those that end at once, without nesting, until the turn is over', () => {
  const { starter, begun, told, add } = starterOf({ runMs: 10, endsAtOnce: true })
  for (let i = 1; i <= 8; i++) add(String(i))

  starter.startReady()
  expect(begun).toHaveLength(5)
  expect(told).toEqual(['more'])

  starter.startReady()
  expect(begun).toHaveLength(8)
  expect(told).toEqual(['more'])
})

test('starts nothing more while too many outcomes wait for the store', () => {
  const { starter, settler, begun, add } = starterOf({ endsAtOnce: true, mostUnsettled: 4 })
  for (let i = 1; i <= 6; i++) add(String(i))

  starter.startReady()
  expect(begun).toHaveLength(4)

  settler.unsettled = 0
  starter.startReady()
  expect(begun).toHaveLength(6)
})

test('gives a job back whose lease ended while those before it began, and does not count it as claimed', () => {
  const { starter, fetcher, begun, back, add } = starterOf({ runMs: 10 })
  add('1')
  add('2', 10)
  add('3', 11)

  starter.startReady()

  expect(begun).toEqual(['1', '3'])
  expect(back).toEqual(['2'])
  expect(fetcher.claimed).toBe(2)
})

test.each<[string, startMs: number, said: { readonly begun: readonly string[]; readonly told: readonly string[] }]>([
  ['begins while a heartbeat can come in time', 16_000, { begun: ['1'], told: [] }],
  ['goes back when none can: its worker stood still meanwhile', 17_000, { begun: [], told: ['released 1'] }],
  ['goes back when its lease is over', 27_000, { begun: [], told: ['released 1'] }],
])('a job that was lost twice, and whose start is on record, %s', async (_, startMs, said) => {
  const { starter, begun, told, add } = starterOf({ startMs })
  add('1', 27_000, 2)

  starter.startReady()
  await Promise.resolve()

  expect({ begun, told }).toEqual(said)
})
