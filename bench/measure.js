/** What both sides measure with, in JavaScript so that any Node runs it. */

/** The payload of every benchmark. */
export function payload(i) {
  return { id: i, text: 'x'.repeat(100) }
}

/** Runs `work` and gives operations a second and CPU microseconds an operation. */
export async function timed(count, work) {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await work()
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return { perSecond: count / seconds, cpuMicros: (user + system) / count }
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

/** p50 and p99 of milliseconds. */
export function percentiles(values) {
  const sorted = values.slice().sort((a, b) => a - b)
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? null
  return { p50: at(0.5), p99: at(0.99) }
}
