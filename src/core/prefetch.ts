/** How many jobs to fetch ahead of free slots. */

/** What is known of a worker: its room, and the means of what it measured. */
export interface PrefetchInput {
  /** Jobs that run at a time. */
  readonly slots: number
  /** Mean time of one exchange with the store. */
  readonly roundTripMs: number
  /** Mean time a handler runs. */
  readonly meanRunMs: number
  /** Never more than this many. */
  readonly maxPrefetch: number
}

/**
 * The jobs that will become free during one round trip, by Little's law (L = λW): `ceil(slots × roundTrip / meanRun)`, at
 * most `maxPrefetch`. 0 when a job takes longer than a round trip: its slot would gain nothing, and the job would wait
 * here while another worker could run it. A whole number from 0 to `maxPrefetch`, whatever is put in.
 */
export function prefetchCount({ slots, roundTripMs, meanRunMs, maxPrefetch }: PrefetchInput): number {
  if (!(meanRunMs <= roundTripMs && slots > 0 && roundTripMs > 0 && maxPrefetch > 0)) return 0
  const most = Math.floor(maxPrefetch)
  return meanRunMs > 0 ? Math.min(Math.ceil((slots * roundTripMs) / meanRunMs), most) : most
}
