import { expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import { RestCollector } from './memory.ts'

test('garbage is collected once, half a second after enough work has come to rest', () => {
  const { clock, collector, work, collected } = made()
  work(1_000)
  for (let i = 0; i < 10; i++) {
    collector.rested()
    clock.advance(49)
  }

  expect(collected()).toBe(0)
  clock.advance(10)
  collector.rested()
  clock.advance(10_000)
  expect(collected()).toBe(1)
})

test('little work is not worth it, until it adds up', () => {
  const { clock, collector, work, collected } = made()
  const after: number[] = []
  for (let i = 0; i < 4; i++) {
    work(400)
    collector.rested()
    clock.advance(1_000)
    after.push(collected())
  }

  expect(after).toEqual([0, 0, 1, 1])
})

test('a rest that ends early is none, nor is one of a worker that was stopped', () => {
  const { clock, collector, work, collected } = made()
  for (let i = 0; i < 5; i++) {
    work(1_000)
    collector.rested()
    clock.advance(100)
  }
  work(1)
  clock.advance(1_000)
  collector.rested()
  collector.stop()
  clock.advance(1_000)

  expect(collected()).toBe(0)
})

test('a job that runs when the time has come is not held up', () => {
  const { clock, collector, work, runs, collected } = made()
  work(1_000)
  collector.rested()
  runs(true)
  clock.advance(1_000)
  expect(collected()).toBe(0)

  runs(false)
  work(1)
  collector.rested()
  clock.advance(1_000)
  expect(collected()).toBe(1)
})

function made() {
  const clock = new ManualClock()
  let done = 0
  let times = 0
  let isIdle = true
  const collector = new RestCollector(
    clock,
    () => done,
    () => isIdle,
    () => times++,
  )
  return {
    clock,
    collector,
    work: (jobs: number) => {
      done += jobs
    },
    runs: (runs: boolean) => {
      isIdle = !runs
    },
    collected: () => times,
  }
}
