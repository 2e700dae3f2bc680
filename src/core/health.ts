/** How a worker is: whether it takes jobs, and what its process needs. Told with each heartbeat. */

/** Whether a worker takes jobs: it does, it was told to wait, or it finishes what it has and goes. */
export const WORKER_STATUSES = ['running', 'paused', 'draining'] as const

/** Whether a worker takes jobs. */
export type WorkerStatus = (typeof WORKER_STATUSES)[number]

/** What a worker's process needed when it last said so: plain JSON. */
export interface WorkerHealth {
  /** Resident memory. */
  readonly rssBytes: number
  /** Resident memory, that which is shared with other processes divided among them; null where the system does not tell. */
  readonly pssBytes: number | null
  /** What JavaScript values take. */
  readonly heapBytes: number
  /** Share of one core since the report before: 1 is one core all the time. */
  readonly cpu: number
  readonly loopDelayP50Ms: number
  readonly loopDelayP99Ms: number
  /** Milliseconds since the last call of the store that succeeded. */
  readonly storeAnsweredMs: number
  /** Attempts that ended in it. */
  readonly jobsDone: number
  /** The version of Node. */
  readonly node: string
}

const NUMBERS = [
  'rssBytes',
  'heapBytes',
  'cpu',
  'loopDelayP50Ms',
  'loopDelayP99Ms',
  'storeAnsweredMs',
  'jobsDone',
] as const satisfies readonly (keyof WorkerHealth)[]

/** The status that was stored; `running` where none was, or one that this version does not know. */
export function readStatus(stored: unknown): WorkerStatus {
  return WORKER_STATUSES.find((status) => status === stored) ?? 'running'
}

/** The health that was stored as JSON; null where none was, or something else. What a later version adds is left out. */
export function readHealth(stored: unknown): WorkerHealth | null {
  const value = typeof stored === 'string' ? parsed(stored) : null
  if (typeof value !== 'object' || value === null) return null
  const found: Readonly<Record<string, unknown>> = { ...value }
  const { pssBytes, node } = found
  if (!NUMBERS.every((name) => isNumber(found[name])) || typeof node !== 'string') return null
  if (pssBytes !== null && !isNumber(pssBytes)) return null
  const numbers = Object.fromEntries(NUMBERS.map((name) => [name, found[name]]))
  // Each was looked at above.
  return { ...(numbers as Pick<WorkerHealth, (typeof NUMBERS)[number]>), pssBytes, node }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON: as if nothing had been said.
    return null
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
