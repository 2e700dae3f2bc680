/** What every side measures with: the payload, clocks and percentiles. */
import { setTimeout as after } from 'node:timers/promises'
import { cpuOf, ownCpu } from './proc.js'

/** What bench/measure.ts, or another process of the same measurement, told this process to do. */
export const options = JSON.parse(process.argv[2] ?? '{}')

/** The payload of every benchmark; `at` is when `enqueue` was called, for what measures latency. */
export function payload(i, at) {
  return at === undefined ? { id: i, text: 'x'.repeat(100) } : { id: i, text: 'x'.repeat(100), at }
}

export function payloads(from, count) {
  return Array.from({ length: count }, (_, k) => payload(from + k))
}

/** Milliseconds of the monotonic clock that all processes of one machine share. */
export function now() {
  return Number(process.hrtime.bigint()) / 1e6
}

export const wait = (ms) => after(ms)

/** Runs `work` and gives operations a second, and CPU seconds for 10,000 of this process and of the server. */
export async function timed(count, work) {
  const server = cpuOf(options.serverPid)
  const own = ownCpu()
  const start = performance.now()
  await work()
  const seconds = (performance.now() - start) / 1000
  return { perSecond: count / seconds, cpuPer10k: per10k(own(), count), serverPer10k: per10k(server(), count) }
}

/** Seconds for `count` jobs as seconds for 10,000; null stays null. */
export function per10k(seconds, count) {
  return seconds === null ? null : (seconds * 10_000) / count
}

/** Keeps `width` calls in flight until `count` were made. */
export async function inFlight(width, count, call) {
  let next = 0
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) await call(next++)
    }),
  )
}

/** p50, p99 and largest of some milliseconds; nulls when there are none. */
export function percentiles(values) {
  const sorted = Float64Array.from(values).sort()
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? null
  return { p50: at(0.5), p99: at(0.99), longest: sorted.at(-1) ?? null }
}

/** Per cent of one core that this process takes. */
export async function cpuShare(ms) {
  const cpu = ownCpu()
  const start = now()
  await wait(ms)
  return shareOf(cpu(), start)
}

/** Seconds of CPU since `start` as per cent of one core; null stays null. */
export function shareOf(seconds, start) {
  return seconds === null ? null : (seconds * 100_000) / (now() - start)
}

/** Counts what a worker's handler has seen; tells the parent when it has seen enough. */
export class Tally {
  done = 0
  #latencies = []
  #endAt = Number.POSITIVE_INFINITY
  #expect
  #seconds

  constructor({ expect, seconds }) {
    this.#expect = expect ?? Number.POSITIVE_INFINITY
    this.#seconds = seconds
  }

  /**
   * A handler has begun, just now or at `time` where it ran elsewhere. The clock is looked at here, since a worker that never yields
   * fires no timer.
   */
  seen(at, time = now()) {
    if (this.done === 0 && this.#seconds !== undefined) this.#endAt = time + this.#seconds * 1000
    if (time >= this.#endAt) this.#finish()
    this.done++
    if (at !== undefined) this.#latencies.push(time - at)
    if (this.done === this.#expect) this.#finish()
  }

  figures() {
    return { done: this.done, ...percentiles(this.#latencies) }
  }

  #finish() {
    this.#endAt = Number.POSITIVE_INFINITY
    process.send({ figures: this.figures() })
  }
}

/** Gives the result of this measurement to bench/measure.ts and ends. */
export function finish(figures) {
  process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit(0))
}
