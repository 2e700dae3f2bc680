/** What a supervisor tells on stdout of its worker processes: a line per event, for people or as JSON. */
import type { EventName, Events } from '../base/telemetry.ts'
import type { NodeHandle } from '../runtime/node-handle.ts'
import { eventJson } from './event-json.ts'
import { clean, spanText } from './output.ts'

const SENTENCES: { readonly [N in EventName]?: (event: Events[N]) => string } = {
  'process.ready': (event) => `${who(event)} works, ${spanText(event.afterMs)} after its start`,
  'process.ended': (event) => `${who(event)} ${event.how}`,
  'process.failing': ({ starts, hasWorked, isLoop, cause, nextMs, ...event }) => {
    if (nextMs === null) return `${who(event)}, a successor, failed before it took over: ${cause}. Who is at work stays`
    const times = starts === 1 ? '' : `${starts} times in a row `
    const when = hasWorked ? 'soon after its start' : 'before it had done a job'
    const next = nextMs === 0 ? 'Started again at once' : `Next try in ${spanText(nextMs)}`
    return `${isLoop ? 'crash loop: ' : ''}worker ${event.seat} has ended ${times}${when}: ${cause}. ${next}`
  },
  'process.stalled': (event) =>
    `${who(event)} has not been heard of for ${spanText(event.silentMs)}: its leases are kept`,
  'process.heard': (event) => `${who(event)} is heard again, after ${spanText(event.silentMs)}`,
  'process.replacing': (event) => `${who(event)} gets a successor: ${event.why}`,
  'job.reclaimed': ({ jobId, name, outcome, crashes }) =>
    `${name} ${jobId} is taken back from a dead worker: ${outcome}${crashes > 0 ? `, crashes ${crashes}` : ''}`,
  'store.failed': ({ operation, error }) =>
    `the store failed (${operation}): ${error instanceof Error ? error.message : String(error)}`,
}

/** Writes what happens to the node until the process ends. */
export function logNode(node: NodeHandle, format: 'pretty' | 'json'): void {
  // The end of one that never worked is told by what follows: the next try with its cause, or the error that ends the command.
  const ready = new Set<string>()
  const isRepeated = (name: EventName, event: object) =>
    name === 'process.ended' && format === 'pretty' && !('workerId' in event && ready.delete(String(event.workerId)))
  node.on('process.ready', ({ workerId }) => ready.add(workerId))
  // The keys are names of events, by the type above.
  for (const name of Object.keys(SENTENCES) as (keyof typeof SENTENCES)[]) {
    // Each sentence is made of its own event.
    const sentence = SENTENCES[name] as (event: Events[EventName]) => string
    node.on(name, (event) => {
      if (isRepeated(name, event)) return
      if (format === 'json') console.log(eventJson(name, event))
      else console.log(`${new Date().toTimeString().slice(0, 8)} · ${clean(sentence(event))}`)
    })
  }
}

function who({ seat, pid }: { readonly seat: number; readonly pid: number }): string {
  return `worker ${seat} (pid ${pid})`
}
