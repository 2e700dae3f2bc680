/** What every side measures with: the payload, clocks, percentiles and memory. */
import { readFileSync } from 'node:fs'
import { setTimeout as after } from 'node:timers/promises'

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

/** Runs `work` and gives operations a second and CPU microseconds an operation of this process. */
export async function timed(count, work) {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await work()
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return { perSecond: count / seconds, cpuMicros: (user + system) / count, cpuPer10k: (user + system) / count / 100 }
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

/** The share of the memory of a process that is its own, in MiB: pages it shares count in parts. Null where Linux is not. */
export function pssOf(pid) {
  try {
    const kib = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]
    return kib === undefined ? null : Number(kib) / 1024
  } catch {
    return null // Another system, or a kernel that does not tell.
  }
}

/** Per cent of one core that this process takes. */
export async function cpuShare(ms) {
  const before = process.cpuUsage()
  const start = now()
  await wait(ms)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 10 / (now() - start)
}

/** Counts what a worker's handler has seen; tells the parent when it has seen enough. */
export class Tally {
  done = 0
  #latencies = []
  #endAt = Number.POSITIVE_INFINITY
  #expect
  #seconds
  #cpu

  constructor({ expect, seconds }) {
    this.#expect = expect ?? Number.POSITIVE_INFINITY
    this.#seconds = seconds
  }

  /** A handler has begun. The clock is looked at here, since a worker that never yields fires no timer. */
  seen(at) {
    const time = now()
    if (this.done === 0) {
      this.#cpu = process.cpuUsage()
      if (this.#seconds !== undefined) this.#endAt = time + this.#seconds * 1000
    }
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
    const { user, system } = process.cpuUsage(this.#cpu)
    process.send({ figures: this.figures(), cpuMicros: (user + system) / this.done })
  }
}

/** Gives the result of this measurement to bench/measure.ts and ends. */
export function finish(figures) {
  process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit(0))
}
