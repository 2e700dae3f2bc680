import { describe, expect, test } from 'vitest'
import { claimedJob } from '../../test/support/claimed-job.ts'
import { MAX_BATCH_BYTES } from '../core/batch.ts'
import type { ClaimedJob } from '../store/contract/index.ts'
import { Fetcher } from './fetcher.ts'
import { workerSettings } from './options.ts'
import { Slots } from './slots.ts'

function fetcherOfQuickJobs(isRemote = false): Fetcher {
  const settings = workerSettings({ concurrency: 10, maxPrefetch: 100 })
  const fetcher = new Fetcher(settings, new Slots(10, false), 'w', ['a'], isRemote)
  // Far shorter than a round trip: as much ahead as there may be.
  for (let i = 0; i < 100; i++) fetcher.sawRun(0)
  return fetcher
}

function jobs(count: number, bytes: number): readonly ClaimedJob[] {
  return Array.from({ length: count }, (_, i) => claimedJob({ id: String(i), payload: new Uint8Array(bytes) }))
}

describe('fetching ahead', () => {
  test('asks a server for a third of the room at a time, so that one runs while two are under way', () => {
    const fetcher = fetcherOfQuickJobs(true)

    expect(fetcher.request()?.limit).toBe(37)
    fetcher.add(jobs(37, 10), 1_000)
    fetcher.asked = 37
    expect(fetcher.request()?.limit).toBe(36)
    fetcher.asked = 73
    expect(fetcher.request()).toBeUndefined()
  })

  test('fetches nothing ahead once it has given back what waited for too long', () => {
    const fetcher = fetcherOfQuickJobs(true)
    fetcher.add(jobs(30, 10), 1_000)
    fetcher.add(jobs(40, 10), 2_000)

    expect(fetcher.takeBack(999)).toEqual([])
    expect(fetcher.takeBack(1_000)).toHaveLength(30)

    expect(fetcher.waiting).toBe(40)
    expect(fetcher.request()).toBeUndefined()
    expect(fetcher.takeBack()).toHaveLength(40)
    expect(fetcher.request()?.limit).toBe(10)
  })

  test('asks an embedded store for all of it', () => {
    expect(fetcherOfQuickJobs().request()?.limit).toBe(110)
  })

  test('is bounded by count while payloads are small', () => {
    const fetcher = fetcherOfQuickJobs()

    fetcher.add(jobs(20, 10), 1000)

    expect(fetcher.request()?.limit).toBe(90)
  })

  test('ends while what waits holds 1 MiB: only free slots are filled', () => {
    const fetcher = fetcherOfQuickJobs()

    fetcher.add(jobs(4, MAX_BATCH_BYTES / 4), 1000)
    const whileFull = fetcher.request()?.limit
    fetcher.add(jobs(6, 1), 1000)
    const withSlotsSpokenFor = fetcher.request()
    fetcher.next()
    const afterOneStarted = fetcher.request()?.limit

    expect(whileFull).toBe(6)
    expect(withSlotsSpokenFor).toBeUndefined()
    expect(afterOneStarted).toBe(101)
  })

  test('goes on after what waited was given back', () => {
    const fetcher = fetcherOfQuickJobs()

    fetcher.add(jobs(10, MAX_BATCH_BYTES), 1000)
    fetcher.takeBack()

    expect(fetcher.request()?.limit).toBe(110)
  })
})
