/** How large the heaps of a worker, its own and those of its threads, were while which kinds of jobs ran. */
import type { Telemetry } from '../base/telemetry.ts'
import { type Growth, growthByKind, type HeapSample } from '../core/process/growth.ts'

/** More samples tell no more; when there are so many, every second one is let go. */
const MOST_SAMPLES = 120

/** Samples of one process's heaps. */
export class HeapSamples {
  readonly #ran = new Map<string, number>()
  #samples: HeapSample[] = []

  constructor(telemetry: Pick<Telemetry, 'on'>) {
    telemetry.on('job.settled', ({ name }) => {
      this.#ran.set(name, (this.#ran.get(name) ?? 0) + 1)
    })
  }

  /** Takes one. `isolateLeftBytes`: what jobs have left in threads, each of which has a heap of its own. */
  take(isolateLeftBytes: number): void {
    const { heapUsed, external } = process.memoryUsage()
    this.#samples.push({ bytes: heapUsed + external + isolateLeftBytes, ran: new Map(this.#ran) })
    if (this.#samples.length > MOST_SAMPLES) this.#samples = this.#samples.filter((_, i) => i % 2 === 0)
  }

  /** The kinds of jobs that they have grown with, the most first. */
  growth(): readonly Growth[] {
    return growthByKind(this.#samples)
  }
}
