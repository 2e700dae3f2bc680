import { expect, test } from 'vitest'
import { Telemetry } from '../base/telemetry.ts'
import { HeapSamples } from './heap-samples.ts'

const MIB = 2 ** 20

test('a kind of job is named that has left memory in threads, which the heap of the worker itself does not show', () => {
  const telemetry = new Telemetry()
  const heap = new HeapSamples(telemetry)
  const settled = (name: string) =>
    telemetry.emit('job.settled', { jobId: name, name, queue: 'q', attempt: 1, outcome: 'completed', durationMs: 1 })

  for (let i = 0; i < 20; i++) {
    settled('leaks')
    if (i % 3 === 0) settled('clean')
    heap.take(i * 100 * MIB)
  }

  const [first] = heap.growth()
  expect(first?.[0]).toBe('leaks')
  expect(first?.[1]).toBeGreaterThan(1_500 * MIB)
})
