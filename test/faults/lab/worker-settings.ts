/** How the workers of a run are started. */

/** How a worker process is started. */
export interface WorkerSettings {
  readonly concurrency?: number
  readonly stopMs?: number
  readonly graceMs?: number
  readonly prefetch?: number
  readonly keys?: string
  readonly args?: readonly string[]
  /** Not root's, whom no mode of a file keeps out. */
  readonly asOrdinaryUser?: boolean
  /** Its processes end when they lose the store, and are started again; one alone goes on trying. */
  readonly isSupervised?: boolean
}

/** What a worker is told of its settings by its environment: those that no argument of `millrace work` says. */
export function environmentOf(settings: WorkerSettings): Readonly<Record<string, string>> {
  const { stopMs, graceMs, prefetch, keys, isSupervised } = settings
  return {
    ...(stopMs !== undefined && { MILLRACE_LAB_STOP_MS: `${stopMs}` }),
    ...(graceMs !== undefined && { MILLRACE_LAB_GRACE_MS: `${graceMs}` }),
    ...(prefetch !== undefined && { MILLRACE_LAB_PREFETCH: `${prefetch}` }),
    ...(keys !== undefined && { MILLRACE_LAB_KEYS: keys }),
    ...(isSupervised === true && { MILLRACE_LAB_SUPERVISED: '1' }),
  }
}
