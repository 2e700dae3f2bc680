/** How large the heap of a worker was while which kinds of jobs ran. */
import type { Telemetry } from '../base/telemetry.ts'
import { type Growth, growthByKind, type HeapSample } from '../core/process/growth.ts'

/** More samples tell no more; when there are so many, every second one is let go. */
const MOST_SAMPLES = 120

/** Samples of one process's heap. */
export class HeapSamples {
  readonly #ran = new Map<string, number>()
  #samples: HeapSample[] = []

  constructor(telemetry: Pick<Telemetry, 'on'>) {
    telemetry.on('job.settled', ({ name }) => {
      this.#ran.set(name, (this.#ran.get(name) ?? 0) + 1)
    })
  }

  /** Takes one. */
  take(): void {
    const { heapUsed, external } = process.memoryUsage()
    this.#samples.push({ bytes: heapUsed + external, ran: new Map(this.#ran) })
    if (this.#samples.length > MOST_SAMPLES) this.#samples = this.#samples.filter((_, i) => i % 2 === 0)
  }

  /** The kinds of jobs that the heap has grown with, the most first. */
  growth(): readonly Growth[] {
    return growthByKind(this.#samples)
  }
}
