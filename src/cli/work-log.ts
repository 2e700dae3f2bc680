/** What a worker tells on stdout: a line per event, for people or as JSON. Never a payload. */

import type { EventName, Events } from '../base/telemetry.ts'
import type { Millrace } from '../runtime/millrace.ts'
import { eventJson } from './event-json.ts'
import { clean, spanText } from './output.ts'

const LOGGED: readonly EventName[] = [
  'worker.started',
  'worker.draining',
  'worker.stopped',
  'job.abandoned',
  'lease.lost',
  'job.reclaimed',
  'store.failed',
  'store.recovered',
]

/** Writes the events of this process's workers until the process ends. */
export function logEvents(mill: Millrace, format: 'pretty' | 'json', quiet: boolean): void {
  if (quiet) return
  const write = format === 'json' ? writeJson : writePretty
  for (const name of LOGGED) mill.on(name, (event) => write(name, event))
  mill.on('job.settled', (event) => write('job.settled', event))
}

function writeJson<N extends EventName>(event: N, fields: Events[N]): void {
  console.log(eventJson(event, fields))
}

function writePretty<N extends EventName>(event: N, fields: Events[N]): void {
  const time = new Date().toTimeString().slice(0, 8)
  if (event === 'job.settled') {
    // The name says which of the events it is.
    const { outcome, name, jobId, attempt, durationMs, error } = fields as Events['job.settled']
    const sign = outcome === 'completed' ? '✓' : outcome === 'failed' ? '✕' : outcome === 'retrying' ? '↻' : '·'
    const why = error === undefined ? '' : `  ${error}`
    const again = attempt > 1 ? `  attempt ${attempt}` : ''
    const how = outcome === 'completed' || outcome === 'failed' ? '' : `  ${outcome}`
    writeLine(`${time} ${sign} ${clean(name)}  ${jobId}  ${spanText(durationMs)}${how}${again}${clean(why)}`)
    return
  }
  if (event.startsWith('worker.')) return
  const rest = Object.entries(fields).map(
    ([key, value]) => `${key}=${value instanceof Error ? value.message : String(value)}`,
  )
  writeLine(`${time} ! ${event}  ${clean(rest.join('  '))}`)
}

/** One event is one line: on a terminal what does not fit is cut, since `job show` and the JSON log have it all. */
function writeLine(line: string): void {
  const width = process.stdout.isTTY ? (process.stdout.columns ?? 80) : Number.POSITIVE_INFINITY
  console.log(line.length > width ? `${line.slice(0, width - 1)}…` : line)
}
