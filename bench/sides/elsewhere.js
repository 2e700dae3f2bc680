/**
 * Handlers that run in threads of another process, as Sidequest's do at its defaults: each writes a line when it begins, and the
 * process that measures reads them. Both look at the monotonic clock that all processes of a machine share.
 */
import { appendFileSync, openSync, readFileSync, watch, writeFileSync } from 'node:fs'

/** The variable that says where to write; processes and threads inherit it. */
const FILE = 'MILLRACE_BENCH_BEGAN'

/** From now on a handler that begins anywhere below this process is told to `handler`: with its input's `at`, and when it began. */
export function hear(file, handler) {
  process.env[FILE] = file
  writeFileSync(file, '')
  const descriptor = openSync(file, 'r')
  let rest = ''
  // Watched, not polled: what this process spends counts as the worker's.
  return watch(file, () => {
    const lines = `${rest}${readFileSync(descriptor, 'utf8')}`.split('\n')
    rest = lines.pop()
    for (const line of lines) {
      const { at, beganAt } = JSON.parse(line)
      handler({ at }, beganAt)
    }
  })
}

/** A handler begins. False when nobody hears in this way. */
export function tellBegun({ at }) {
  const file = process.env[FILE]
  if (file === undefined) return false
  appendFileSync(file, `${JSON.stringify({ at, beganAt: Number(process.hrtime.bigint()) / 1e6 })}\n`)
  return true
}
