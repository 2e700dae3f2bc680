/** What every side measures with: the payload, clocks, percentiles and memory. */
import { readdirSync, readFileSync } from 'node:fs'
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

/** Runs `work` and gives operations a second, and CPU seconds for 10,000 of this process and of the server. */
export async function timed(count, work) {
  const server = serverCpu()
  const cpu = process.cpuUsage()
  const start = performance.now()
  await work()
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return {
    perSecond: count / seconds,
    cpuMicros: (user + system) / count,
    cpuPer10k: (user + system) / count / 100,
    serverPer10k: server === null ? null : ((serverCpu() - server) * 10_000) / count,
  }
}

/**
 * CPU seconds that the server's process and its children have taken, those that have ended included; null where there is no
 * server, or Linux is not. Whatever else the server does meanwhile is in it.
 */
function serverCpu() {
  if (options.serverPid === undefined) return null
  try {
    const pid = Number(options.serverPid)
    const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
    return processes.reduce((sum, name) => {
      const fields = statOf(name)
      if (Number(name) === pid) return sum + ticks(fields, 11) + ticks(fields, 13)
      return Number(fields?.[1]) === pid ? sum + ticks(fields, 11) : sum
    }, 0)
  } catch {
    return null // Another system.
  }
}

/** What stands in /proc/PID/stat behind the name, or undefined when the process has just ended. */
function statOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined // It ended between the listing and now.
  }
}

/** Two neighbours of user and system time, in seconds: Linux counts in hundredths. */
function ticks(fields, at) {
  return (Number(fields[at]) + Number(fields[at + 1])) / 100
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
