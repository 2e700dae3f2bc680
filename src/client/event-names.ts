/** The names of all events: a misspelt one would never be heard, and nobody would know. */
import type { EventName } from '../base/telemetry.ts'
import { oneOf } from './arguments.ts'

// A record, so that a new event without its line here does not compile.
const KNOWN: Readonly<Record<EventName, true>> = {
  'job.enqueued': true,
  'job.claimed': true,
  'job.started': true,
  'job.settled': true,
  'job.cancelled': true,
  'job.abandoned': true,
  'lease.lost': true,
  'job.reclaimed': true,
  'queue.paused': true,
  'queue.resumed': true,
  'worker.started': true,
  'worker.draining': true,
  'worker.stopped': true,
  'process.started': true,
  'process.ready': true,
  'process.ended': true,
  'process.failing': true,
  'process.stalled': true,
  'process.heard': true,
  'process.replacing': true,
  'store.failed': true,
  'store.recovered': true,
}
// Its keys are the names, by its type.
const NAMES = Object.keys(KNOWN) as EventName[]

/** Throws `CONFIG_INVALID` unless there is such an event. */
export function checkEventName(name: EventName): void {
  oneOf(name, 'the event', NAMES)
}
